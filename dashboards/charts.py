"""Figures: each function takes a frame and returns a plotly figure, and knows nothing of pages or the snapshot.

Frames over time have one row for each hour or day of the period, empty where nothing happened, so lines break there.
Colours are chosen to hold on a light and on a dark page; none of them carries meaning alone.
"""

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from phoenix_metrics.words import FEW, NOTHING, OUTCOMES, count, duration, moment, ratio

BLUE, RED, GREEN, GREY, AMBER = "#3b8ea5", "#d1584f", "#3f9a76", "#8f9aa5", "#d39a34"
GRID = "rgba(128, 140, 150, 0.22)"
NO_TOOLBAR = {"displayModeBar": False, "scrollZoom": False}

_NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Share:
    """How a part of the runs or deployments is drawn: its column, name, colour and pattern."""

    column: str
    name: str
    color: str
    pattern: str


SHARES = (
    Share("success_count", "✓ success", GREEN, ""),
    Share("failure_count", "✗ failure", RED, "/"),
    Share("cancelled_count", "⊘ cancelled", GREY, "."),
    Share("other_count", "other or not ended", AMBER, "x"),
)
DEPLOYMENT_SHARES = (
    Share("held_count", "✓ succeeded and held", GREEN, ""),
    Share("change_failure_count", "✗ change failure", RED, "/"),
    Share("undecided_count", "⊘ terminated, running or end not seen", GREY, "."),
)
_BAR_COLORS = {"success": GREEN, "failure": RED, "cancelled": GREY}
_BAR_PATTERNS = {"success": "", "failure": "/", "cancelled": "."}


def success_over_time(frame: pd.DataFrame, threshold: float) -> go.Figure:
    """Draw the success ratio with the number of runs it rests on below; a dotted line where attention begins."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    success = frame["success_count"] / frame["decided_count"].where(frame["decided_count"] > 0)
    hover = [
        f"<b>{ratio(value)}</b> successful<br>{count(won)} of {count(decided)} runs"
        for value, won, decided in zip(success, frame["success_count"], frame["decided_count"], strict=True)
    ]
    figure.add_trace(_line(frame.index, success, "success ratio", BLUE, hover), row=1, col=1)
    figure.add_hline(y=1 - threshold, line={"color": GREY, "width": 1, "dash": "dot"}, row=1, col=1)
    figure.add_trace(
        go.Bar(x=frame.index, y=frame["decided_count"], marker={"color": GREY}, opacity=0.6, hoverinfo="skip"),
        row=2,
        col=1,
    )
    figure.update_yaxes(range=[-0.03, 1.05], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1], row=1, col=1)
    figure.update_yaxes(title="runs", **count_axis(frame["decided_count"].max(), ticks=2), row=2, col=1)
    return _finished(figure, height=300, legend=False)


def duration_over_time(frame: pd.DataFrame, *, with_p99: bool = False) -> go.Figure:
    """Draw median and 95th percentile of duration, hollow points where fewer than 20 runs stand behind them."""
    figure = go.Figure()
    names = {"duration_p50": ("median", GREEN, "dot"), "duration_p95": ("p95", BLUE, "solid")}
    if with_p99:
        names["duration_p99"] = ("p99", GREY, "dash")
    few = frame["duration_count"].fillna(0) < FEW
    for column, (name, color, dash) in names.items():
        hover = [
            f"{name} <b>{duration(value)}</b>, n = {count(n)}"
            for value, n in zip(frame[column], frame["duration_count"], strict=True)
        ]
        figure.add_trace(_line(frame.index, frame[column], name, color, hover, dash=dash, hollow=few))
    figure.update_yaxes(**duration_axis(frame[list(names)].max().max()))
    return _finished(figure, height=300)


def outcomes_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw how the runs of each hour or day ended, stacked."""
    figure = go.Figure()
    for share in SHARES:
        if frame[share.column].fillna(0).sum() > 0:
            figure.add_trace(_bars(frame, share))
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="runs", **count_axis(frame["run_count"].max(), ticks=5))
    return _finished(figure, height=300)


def deployments_over_weeks(frame: pd.DataFrame) -> go.Figure:
    """Draw how the deployments of each week ended, stacked."""
    figure = go.Figure()
    for share in DEPLOYMENT_SHARES:
        if share is DEPLOYMENT_SHARES[0] or frame[share.column].sum() > 0:
            figure.add_trace(_bars(frame, share))
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="deployments", **count_axis(frame["all_count"].max(), ticks=5))
    figure.update_xaxes(**week_axis(frame.index))
    return _finished(figure, height=280)


