"""Figures of one workflow: each function takes frames and returns a plotly figure, and knows nothing of pages."""

from html import escape
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    GRID,
    OUTCOME_COLORS,
    OUTCOME_PATTERNS,
    RED,
    Share,
    bars,
    count_axis,
    duration_axis,
    finished,
    line,
    pattern,
)
from dashboards.workflow.gantt import Gantt
from phoenix_metrics import words
from phoenix_metrics.words import FEW, OUTCOMES, count, duration

PERCENTILES = {
    "duration_p50": ("median", GREEN, "dot"),
    "duration_p95": ("p95", BLUE, "solid"),
    "duration_p99": ("p99", GREY, "dash"),
}
BANDS = (
    ("duration_p50", "duration_p95", "rgba(59, 142, 165, 0.20)"),
    ("duration_p95", "duration_p99", "rgba(143, 154, 165, 0.16)"),
)
SIGNS = {"slower": "▲", "faster": "▼"}
ROW = 34  # pixels: a line of text and a bar below it
PATH = "#b86e00"
ZEBRA = "rgba(128, 140, 150, 0.09)"
PALE_BELOW = 60.0  # seconds of queue: where no job waits longer, no hour looks dark
HEAT_ROW = 64  # pixels: a line of text and the hours of a kind of runner below it
# The longer the stronger, on a light and on a dark page.
HEAT = [[0, "rgba(59, 142, 165, 0.15)"], [0.25, "rgba(59, 142, 165, 0.6)"], [1, "rgba(59, 142, 165, 1)"]]


