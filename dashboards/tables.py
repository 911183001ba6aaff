"""Tables: frames of numbers shown in words that still sort by the numbers."""

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from phoenix_metrics import words

FEW_NOTE = f" ○ marks values of fewer than {words.FEW} samples."
P95_NOTE = "95 of 100 took no longer." + FEW_NOTE

_SAMPLES = {"duration_p50": "duration_count", "duration_p95": "duration_count", "queue_p95": "queue_count"}


def draw(
    frame: pd.DataFrame,
    columns: Mapping[str, object],
    formats: Mapping[str, Callable[..., str | None]],
    alt: str,
) -> None:
    """Draw a frame's columns with their headings and help; the formats put values into words."""
    shown = frame[list(columns)].style.format(dict(formats), na_rep=words.NOTHING)
    for percentile in _SAMPLES.keys() & set(columns):
        few = frame.index[frame[percentile].notna() & (frame[_SAMPLES[percentile]] < words.FEW)]
        shown = shown.format(lambda seconds: f"○ {words.duration(seconds)}", subset=pd.IndexSlice[few, [percentile]])
    st.dataframe(
        shown,
        column_config=dict(columns),
        hide_index=True,
        width="stretch",
        placeholder=words.NOTHING,
        alt=alt,
    )


def number(label: str, meaning: str) -> object:
    """Return a column whose values stand to the right, as numbers do."""
    return st.column_config.Column(label, help=meaning, alignment="right")
