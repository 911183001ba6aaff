"""Figures of runs: each function takes a frame and returns a plotly figure, and knows nothing of pages or the snapshot.

Frames over time have one row for each hour or day of the period, empty where nothing happened, so lines break there.
"""

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.charts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    RED,
    Share,
    bars,
    count_axis,
    duration_axis,
    finished,
    line,
    outcome_bars,
)
from phoenix_metrics.words import FEW, NOTHING, OUTCOMES, count, duration, moment, ratio

SHARES = (
    Share("success_count", "✓ success", GREEN, ""),
    Share("failure_count", "✗ failure", RED, "/"),
    Share("cancelled_count", "⊘ cancelled", GREY, "."),
    Share("other_count", "other or not ended", AMBER, "x"),
)


def success_over_time(frame: pd.DataFrame, threshold: float) -> go.Figure:
    """Draw the success ratio with the number of runs it rests on below; a dotted line where attention begins."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    success = frame["success_count"] / frame["decided_count"].where(frame["decided_count"] > 0)
    hover = [
        f"<b>{ratio(value)}</b> successful<br>{count(won)} of {count(decided)} runs"
        for value, won, decided in zip(success, frame["success_count"], frame["decided_count"], strict=True)
    ]
    figure.add_trace(line(frame.index, success, "success ratio", BLUE, hover), row=1, col=1)
    figure.add_hline(y=1 - threshold, line={"color": GREY, "width": 1, "dash": "dot"}, row=1, col=1)
    figure.add_trace(
        go.Bar(x=frame.index, y=frame["decided_count"], marker={"color": GREY}, opacity=0.6, hoverinfo="skip"),
        row=2,
        col=1,
    )
    figure.update_yaxes(range=[-0.03, 1.05], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1], row=1, col=1)
    figure.update_yaxes(title="runs", **count_axis(frame["decided_count"].max(), ticks=2), row=2, col=1)
    return finished(figure, height=300, legend=False)


def duration_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw median and 95th percentile of duration, hollow points where fewer than 20 runs stand behind them."""
    figure = go.Figure()
    names = {"duration_p50": ("median", GREEN, "dot"), "duration_p95": ("p95", BLUE, "solid")}
    few = frame["duration_count"].fillna(0) < FEW
    for column, (name, color, dash) in names.items():
        hover = [
            f"{name} <b>{duration(value)}</b>, n = {count(n)}"
            for value, n in zip(frame[column], frame["duration_count"], strict=True)
        ]
        figure.add_trace(line(frame.index, frame[column], name, color, hover, dash=dash, hollow=few))
    figure.update_yaxes(**duration_axis(frame[list(names)].max().max()))
    return finished(figure, height=300)


def outcomes_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw how the runs of each hour or day ended, stacked."""
    figure = go.Figure()
    for share in SHARES:
        if frame[share.column].fillna(0).sum() > 0:
            figure.add_trace(bars(frame, share))
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="runs", **count_axis(frame["run_count"].max(), ticks=5))
    return finished(figure, height=300)


def run_bars(frame: pd.DataFrame) -> go.Figure:
    """Draw one bar for each run, oldest first: its height is the duration, its sign links to the run on GitHub."""
    figure = outcome_bars(frame, [_run_hover(run) for run in frame.itertuples()])
    step = max(len(frame) // 5, 1)  # a narrow page has room for six numbers
    ticks = list(range(0, len(frame), step))
    labels = [f"#{count(number).replace(',', '')}" for number in frame["run_number"].iloc[ticks]]
    figure.update_xaxes(tickvals=ticks, ticktext=labels, title="run number")
    return finished(figure, height=300, legend=False, unified=False)


def _run_hover(run: Any) -> str:
    sha = escape(run.head_sha)[:7] if isinstance(run.head_sha, str) else NOTHING
    title = escape(run.title[:70]) if isinstance(run.title, str) else ""
    lines = [
        f"<b>#{run.run_number}</b> {title}",
        f"{OUTCOMES.get(run.outcome, OUTCOMES['other'])} after {duration(run.duration_seconds)}",
        f"commit {sha}, attempt {run.run_attempt}",
        moment(run.created_at),
    ]
    return "<br>".join(lines)
