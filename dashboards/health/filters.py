"""The filter row of data health; what stands above it is now."""

import streamlit as st

from dashboards.filters import DAYS, choose_period, row
from dashboards.scope import Period
from phoenix_metrics import words


def health_period() -> Period:
    """Draw the choice of a time range and return it."""
    with row():
        period = choose_period(DAYS)
    st.caption(
        f"Below: {words.stretch(period.start, period.end)}, compared with "
        f"{words.stretch(period.previous.start, period.previous.end)}. What stands above is now."
    )
    return period
