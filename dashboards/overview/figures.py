"""Figures of the overview: each function takes a frame and returns a plotly figure."""

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards import clock
from dashboards.charts import (
    AMBER,
    BLUE,
    OUTCOME_COLORS,
    OUTCOME_PATTERNS,
    RED,
    duration_axis,
    finished,
    pattern,
)
from phoenix_metrics.words import OUTCOMES, counted, duration, usd


def commit_bars(frame: pd.DataFrame) -> go.Figure:
    """Draw one bar for each commit, oldest first: its height is the duration, its sign leads to GitHub."""
    outcomes = list(frame["outcome"])
    figure = go.Figure(
        go.Bar(
            x=list(range(len(frame))),
            y=frame["duration_seconds"].fillna(0),
            marker={
                "color": [OUTCOME_COLORS.get(outcome, AMBER) for outcome in outcomes],
                "pattern": pattern([OUTCOME_PATTERNS.get(outcome, "x") for outcome in outcomes]),
            },
            text=[_linked_sign(commit) for commit in frame.itertuples()],
            textposition="outside",
            textangle=0,
            constraintext="none",
            textfont={"size": 12},
            cliponaxis=False,
            hovertext=[_hover(commit) for commit in frame.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    step = max(len(frame) // 6, 1)
    ticks = list(range(0, len(frame), step))
    times = [pd.Timestamp(at) for at in frame["created_at"].iloc[ticks]]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{at.day} {at:%b}" for at in times])
    figure.update_yaxes(**duration_axis(frame["duration_seconds"].max()))
    return finished(figure, height=240, legend=False, unified=False)


def cost_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw what was spent in each hour or day, what came to nothing apart."""
    wasted = frame["waste_usd"].fillna(0)
    useful = frame["cost_usd"].fillna(0) - wasted
    figure = go.Figure()
    for name, values, color, shape in (("useful", useful, BLUE, ""), ("wasted", wasted, RED, "/")):
        figure.add_trace(
            go.Bar(
                x=frame.index,
                y=values,
                name=name,
                marker={"color": color, "line": {"width": 0}, "pattern": pattern(shape)},
                hovertext=[f"{name}: <b>{usd(value)}</b>" for value in values],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="USD", rangemode="tozero", nticks=5)
    return finished(figure, height=280)


def _linked_sign(commit: Any) -> str:
    sign = OUTCOMES.get(commit.outcome, OUTCOMES["other"])[0]
    if not isinstance(commit.html_url, str):
        return sign
    color = OUTCOME_COLORS.get(commit.outcome, AMBER)
    return f'<a href="{escape(commit.html_url)}" style="color: {color}">{sign}</a>'


def _hover(commit: Any) -> str:
    sha = escape(commit.head_sha)[:7] if isinstance(commit.head_sha, str) else "commit not known"
    title = escape(commit.title[:70]) if isinstance(commit.title, str) else ""
    ended = f"{counted(commit.run_count, 'run')}, {commit.failure_count} failed"
    return "<br>".join(
        [
            f"<b>{escape(commit.repository)}</b> {sha}",
            title,
            f"{ended}{f', {commit.open_count} running' if commit.open_count else ''}",
            f"longest {duration(commit.duration_seconds)}",
            clock.moment(commit.created_at),
        ]
    )
