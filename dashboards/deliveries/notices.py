"""What the Deliveries page says where there is nothing to count, or not all that happened."""

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.data import STALE_AFTER
from dashboards.deliveries import questions
from dashboards.scope import DeliveryScope
from phoenix_metrics import words


def stop_if_nothing_delivered() -> None:
    """Stop the page with words where no deployment is known at all, saying what would tell of one."""
    if questions.environments():
        return
    servers = questions.sources()
    servers = servers[servers["source"] == "argocd"]
    if servers.empty:
        st.header("No Argo CD is read yet")
        st.markdown(
            "Deployments come from Argo CD, or from what workflows tell GitHub of deployments. Neither has told of any."
            "\n\n- Set `PHOENIX_ARGOCD_URL` and `PHOENIX_ARGOCD_TOKEN_FILE` to read an Argo CD server. The token of an "
            "account whose role may `get` applications is enough.\n"
            "- `phoenix doctor` then says whether the server answers and what the token may not read."
        )
    else:
        states = [words.STATES.get(state, state) for state in servers["state"]]
        st.header("No deployments yet")
        st.markdown(
            "Argo CD is read, but no deployment of any application is known yet. One appears here with the next sync "
            "that brings a version.\n\n"
            + "\n".join(
                f"- **{words.plain(server.subject)}**: {state}" + _noted(server.note)
                for server, state in zip(servers.itertuples(), states, strict=True)
            )
        )
    st.stop()


def say_if_quiet(scope: DeliveryScope) -> bool:
    """Say so where no deployment of the period passes the filters; return whether that is so."""
    summary = questions.summary(scope, questions.BY_PERIOD)
    if summary.loc[summary["period"] == "current", "delivery_count"].sum():
        return False
    newest = questions.newest_at(scope)
    what = words.plain(scope.service or "anything") + (f" of team {words.plain(scope.team)}" if scope.team else "")
    st.info(
        f"No deployment of {what} to {words.plain(scope.environment)} began between "
        f"{words.moment(scope.period.start)} and {words.moment(scope.period.end)}. "
        + (
            f"The newest one began on {words.moment(newest)}: choose a longer time range."
            if newest
            else "There is none at any other time either: choose another environment or service."
        )
    )
    return True


def draw_late_servers() -> None:
    """Warn of Argo CD servers that were not read well or for long, since what happens there is then not here."""
    sources = questions.sources()
    published = data.snapshot().published_at.replace(tzinfo=None)
    for server in sources[sources["source"] == "argocd"].itertuples():
        name, success = words.plain(server.subject), server.last_success_at
        if pd.isna(success):
            st.warning(f"**Argo CD {name} has not been read in full yet.**{_noted(server.note)}")
        elif published - success > STALE_AFTER:
            late = words.age(published - success).removesuffix(" ago")
            st.warning(
                f"**What Argo CD {name} tells is stale.** It was last read in full on {words.moment(success)}, {late} "
                f"before this page was published.{_noted(server.note)} Run `phoenix doctor` to see what is wrong."
            )


def _noted(note: object) -> str:
    return f" {words.plain(str(note))}." if isinstance(note, str) and note else ""
