"""The figure of an answer: its rows as bars, a line or points, nothing added up."""

from dataclasses import dataclass
from html import escape
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import AMBER, BLUE, GREEN, GREY, RED, finished, pattern

KINDS = ("Bars", "Line", "Points")
DRAWN_ROWS = 5_000
SERIES = 8
FEW_NAMES, NAME_WIDTH = 8, 16  # so many names below the bars are broken into lines of so many characters
_COLORS = (BLUE, AMBER, GREEN, RED, GREY, "#8a6fb0", "#b0678f", "#7d8a3c")
_PATTERNS = ("", "/", ".", "x", "-", "+", "|", "\\")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")


@dataclass(frozen=True)
class Choice:
    """What is drawn: the kind of figure and the columns that it shows; `split` makes a series of each of its values."""

    kind: str
    x: str
    y: str
    split: str | None


def figure(frame: pd.DataFrame, choice: Choice) -> go.Figure:
    """Draw rows that have columns x, y and series; a line goes from left to right, whatever the order of the rows."""
    drawn = go.Figure()
    is_measured = pd.api.types.is_numeric_dtype(frame["x"]) or pd.api.types.is_datetime64_any_dtype(frame["x"])
    if choice.kind == "Line" and is_measured:
        frame = frame.sort_values("x", kind="stable")
    names = {} if is_measured else {_plain(text): _broken(text) for text in frame["x"]}
    if not is_measured:
        frame = frame.assign(x=[_plain(text) for text in frame["x"]])
    for number, (name, rows) in enumerate(frame.groupby("series", sort=False)):
        drawn.add_trace(_trace(rows, _plain(name), choice.kind, number % SERIES))
    if choice.kind == "Bars":
        drawn.update_layout(barmode="group")
    drawn.update_xaxes(title=_plain(choice.x))
    if not is_measured:
        drawn.update_xaxes(type="category")
    if 0 < len(names) <= FEW_NAMES:
        drawn.update_xaxes(tickvals=list(names), ticktext=list(names.values()))
    drawn.update_yaxes(title=_plain(choice.y), rangemode="tozero" if choice.kind == "Bars" else "normal")
    return finished(drawn, height=340, legend=choice.split is not None, unified=choice.kind == "Line")


def _plain(text: object) -> str:
    """Return text that the figure shows as it is; Plotly takes tags in it for markup."""
    return escape(str(text), quote=False)


def _broken(text: object) -> str:
    """Return a name in lines, so that those of a few bars stand level side by side."""
    return "<br>".join(_plain(line) for line in wrap(str(text), NAME_WIDTH)) or _plain(text)


def _trace(rows: pd.DataFrame, name: str, kind: str, number: int) -> go.Bar | go.Scatter:
    if kind == "Bars":
        looks = {"color": _COLORS[number], "line": {"width": 0}, "pattern": pattern(_PATTERNS[number])}
        return go.Bar(x=rows["x"], y=rows["y"], name=name, marker=looks)
    return go.Scatter(
        x=rows["x"],
        y=rows["y"],
        name=name,
        mode="markers" if kind == "Points" else "lines+markers",
        line={"color": _COLORS[number], "width": 2},
        marker={"color": _COLORS[number], "size": 6, "symbol": _SYMBOLS[number]},
    )
