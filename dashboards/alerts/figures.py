"""Figures of alerts: pure functions of frames."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import AMBER, GREY, GRID, RED, finished, pattern
from phoenix_metrics import words

ROW = 44  # pixels for one rule and subject
NARROWEST = 1 / 250  # of the period: a shorter episode is drawn as long as that, so that it can be seen
_KINDS = {  # what a stretch of an episode was: name, colour, pattern
    "pending": ("… pending", AMBER, "."),
    "fired": ("✗ fired", RED, ""),
    "silenced": ("○ silenced", GREY, "/"),
}


def timeline(stretches: pd.DataFrame, start: datetime, end: datetime) -> go.Figure:
    """Draw each rule and subject as a row, and each of its episodes as bars from when it opened to when it closed.

    `stretches` has a row for each stretch: label, kind, began_at, ended_at, is_open, hover. Rows are drawn in the
    order of their first appearance, from the top.
    """
    labels = list(dict.fromkeys(stretches["label"]))
    rows = {label: len(labels) - 1 - place for place, label in enumerate(labels)}
    figure = go.Figure()
    for kind in _KINDS:
        if (of_kind := stretches[stretches["kind"] == kind]).size:
            figure.add_trace(_bars(of_kind, kind, rows, (start, end)))
    figure.add_trace(_names(labels, rows, start))
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(type="date", range=[start, end])
    figure.update_yaxes(range=[-0.6, len(labels) - 0.45], showticklabels=False, showgrid=False)
    return finished(figure, height=ROW * len(labels) + 90, unified=False).update_xaxes(showgrid=True, gridcolor=GRID)


def _bars(stretches: pd.DataFrame, kind: str, rows: dict[str, int], span: tuple[datetime, datetime]) -> go.Bar:
    start, end = (pd.Timestamp(moment) for moment in span)
    name, color, shape = _KINDS[kind]
    shortest = (end - start) * NARROWEST
    began = stretches["began_at"].clip(lower=start, upper=end - shortest)
    ended = pd.concat([stretches["ended_at"].clip(upper=end), began + shortest], axis=1).max(axis=1)
    return go.Bar(
        x=(ended - began).dt.total_seconds() * 1000,
        base=began,
        y=[rows[label] - 0.24 for label in stretches["label"]],
        width=0.34,
        orientation="h",
        name=name,
        marker={"color": color, "line": {"width": 0}, "pattern": pattern(shape)},
        hovertext=stretches["hover"],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _names(labels: Sequence[str], rows: dict[str, int], start: datetime) -> go.Scatter:
    return go.Scatter(
        x=[start] * len(labels),
        y=[rows[label] + 0.2 for label in labels],
        text=[escape(label) for label in labels],
        mode="text",
        textposition="middle right",
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )


def stretches(episodes: pd.DataFrame, most_rows: int) -> pd.DataFrame:
    """Return the stretches of episodes: how long each was pending, then how long it fired or was silenced.

    Of the rules and subjects only so many as `most_rows`, those whose newest episode is the newest.
    """
    found = [stretch for episode in episodes.itertuples() for stretch in _parts(episode)]
    frame = pd.DataFrame(found, columns=["label", "kind", "began_at", "ended_at", "is_open", "hover"])
    shown = list(dict.fromkeys(frame["label"]))[:most_rows]
    return frame[frame["label"].isin(shown)]


def _parts(episode: Any) -> list[tuple[str, str, Any, Any, bool, str]]:
    label = f"{episode.rule} · {words.alert_subject(episode.subject)}"
    is_open = pd.isna(episode.ended_at)
    until = episode.updated_at if is_open else episode.ended_at
    hover = _hover(episode, until, is_open=is_open)
    fired_at = until if pd.isna(episode.fired_at) else episode.fired_at
    was_pending = pd.isna(episode.fired_at) or fired_at > episode.started_at
    parts = [(label, "pending", episode.started_at, fired_at, is_open, hover)] if was_pending else []
    if pd.notna(episode.fired_at):
        kind = "silenced" if episode.state == "silenced" or pd.isna(episode.due_at) else "fired"
        parts.append((label, kind, episode.fired_at, until, is_open, hover))
    return parts


def _hover(episode: Any, until: datetime, *, is_open: bool) -> str:
    figure = f"{words.amount(episode.value, episode.unit)}, limit {words.amount(episode.threshold, episode.unit)}"
    lasted = words.duration((until - episode.started_at).total_seconds())
    state = words.ALERT_STATES.get(episode.state, episode.state) + (
        f", {words.STANDS_STILL}" if episode.is_frozen else ""
    )
    lines = [
        f"<b>{escape(episode.rule)}</b> {escape(words.alert_subject(episode.subject))}",
        *([escape(episode.note)] if isinstance(episode.note, str) else []),
        f"{state}, {figure}",
        f"{words.moment(episode.started_at)} to {'now' if is_open else words.moment(until)}, {lasted}",
    ]
    return "<br>".join(lines)
