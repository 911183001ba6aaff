"""Figures of data health: pure functions of frames."""

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import GREEN, GREY, RED, duration_axis, finished, pattern
from phoenix_metrics import words

ROW = 40  # pixels for one source


def silence(frame: pd.DataFrame, limit: float) -> go.Figure:
    """Draw for how long each source has been silent, longest on top, with the limit; never read fills its row."""
    longest = max(frame["silent_seconds"].fillna(0).max(), limit * 1.3)
    axis = duration_axis(longest)
    end = axis["range"][1]  # type: ignore[index]
    rows = list(range(len(frame) - 1, -1, -1))
    figure = go.Figure(
        go.Bar(
            x=frame["silent_seconds"].fillna(end).clip(lower=end / 250),
            y=[row - 0.24 for row in rows],
            width=0.34,
            orientation="h",
            marker={
                "color": [_color(source) for source in frame.itertuples()],
                "pattern": pattern([_shape(source) for source in frame.itertuples()]),
                "line": {"width": 0},
            },
            hovertext=[_hover(source) for source in frame.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.add_trace(_names(frame, rows))
    figure.add_vline(x=limit, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(**axis)
    figure.update_yaxes(range=[-0.6, len(frame) - 0.45], showticklabels=False, showgrid=False)
    return finished(figure, height=ROW * len(frame) + 70, legend=False, unified=False)


def _names(frame: pd.DataFrame, rows: list[int]) -> go.Scatter:
    return go.Scatter(
        x=[0] * len(frame),
        y=[row + 0.2 for row in rows],
        text=[escape(_name(source)) for source in frame.itertuples()],
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )


def _name(source: Any) -> str:
    if pd.isna(source.silent_seconds):
        return f"✗ {source.subject} · never read in full"
    return f"{'✗' if source.is_stale else '✓'} {source.subject} · {words.duration(source.silent_seconds)}"


def _color(source: Any) -> str:
    return RED if source.is_stale else GREEN


def _shape(source: Any) -> str:
    return "x" if pd.isna(source.silent_seconds) else "/" if source.is_stale else ""


def _hover(source: Any) -> str:
    lines = [
        f"<b>{escape(str(source.subject))}</b> {escape(words.part(source.source))}",
        f"last read in full {words.moment(source.last_success_at)}",
        f"silent for {words.duration(source.silent_seconds)}",
        *([f"left alone for {words.duration(source.pause_seconds)} by design"] if source.pause_seconds else []),
    ]
    return "<br>".join(lines)
