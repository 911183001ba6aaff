"""What pages about runs say where there is nothing to count."""

import streamlit as st

from dashboards.runs import questions
from dashboards.scope import Scope
from phoenix_metrics import words


def stop_if_empty(scope: Scope) -> None:
    """Stop the page with words where no run of the period passes the filters."""
    if questions.run_count(scope):
        return
    newest = questions.newest_run_at(scope)
    st.info(
        f"No runs between {words.moment(scope.period.start)} and {words.moment(scope.period.end)} pass these filters. "
        + (
            f"The newest run that does was created on {words.moment(newest)}: choose a longer time range."
            if newest
            else "No run at any other time does either: choose other filters."
        )
    )
    st.stop()
