"""Panels of alerts that are drawn rather than listed."""

import streamlit as st

from dashboards.alerts import figures, questions
from dashboards.alerts.scope import AlertScope
from dashboards.panel import draw, panel
from phoenix_metrics import words

MOST_ROWS = 20


def draw_timeline(scope: AlertScope) -> None:
    """Draw the episodes of the period, one row for each rule and subject."""
    with panel(
        "When alerts were open",
        "Each bar is an episode, from when the figure was first found over its limit until it had been within it for "
        "as long as the rule keeps firing: dotted while pending, plain while it fired, striped where it was silenced. "
        "What ended before it fired is no alert and not drawn. Times are UTC.",
    ):
        episodes = questions.episodes(scope)
        if episodes.empty:
            st.caption("No alert was open in this period.")
            return
        stretches = figures.stretches(episodes, MOST_ROWS)
        draw(
            figures.timeline(stretches, scope.period.start, scope.period.end),
            "Timeline of alerts: for each rule and subject, bars from when an episode opened to when it closed",
        )
        left_out = episodes.groupby(["rule", "subject"]).ngroups - stretches["label"].nunique()
        if left_out:
            st.caption(
                f"The {MOST_ROWS} with the newest episodes; {words.count(left_out)} more are in the table below."
            )
