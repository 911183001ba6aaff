"""What figures are made of: colours, axes, lines and bars; no function here knows of pages or the snapshot.

Colours are chosen to hold on a light and on a dark page; none of them carries meaning alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from phoenix_metrics.words import OUTCOMES, duration

BLUE, RED, GREEN, GREY, AMBER = "#3b8ea5", "#d1584f", "#3f9a76", "#8f9aa5", "#d39a34"
GRID = "rgba(128, 140, 150, 0.22)"
NO_TOOLBAR = {"displayModeBar": False, "scrollZoom": False}
OUTCOME_COLORS = {"success": GREEN, "failure": RED, "cancelled": GREY}
OUTCOME_PATTERNS = {"success": "", "failure": "/", "cancelled": "."}

# On an axis of time: hours with their day, or days with their year, as all text here writes them.
_DATES = (
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [86_400_000, "M11"], "value": "%-d %b\n%Y"},
    {"dtickrange": ["M12", None], "value": "%Y"},
)
_NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Share:
    """How a part of the runs or deployments is drawn: its column, name, colour and pattern."""

    column: str
    name: str
    color: str
    pattern: str


def week_axis(weeks: pd.DatetimeIndex) -> dict[str, object]:
    """Return an x axis for some weeks, with room for eight: each has the day on which it begins, as far as they fit.

    A month stands below its first day, so that labels are narrow enough to stay level and complete on a small screen.
    """
    ticks = list(weeks[:: -(max(len(weeks) - 1, 1) // 13 + 1)])[::-1]
    half, first, newest = pd.Timedelta(days=3.5), weeks[0], weeks[-1]
    return {
        "range": [min(first, newest - pd.Timedelta(weeks=7)) - half, newest + half],
        "tickvals": ticks,
        "ticktext": [
            f"{tick.day}<br>{tick:%b}" if before is None or tick.month != before.month else f"{tick.day}"
            for before, tick in zip([None, *ticks], ticks, strict=False)
        ],
        "hoverformat": "Week of %-d %b %Y",
    }


def duration_axis(longest: float | None) -> dict[str, object]:
    """Return a y axis from zero to a duration whose ticks are whole minutes or hours, in words."""
    top = 60.0 if longest is None or pd.isna(longest) or longest <= 0 else float(longest) * 1.12
    step = nice_step(top, 5)
    values = [index * step for index in range(int(top // step) + 1)]
    return {"range": [0, top], "tickvals": values, "ticktext": [duration(value) if value else "0" for value in values]}


def nice_step(seconds: float, most: int) -> int:
    """Return the smallest round number of seconds of which at most so many fit into a duration."""
    return next((step for step in _NICE_STEPS if seconds / step <= most), 86400 * (int(seconds / 86400 / most) + 1))


def count_axis(most: float | None, *, ticks: int) -> dict[str, object]:
    """Return a y axis from zero to a count whose ticks are whole numbers."""
    top = 1.0 if most is None or pd.isna(most) or most < 1 else float(most)
    step = next(step * 10**power for power in range(12) for step in (1, 2, 5) if top // (step * 10**power) <= ticks)
    return {"range": [0, top * 1.08], "tickvals": list(range(0, int(top) + 1, step)), "tickformat": ",d"}


def line(
    x: pd.Index, y: pd.Series, name: str, color: str, hover: list[str], *, dash: str = "solid", hollow: object = False
) -> go.Scatter:
    """Return a line that breaks where there is no value, with hollow points where `hollow` says so."""
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


def bars(frame: pd.DataFrame, share: Share) -> go.Bar:
    """Return the bars of a share, by the frame's index, to be stacked."""
    return go.Bar(
        x=frame.index,
        y=frame[share.column],
        name=share.name,
        marker={"color": share.color, "line": {"width": 0}, "pattern": pattern(share.pattern)},
        hovertemplate=f"{share.name}: <b>%{{y}}</b><extra></extra>",
    )


def outcome_bars(frame: pd.DataFrame, hovers: Sequence[str]) -> go.Figure:
    """Draw a bar for each row by its `outcome`, as high as `duration_seconds`; its sign leads to `html_url`."""
    outcomes = list(frame["outcome"])
    figure = go.Figure(
        go.Bar(
            x=list(range(len(frame))),
            y=frame["duration_seconds"].fillna(0),
            marker={
                "color": [OUTCOME_COLORS.get(outcome, AMBER) for outcome in outcomes],
                "pattern": pattern([OUTCOME_PATTERNS.get(outcome, "x") for outcome in outcomes]),
            },
            text=[_linked_sign(*row) for row in zip(outcomes, frame["html_url"], strict=True)],
            textposition="outside",
            textangle=0,
            constraintext="none",
            textfont={"size": 13},
            cliponaxis=False,
            hovertext=list(hovers),
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.update_yaxes(**duration_axis(frame["duration_seconds"].max()))
    return figure


def _linked_sign(outcome: str, url: object) -> str:
    sign = OUTCOMES.get(outcome, OUTCOMES["other"])[0]
    if not isinstance(url, str):
        return sign
    return f'<a href="{escape(url)}" style="color: {OUTCOME_COLORS.get(outcome, AMBER)}">{sign}</a>'


def pattern(shape: str | list[str]) -> dict[str, object]:
    """Return a pattern over a bar's colour, so that colour alone carries no meaning."""
    return {"shape": shape, "fillmode": "overlay", "size": 5, "solidity": 0.35, "fgcolor": "rgba(255, 255, 255, 0.75)"}


def finished(figure: go.Figure, *, height: int, legend: bool = True, unified: bool = True) -> go.Figure:
    """Set what all figures share: margins, legend, hover, and a background that is the page's."""
    figure.update_layout(
        overwrite=True,  # no figure sets these before; to merge them takes three times as long
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
    figure.update_xaxes(showgrid=False, fixedrange=True, automargin=True, tickformatstops=_DATES)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, fixedrange=True, automargin=True)
    return figure
