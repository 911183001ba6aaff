"""What the Cost page says of what it counts, where there is nothing to count, and what is missing."""

import streamlit as st

from dashboards import data
from dashboards.cost import questions
from dashboards.cost.filters import is_comparable
from dashboards.scope import Scope
from phoenix_metrics import words


def stop_if_empty(scope: Scope) -> None:
    """Stop the page with words where no job of the period passes the filters."""
    totals = questions.totals(scope)
    if (totals["period"] == "current").any():
        return
    newest = questions.newest_day(scope)
    where = words.plain(scope.repository or (f"team {scope.team}" if scope.team else "any repository"))
    st.info(
        f"No job of {where} ran and ended in a run that was created since {words.day(scope.period.start)}. "
        + (
            f"The newest that did is of {words.day(newest)}: choose a longer time range."
            if newest
            else "None did at any other time either: costs appear with the first job that ends."
        )
    )
    st.stop()


def draw_reach(scope: Scope) -> None:
    """Say which jobs the page counts, and at which price."""
    period, previous = scope.period, scope.period.previous
    st.caption(
        f"List price of the jobs of runs created {words.stretch(period.start, period.end)}, of every branch, event and "
        "attempt: costs are not kept by branch or event, so this page does not filter by them. "
        + (
            f"Compared with {words.stretch(previous.start, previous.end)}. "
            if is_comparable(scope)
            else f"Costs are known since {words.day(questions.first_day(scope))}, so not all of the period before. "
        )
        + "What GitHub billed is another number and stands apart."
    )


def draw_gaps(scope: Scope) -> None:
    """Warn of what the costs lack: jobs without a price, runs without jobs, history that is not read."""
    totals = questions.totals(scope).set_index("period").loc["current"]
    lacking = [
        f"{words.counted(totals['unpriced_count'], 'job')} without a price" if totals["unpriced_count"] else "",
        f"the jobs of {words.counted(gap, 'ended run')}, not read yet" if (gap := questions.undetailed(scope)) else "",
        *_missing(scope),
    ]
    said = [part for part in lacking if part]
    if said:
        st.warning(
            f"**Costs are at least these.** They lack {words.listed(said)}."
            + (" See “Jobs without a price” below." if lacking[0] else "")
        )


def _missing(scope: Scope) -> list[str]:
    health = data.health()
    here = health[(health["source"] == "github") & (health["missing_count"] > 0)]
    if scope.repository:
        here = here[here["subject"] == scope.repository]
    return [
        f"{words.count(row.missing_count)} attempts or stretches of history of {words.plain(row.subject)}"
        for row in here.head(3).itertuples()
    ] + ([f"more of {words.counted(len(here) - 3, 'other repository')}"] if len(here) > 3 else [])
