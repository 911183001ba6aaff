"""The choice of one run, which lives in the URL like every other choice."""

import pandas as pd
import streamlit as st

from dashboards import clock
from dashboards.runs.questions import recent_runs
from dashboards.scope import Scope
from dashboards.workflow import questions
from phoenix_metrics import words

OFFERED = 50
SETTLED = ("success", "failure", "cancelled", "other")
_CHOSEN = "chosen_run"


def choose_run(scope: Scope) -> pd.Series | None:
    """Draw the choice of a run and return it: the address's, else the period's newest settled one, None without any."""
    known = recent_runs(scope, OFFERED)
    offered = known[known["outcome"].isin(SETTLED)]
    asked = _asked(scope)
    if asked is not None and asked["run_id"] not in set(offered["run_id"]):
        offered = pd.concat([asked.to_frame().T, offered], ignore_index=True)
    if offered.empty:
        return None
    runs = {int(run["run_id"]): run for _, run in offered.iterrows()}
    wanted = int(asked["run_id"]) if asked is not None else next(iter(runs))
    st.session_state[_CHOSEN] = wanted
    chosen = st.selectbox(
        "Run",
        list(runs),
        key=_CHOSEN,
        format_func=lambda run_id: _written(runs[run_id]),
        on_change=_follow_choice,
        help=f"The newest {OFFERED} runs of the period that pass the filters and have ended, and the one in the link.",
    )
    return runs[int(chosen)]


def _asked(scope: Scope) -> pd.Series | None:
    """Return the run that the address asks for; where it is none of this workflow, with words if a link asked so."""
    asked = st.query_params.get("run")
    if not asked:
        return None
    found = questions.run(scope, int(asked)) if asked.isdecimal() and len(asked) < 19 else pd.DataFrame()
    if found.empty and _CHOSEN in st.session_state:  # the workflow was changed on the page
        del st.query_params["run"]
        return None
    if found.empty:
        st.caption(f"No run **{words.plain(asked)}** of this workflow is known; this is its newest one instead.")
        return None
    return found.iloc[0]


def _follow_choice() -> None:
    st.query_params["run"] = str(st.session_state[_CHOSEN])


def _written(run: pd.Series) -> str:
    outcome = words.OUTCOMES.get(run["outcome"], words.OUTCOMES["other"])
    tries = f", {run['run_attempt']} attempts" if run["run_attempt"] > 1 else ""
    branch = run["head_branch"] if isinstance(run["head_branch"], str) else words.NOTHING
    return (
        f"#{run['run_number']} {outcome}, {words.duration(run['duration_seconds'])}{tries}, {branch}, "
        f"{clock.moment(run['created_at'])}"
    )
