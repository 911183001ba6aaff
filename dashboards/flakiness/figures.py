"""Figures of flakiness; frames have one row for each day, empty where nothing happened."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.charts import AMBER, BLUE, GREEN, GREY, RED, Share, bars, count_axis, finished, line
from phoenix_metrics.words import FEW, count, counted, ratio

FAILURES = (
    Share("chance_count", "⟳ by chance, proven", AMBER, "x"),
    Share("hint_count", "? hint of chance", GREY, "."),
    Share("other_count", "✗ nothing contradicts it", RED, "/"),
)
EXECUTIONS = (
    Share("success_count", "✓ passed", GREEN, ""),
    Share("chance_count", "⟳ failed by chance", AMBER, "x"),
    Share("other_count", "✗ failed, nothing contradicts it", RED, "/"),
)


def share_over_time(days: pd.DataFrame) -> go.Figure:
    """Draw the share of flaky runs of each day with the number of runs below; hollow where these are few."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    share = days["flaky_count"] / days["decided_count"].where(days["decided_count"] > 0)
    hover = [
        f"<b>{ratio(value)}</b> flaky<br>{count(flaky)} of {counted(decided, 'run')}"
        for value, flaky, decided in zip(share, days["flaky_count"], days["decided_count"], strict=True)
    ]
    few = days["decided_count"].fillna(0) < FEW
    figure.add_trace(line(days.index, share, "flaky runs", BLUE, hover, hollow=few), row=1, col=1)
    figure.add_trace(
        go.Bar(x=days.index, y=days["decided_count"], marker={"color": GREY}, opacity=0.6, hoverinfo="skip"),
        row=2,
        col=1,
    )
    most = share.max()
    top = 0.05 if pd.isna(most) else max(0.05, most)
    figure.update_yaxes(range=[-0.03 * top, 1.1 * top], tickformat=".0%", nticks=5, row=1, col=1)
    figure.update_yaxes(title="runs", **count_axis(days["decided_count"].max(), ticks=2), row=2, col=1)
    return finished(figure, height=280, legend=False)


def failures_over_time(days: pd.DataFrame) -> go.Figure:
    """Draw the failed jobs of each day, stacked by whether they are known to be chance."""
    known = days["chance_count"].fillna(0) + days["hint_count"].fillna(0)
    return _stacked(days.assign(other_count=days["failure_count"] - known), FAILURES, "failed jobs")


def executions_over_time(days: pd.DataFrame) -> go.Figure:
    """Draw how the executions of one job, or the results of one test, turned out on each day."""
    return _stacked(days, EXECUTIONS, "executions")


def _stacked(days: pd.DataFrame, shares: tuple[Share, ...], title: str) -> go.Figure:
    figure = go.Figure()
    for share in shares:
        if days[share.column].fillna(0).sum() > 0:
            figure.add_trace(bars(days, share))
    figure.update_layout(barmode="stack")
    total = days[[share.column for share in shares]].fillna(0).sum(axis=1)
    figure.update_yaxes(title=title, **count_axis(total.max(), ticks=5))
    return finished(figure, height=280)