def duration_bands(frame: pd.DataFrame, changes: pd.DataFrame) -> go.Figure:
    """Draw percentiles of duration with the bands between them, and a mark where the level changed for good."""
    figure = go.Figure()
    for low, high, color in BANDS:
        for first, stretch in enumerate(_stretches(frame[[low, high]])):
            figure.add_trace(_band(stretch, low, high, color, is_first=first == 0))
    few = frame["duration_count"].fillna(0) < FEW
    for column, (name, color, dash) in PERCENTILES.items():
        hover = [
            f"{name} <b>{duration(value)}</b>, n = {count(n)}"
            for value, n in zip(frame[column], frame["duration_count"], strict=True)
        ]
        figure.add_trace(line(frame.index, frame[column], name, color, hover, dash=dash, hollow=few))
    axis = duration_axis(_with_room(frame[list(PERCENTILES)].max().max(), changes))
    _mark_changes(figure, changes, top=axis["range"][1], middle=frame.index[len(frame) // 2])
    figure.update_yaxes(**axis)
    return finished(figure, height=340)


def distribution(bins: pd.DataFrame, width: int, last: int, marks: dict[str, float]) -> go.Figure:
    """Draw how many runs took how long, stacked by how they ended, with percentiles marked; the last bin is open."""
    rows = bins.set_index("bin").reindex(range(last + 1), fill_value=0)
    rows.index = (rows.index + 0.5) * width
    figure = go.Figure()
    for share in (
        Share("success_count", "✓ success", GREEN, ""),
        Share("failure_count", "✗ failure", RED, "/"),
    ):
        if rows[share.column].sum():
            figure.add_trace(bars(rows, share).update(hovertext=_bin_names(rows, width, last)))
            figure.data[-1].hovertemplate = f"%{{hovertext}}<br>{share.name}: <b>%{{y}}</b><extra></extra>"
    most = (rows["success_count"] + rows["failure_count"]).max()
    end = (last + 1) * width
    for name, seconds in marks.items():
        figure.add_trace(_percentile(name, min(seconds, end), duration(seconds), float(most) * 1.08))
    figure.update_layout(barmode="stack")
    figure.update_xaxes(**duration_axis(end / 1.12), title="duration")
    figure.update_yaxes(title="runs", **count_axis(most, ticks=5))
    return finished(figure, height=300, unified=False).update_layout(bargap=0.08)


def run_gantt(drawn: Gantt, attempts: pd.DataFrame) -> go.Figure:
    """Draw the jobs of a run, attempt below attempt, each from when it was ready; the critical path is framed."""
    rows, heads = _placed(drawn, attempts)
    figure = go.Figure()
    _add_waits(figure, rows)
    for outcome in dict.fromkeys(rows["outcome"]):
        _add_executions(figure, rows[rows["outcome"] == outcome], outcome)
    _add_path(figure, rows)
    figure.add_trace(_texts([*heads, *((row.place, _row_text(row)) for row in rows.itertuples())]))
    lowest = max([place for place, _ in heads] + list(rows["place"]), default=0)
    for place in range(0, int(lowest) + 1, 2):
        figure.add_hrect(y0=place - 0.46, y1=place + 0.54, fillcolor=ZEBRA, line={"width": 0}, layer="below")
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(**duration_axis(rows["ended"].max() if len(rows) else None), showgrid=True, gridcolor=GRID)
    figure.update_xaxes(title="since the attempt began", side="bottom")
    figure.update_yaxes(visible=False, range=[lowest + 0.75, -0.75])
    figure = finished(figure, height=int(ROW * (lowest + 1.5)) + 132, unified=False)
    return figure.update_layout(legend={"y": 1, "yanchor": "bottom"}, margin={"t": 56})


def queue_heat(frame: pd.DataFrame) -> go.Figure:
    """Draw the 95th percentile of queue time by kind of runner and hour; hours without a job stay empty."""
    hours = pd.date_range(frame["hour"].min(), frame["hour"].max(), freq="h")
    runners = sorted(frame["runner"].unique(), reverse=True)
    cells = frame.set_index(["runner", "hour"]).reindex(pd.MultiIndex.from_product([runners, hours]))
    shape = (len(runners), len(hours))
    most = max(float(cells["queue_p95_seconds"].max()), PALE_BELOW)
    ticks = [0, most / 2, most]
    figure = go.Figure(
        go.Heatmap(
            x=hours,
            y=runners,
            z=cells["queue_p95_seconds"].to_numpy(dtype=float).reshape(shape),
            zmin=0,
            zmax=most,
            text=pd.Series(_heat_hover(cells)).to_numpy().reshape(shape),
            hovertemplate="%{text}<extra></extra>",
            colorscale=HEAT,
            xgap=0.5,
            ygap=24,
            colorbar=_scale(ticks),
        )
    )
    for place, runner in enumerate(runners):  # above its row, so that a long name costs the chart no width
        text = {"text": f"<b>{escape(_short(runner, 48))}</b>", "font": {"size": 13}, "showarrow": False}
        figure.add_annotation(**text, x=0, xref="paper", xanchor="left", y=place, yshift=HEAT_ROW / 2 - 4)
    days = pd.date_range(hours[0].ceil("D"), hours[-1], freq="D")
    figure.update_xaxes(tickvals=days, ticktext=[f"{day:%a} {day.day}" for day in days], ticklabelmode="period")
    figure = finished(figure, height=110 + HEAT_ROW * len(runners), legend=False, unified=False)
    return figure.update_yaxes(visible=False).update_layout(margin={"t": 68})


def _scale(ticks: list[float]) -> dict[str, object]:
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "ypad": 22}
    size = {"orientation": "h", "thickness": 10, "len": 180, "lenmode": "pixels"}
    return {**place, **size, "tickvals": ticks, "ticktext": [f"p95 {duration(tick)}" for tick in ticks]}


def _stretches(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the stretches of a frame in which nothing is missing."""
    whole = frame.notna().all(axis=1)
    numbers = (whole != whole.shift()).cumsum()
    return [rows for _, rows in frame[whole].groupby(numbers[whole])]


def _band(rows: pd.DataFrame, low: str, high: str, color: str, *, is_first: bool) -> go.Scatter:
    name = f"{PERCENTILES[low][0]} to {PERCENTILES[high][0]}"
    return go.Scatter(
        x=[*rows.index, *rows.index[::-1]],
        y=[*rows[high], *rows[low][::-1]],
        fill="toself",
        fillcolor=color,
        line={"width": 0},
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=is_first,
        hoverinfo="skip",
    )


def _with_room(longest: float | None, changes: pd.DataFrame) -> float | None:
    return longest if changes.empty or longest is None or pd.isna(longest) else longest * 1.15


def _mark_changes(figure: go.Figure, changes: pd.DataFrame, top: float, middle: pd.Timestamp) -> None:
    """Mark the moments of change with a line, a sign and how much, at heights that keep neighbours apart.

    The words stand on the side of the middle, where they have room.
    """
    if changes.empty:
        return
    heights = [top * (0.96 - 0.08 * (index % 3)) for index in range(len(changes))]
    for change in changes.itertuples():
        figure.add_vline(x=change.changed_at, line={"color": PATH, "width": 1.5, "dash": "dash"})
    figure.add_trace(
        go.Scatter(
            x=changes["changed_at"],
            y=heights,
            name="change of level",
            mode="markers+text",
            marker={
                "symbol": ["triangle-up" if way == "slower" else "triangle-down" for way in changes["direction"]],
                "size": 11,
                "color": PATH,
            },
            text=[f" {change_text(change)} " for change in changes.itertuples()],
            textposition=["middle left" if at > middle else "middle right" for at in changes["changed_at"]],
            hovertext=[_change_hover(change) for change in changes.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )


def change_text(change: Any) -> str:
    """Return a change of level in few words, such as slower by 21.7 %."""
    return f"{change.direction} by {words.ratio(abs(change.ratio - 1))}"


def _change_hover(change: Any) -> str:
    return (
        f"<b>{SIGNS[change.direction]} {change_text(change)}</b> on {escape(str(change.event))}<br>"
        f"median {duration(change.before_p50_seconds)} before, {duration(change.after_p50_seconds)} after"
    )


def _bin_names(rows: pd.DataFrame, width: int, last: int) -> list[str]:
    names = [f"{duration(bin_ * width)} to {duration((bin_ + 1) * width)}" for bin_ in range(len(rows))]
    return [*names[:last], f"{duration(last * width)} and longer"]


def _percentile(name: str, at: float, text: str, top: float) -> go.Scatter:
    """Return an upright line whose value stands in the legend, where it cannot run into its neighbours."""
    color, dash = next((color, dash) for title, color, dash in PERCENTILES.values() if title == name)
    return go.Scatter(
        x=[at, at],
        y=[0, top],
        name=f"{name} {text}",
        mode="lines",
        line={"color": color, "width": 2, "dash": dash},
        hoverinfo="skip",
    )


def _placed(drawn: Gantt, attempts: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Give each row its place, and each attempt one above its rows; what it carries over stands below them."""
    places: dict[int, int] = {}
    heads: list[tuple[int, str]] = []
    place = 0
    for attempt in attempts.itertuples():
        rows, carried = drawn.rows[drawn.rows["run_attempt"] == attempt.run_attempt], drawn.carried_over
        if len(attempts) > 1:
            heads.append((place, _attempt_text(attempt)))
            place += 1
        places |= {index: place + offset for offset, index in enumerate(rows.index)}
        place += len(rows)
        if names := carried.get(attempt.run_attempt):
            heads.append((place, _carried_text(names)))
            place += 1
    return drawn.rows.assign(place=pd.Series(places, dtype="float64")).dropna(subset="place"), heads


def _attempt_text(attempt: Any) -> str:
    outcome = OUTCOMES.get(attempt.outcome, OUTCOMES["other"])
    return f"<b>Attempt {attempt.run_attempt}: {outcome} after {duration(attempt.duration_seconds)}</b>"


def _carried_text(names: list[str]) -> str:
    listed = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
    return f"↷ {words.counted(len(names), 'job')} carried over, did not run again: {escape(_short(listed, 40))}"


def _row_text(row: Any) -> str:
    sign = OUTCOMES.get(row.outcome, OUTCOMES["other"])[0]
    color = OUTCOME_COLORS.get(row.outcome, AMBER)
    linked = isinstance(row.html_url, str) and row.members == 1
    shown = f'<a href="{escape(row.html_url)}" style="color: {color}">{sign}</a>' if linked else sign
    name = f"<b>{escape(_short(row.job, 44))}</b>" + (f" × {row.members}" if row.members > 1 else "")  # noqa: RUF001
    return f"{'◆ ' if row.is_on_path else ''}{name} {shown} {_took(row)}"


def _took(row: Any) -> str:
    if pd.isna(row.begun):
        return f"never began, waited {duration(row.ended - row.ready)}"
    if row.members > 1:
        failed = f"{count(row.failed)} failed, " if row.failed else ""
        return f"{failed}longest {duration(row.longest)}"
    return duration(row.ended - row.begun)


def _add_waits(figure: go.Figure, rows: pd.DataFrame) -> None:
    waits = rows.assign(until=rows["begun"].fillna(rows["ended"]))
    waits = waits[waits["until"] > waits["ready"]]
    if waits.empty:
        return
    figure.add_trace(
        go.Bar(
            orientation="h",
            y=waits["place"] + 0.22,
            base=waits["ready"],
            x=waits["until"] - waits["ready"],
            width=0.16,
            name="waiting for a runner",
            marker={"color": "rgba(143, 154, 165, 0.25)", "line": {"color": GREY, "width": 1}},
            hovertext=[_row_hover(row) for row in waits.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )


def _add_executions(figure: go.Figure, rows: pd.DataFrame, outcome: str) -> None:
    rows = rows[rows["begun"].notna()]
    if rows.empty:
        return
    figure.add_trace(
        go.Bar(
            orientation="h",
            y=rows["place"] + 0.22,
            base=rows["begun"],
            x=(rows["ended"] - rows["begun"]).clip(lower=0.5),
            width=0.42,
            name=OUTCOMES.get(outcome, OUTCOMES["other"]),
            marker={
                "color": OUTCOME_COLORS.get(outcome, AMBER),
                "line": {"width": 0},
                "pattern": pattern(OUTCOME_PATTERNS.get(outcome, "x")),
            },
            hovertext=[_row_hover(row) for row in rows.itertuples()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )


def _add_path(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Frame the jobs of the critical path and join each to the one after it."""
    path = list(rows[rows["is_on_path"]].sort_values(["ended", "ready"]).itertuples())
    if not path:
        return
    frames = [_corners(row) for row in path]
    joints = [
        [(before.ended, before.place + 0.48), (before.ended, after.place + 0.22), (after.ready, after.place + 0.22)]
        for before, after in pairwise(path)
    ]
    figure.add_trace(_outline(joints, width=1.2, dash="dot"))
    figure.add_trace(_outline(frames, width=2.5, dash="solid"))


def _corners(row: Any) -> list[tuple[float, float]]:
    low, high = row.place - 0.03, row.place + 0.47
    return [(row.ready, low), (row.ready, high), (row.ended, high), (row.ended, low), (row.ready, low)]


def _outline(shapes: list[list[tuple[float, float]]], *, width: float, dash: str) -> go.Scatter:
    points = [point for shape in shapes for point in [*shape, (None, None)]]
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines",
        name="◆ critical path",
        line={"color": PATH, "width": width, "dash": dash},
        showlegend=dash == "solid",
        hoverinfo="skip",
    )


def _texts(texts: list[tuple[float, str]]) -> go.Scatter:
    return go.Scatter(
        x=[0] * len(texts),
        y=[place - 0.24 for place, _ in texts],
        text=[text for _, text in texts],
        mode="text",
        textposition="middle right",
        textfont={"size": 13},
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )


def _row_hover(row: Any) -> str:
    ran = "never began" if pd.isna(row.begun) else f"ran {duration(row.ended - row.begun)}"
    waited = (row.ended if pd.isna(row.begun) else row.begun) - row.ready
    lines = [
        f"<b>{escape(row.job)}</b>"
        + (f", {words.counted(row.members, 'job')} of its matrix" if row.members > 1 else ""),
        OUTCOMES.get(row.outcome, OUTCOMES["other"]) + (f", {count(row.failed)} failed" if row.members > 1 else ""),
        f"waited {duration(waited)}, {ran}",
        f"attempt {row.run_attempt}, on {escape(str(row.runner))}",
    ]
    return "<br>".join([*lines, *(["◆ on the critical path"] if row.is_on_path else [])])


def _heat_hover(cells: pd.DataFrame) -> list[str]:
    return [
        f"<b>{escape(str(runner))}</b>, {words.instant(hour)} UTC<br>"
        + (
            f"p95 {duration(cell.queue_p95_seconds)}, median {duration(cell.queue_p50_seconds)}, longest "
            f"{duration(cell.queue_max_seconds)}<br>{words.sample(cell.job_count, 'job')}"
            if pd.notna(cell.queue_p95_seconds)
            else "no job that waited for a runner"
        )
        for (runner, hour), cell in zip(cells.index, cells.itertuples(), strict=True)
    ]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
