"""Panels of data health that are drawn rather than listed."""

import streamlit as st

from dashboards import clock
from dashboards.health import figures, questions
from dashboards.health.freshness import silent_now
from dashboards.panel import draw, panel
from phoenix_metrics import words

MOST_ROWS = 20


def draw_freshness() -> None:
    """Draw for how long each source has been silent, those that lag most first."""
    with panel(
        "How fresh each source is",
        "Time since it was last read in full, less the pause that a quiet repository has by design.",
    ):
        frame = silent_now(questions.freshness(), clock.now())
        if frame.empty:
            st.caption("Nothing is read yet.")
            return
        shown = frame.head(MOST_ROWS)
        draw(
            figures.silence(shown, float(frame["limit_seconds"].iloc[0])),
            "Bars of the time since each source was last read in full, with the limit as a dotted line",
        )
        said = "Beyond the dotted line a source is late, and CICDSourceStale fires."
        if len(frame) > len(shown):
            rest = words.duration(frame.iloc[MOST_ROWS:]["silent_seconds"].max())
            said += f" The {MOST_ROWS} that lag most of {words.count(len(frame))}; the others at most {rest}."
        st.caption(said)
