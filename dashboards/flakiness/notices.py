"""What the Flakiness page says where there is nothing to judge."""

import streamlit as st

from dashboards.days import DayScope
from dashboards.flakiness import questions
from phoenix_metrics import words


def say_if_quiet(scope: DayScope) -> bool:
    """Say so where no run of the period ended in success or failure; return whether that is so."""
    days, _ = scope.split(questions.by_day(scope))
    if days["decided_count"].sum():
        return False
    newest = questions.newest_day()
    st.info(
        f"No run that was created since {words.day(scope.period.start)} succeeded or failed, so nothing can be said of "
        f"this period. The newest run that is known is of {words.day(newest)}."
    )
    return True