def week_axis(weeks: pd.DatetimeIndex) -> dict[str, object]:
    """Return an x axis for some weeks, with room for eight: each has the day on which it begins, as far as they fit."""
    ticks = list(weeks[:: -(max(len(weeks) - 1, 1) // 13 + 1)])[::-1]
    half, first, newest = pd.Timedelta(days=3.5), weeks[0], weeks[-1]
    return {
        "range": [min(first, newest - pd.Timedelta(weeks=7)) - half, newest + half],
        "tickvals": ticks,
        "ticktext": [f"{tick.day} {tick:%b}" for tick in ticks],
        "hoverformat": "Week of %-d %b %Y",
    }


def run_bars(frame: pd.DataFrame) -> go.Figure:
    """Draw one bar for each run, oldest first: its height is the duration, its sign links to the run on GitHub."""
    figure = go.Figure(
        go.Bar(
            x=list(range(len(frame))),
            y=frame["duration_seconds"].fillna(0),
            marker={
                "color": [_BAR_COLORS.get(outcome, AMBER) for outcome in frame["outcome"]],
                "pattern": _pattern([_BAR_PATTERNS.get(outcome, "x") for outcome in frame["outcome"]]),
            },
            text=[_linked_sign(run) for run in frame.itertuples()],
            textposition="outside",
            textangle=0,
            constraintext="none",
            textfont={"size": 13},
            cliponaxis=False,
            hovertext=[_run_hover(run) for run in frame.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    step = max(len(frame) // 10, 1)
    ticks = list(range(0, len(frame), step))
    labels = [f"#{count(number).replace(',', '')}" for number in frame["run_number"].iloc[ticks]]
    figure.update_xaxes(tickvals=ticks, ticktext=labels, title="run number")
    figure.update_yaxes(**duration_axis(frame["duration_seconds"].max()))
    return _finished(figure, height=300, legend=False, unified=False)


def duration_axis(longest: float | None) -> dict[str, object]:
    """Return a y axis from zero to a duration whose ticks are whole minutes or hours, in words."""
    top = 60.0 if longest is None or pd.isna(longest) or longest <= 0 else float(longest) * 1.12
    step = next((step for step in _NICE_STEPS if top / step <= 5), 86400 * (int(top / 86400 / 5) + 1))
    values = [index * step for index in range(int(top // step) + 1)]
    return {"range": [0, top], "tickvals": values, "ticktext": [duration(value) if value else "0" for value in values]}


def count_axis(most: float | None, *, ticks: int) -> dict[str, object]:
    """Return a y axis from zero to a count whose ticks are whole numbers."""
    top = 1.0 if most is None or pd.isna(most) or most < 1 else float(most)
    step = next(step * 10**power for power in range(12) for step in (1, 2, 5) if top // (step * 10**power) <= ticks)
    return {"range": [0, top * 1.08], "tickvals": list(range(0, int(top) + 1, step)), "tickformat": ",d"}


def _line(
    x: pd.Index, y: pd.Series, name: str, color: str, hover: list[str], *, dash: str = "solid", hollow: object = False
) -> go.Scatter:
    is_hollow = hollow if isinstance(hollow, pd.Series) else pd.Series(False, index=y.index)
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        connectgaps=False,
        line={"color": color, "width": 2, "dash": dash},
        marker={
            "size": 6 if len(y) <= 31 else 4,
            "symbol": ["circle-open" if flag else "circle" for flag in is_hollow],
            "color": color,
        },
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _bars(frame: pd.DataFrame, share: Share) -> go.Bar:
    return go.Bar(
        x=frame.index,
        y=frame[share.column],
        name=share.name,
        marker={"color": share.color, "line": {"width": 0}, "pattern": _pattern(share.pattern)},
        hovertemplate=f"{share.name}: <b>%{{y}}</b><extra></extra>",
    )


def _pattern(shape: str | list[str]) -> dict[str, object]:
    return {"shape": shape, "fillmode": "overlay", "size": 5, "solidity": 0.35, "fgcolor": "rgba(255, 255, 255, 0.75)"}


def _linked_sign(run: Any) -> str:
    sign = OUTCOMES.get(run.outcome, OUTCOMES["other"])[0]
    if not isinstance(run.html_url, str):
        return sign
    color = _BAR_COLORS.get(run.outcome, AMBER)
    return f'<a href="{escape(run.html_url)}" style="color: {color}">{sign}</a>'


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


def _finished(figure: go.Figure, *, height: int, legend: bool = True, unified: bool = True) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 30 if legend else 14, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        hovermode="x unified" if unified else "closest",
        bargap=0.25,
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(showgrid=False, fixedrange=True, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, fixedrange=True, automargin=True)
    return figure
