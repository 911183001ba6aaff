"""Figures of the overview: each function takes a frame and returns a plotly figure."""

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards import clock
from dashboards.charts import AMBER, BLUE, finished, outcome_bars, pattern
from phoenix_metrics.words import counted, duration, usd

TICKS = 7  # that fit below the bars on a narrow page


def commit_bars(frame: pd.DataFrame) -> go.Figure:
    """Draw one bar for each commit, oldest first: its height is the duration, its sign leads to GitHub.

    Below stands on which days they were made: each day once, below its first commit that has room for it.
    """
    figure = outcome_bars(frame, [_hover(commit) for commit in frame.itertuples()])
    days = [f"{at.day} {at:%b}" for at in pd.to_datetime(frame["created_at"])]
    ticks = _firsts(days, len(frame) / TICKS)
    figure.update_xaxes(tickvals=ticks, ticktext=[days[tick] for tick in ticks])
    return finished(figure, height=240, legend=False, unified=False)


def cost_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw what was spent in each hour or day, what came to nothing apart."""
    wasted = frame["waste_usd"].fillna(0)
    rest = frame["cost_usd"].fillna(0) - wasted
    figure = go.Figure()
    for name, values, color, shape in (("not wasted", rest, BLUE, ""), ("wasted", wasted, AMBER, "/")):
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


def _firsts(days: list[str], distance: float) -> list[int]:
    """Return the place of each day's first commit that is at least so far from the place before."""
    places: list[int] = []
    for place, day in enumerate(days):
        if not places or (day != days[places[-1]] and place - places[-1] >= distance):
            places.append(place)
    return places


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
