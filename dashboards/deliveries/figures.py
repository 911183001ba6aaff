"""Figures of deliveries."""

from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

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
    pattern,
    week_axis,
)
from phoenix_metrics import words

DEPLOYMENT_SHARES = (
    Share("held_count", "✓ succeeded and held", GREEN, ""),
    Share("change_failure_count", "✗ change failure", RED, "/"),
    Share("undecided_count", "⊘ terminated, running or end not seen", GREY, "."),
)


def deployments_over_weeks(frame: pd.DataFrame) -> go.Figure:
    """Draw how the deployments of each week ended, stacked."""
    figure = go.Figure()
    for share in DEPLOYMENT_SHARES:
        if share is DEPLOYMENT_SHARES[0] or frame[share.column].sum() > 0:
            figure.add_trace(bars(frame, share))
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="deployments", **count_axis(frame["all_count"].max(), ticks=5))
    figure.update_xaxes(**week_axis(frame.index))
    return finished(figure, height=280)


PARTS = (
    Share("pipeline_seconds", "until its pipeline began", AMBER, "x"),
    Share("build_seconds", "built and tested", BLUE, ""),
    Share("wait_seconds", "waiting to be deployed", GREY, "."),
    Share("rollout_seconds", "rolled out until healthy", GREEN, "/"),
)
WHOLE = Share("unknown_seconds", "parts not known", "rgba(143, 154, 165, 0.35)", "")
ROW = 36  # pixels: a line of text and a bar below it


def lead_times(frame: pd.DataFrame) -> go.Figure:
    """Draw what each lead time is made of, one row for each version; the first row is the mean of all of them."""
    rows = frame.reset_index(drop=True)
    figure = go.Figure()
    for share in (*PARTS, WHOLE):
        if rows[share.column].fillna(0).sum() > 0:
            figure.add_trace(_parts(rows, share))
    figure.add_trace(
        go.Scatter(
            x=[0] * len(rows),
            y=[place - 0.24 for place in rows.index],
            text=[f"<b>{escape(row.title)}</b> {words.duration(row.lead_time_seconds)}" for row in rows.itertuples()],
            mode="text",
            textposition="middle right",
            textfont={"size": 13},
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        )
    )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(**duration_axis(rows["lead_time_seconds"].max()))
    figure.update_yaxes(visible=False, range=[len(rows) - 0.3, -0.7])
    figure = finished(figure, height=ROW * (len(rows) + 1) + 80, unified=False)
    return figure.update_layout(margin={"t": 56})


def _parts(rows: pd.DataFrame, share: Share) -> go.Bar:
    seconds = rows[share.column].fillna(0)
    return go.Bar(
        orientation="h",
        y=rows.index + 0.22,
        x=seconds,
        width=0.4,
        name=share.name,
        marker={"color": share.color, "line": {"width": 0}, "pattern": pattern(share.pattern)},
        hovertext=[_part_hover(row, share, value) for row, value in zip(rows.itertuples(), seconds, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _part_hover(row: Any, share: Share, seconds: float) -> str:
    ratio = words.ratio(seconds / row.lead_time_seconds) if row.lead_time_seconds else words.NOTHING
    return f"<b>{escape(row.title)}</b><br>{share.name}: {words.duration(seconds)}, {ratio}"
