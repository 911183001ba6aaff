"""Figures of costs: each function takes a frame and returns a plotly figure."""

from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import AMBER, BLUE, GREY, RED, finished, line, pattern, week_axis
from phoenix_metrics.words import counted, usd

_ROOM = 1.12  # above the highest value


def costs_over_time(frame: pd.DataFrame, unit: str) -> go.Figure:
    """Draw what each day or week cost: work that came to something, and waste on top of it."""
    cost, wasted = frame["cost_usd"].fillna(0), frame["waste_usd"].fillna(0)
    lacking = [f", lacks {counted(count, 'job')}" if count else "" for count in frame["unpriced_count"].fillna(0)]
    whole = [f"all <b>{usd(value)}</b>{lack}" for value, lack in zip(cost, lacking, strict=True)]
    figure = go.Figure(
        [
            _bars(frame.index, cost - wasted, "not wasted", BLUE, ""),
            _bars(frame.index, wasted, "wasted", AMBER, "/"),
            line(frame.index, cost, "all", "rgba(0,0,0,0)", whole).update(showlegend=False),
        ]
    )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(**usd_axis(cost.max()))
    if unit == "Week":
        figure.update_xaxes(**week_axis(frame.index))
    return finished(figure, height=300)


def budget_through_month(frame: pd.DataFrame, crossing: datetime | None, *, is_crossed: bool) -> go.Figure:
    """Draw what was spent by each day, the forecast after it, the budget, and the day on which it is crossed."""
    budget = frame["budget_usd"].iloc[0]
    figure = go.Figure(
        [
            line(
                frame.index, frame["spent_usd"], "spent", BLUE, [f"spent <b>{usd(x)}</b>" for x in frame["spent_usd"]]
            ),
            line(
                frame.index,
                frame["forecast_usd"],
                "forecast",
                GREY,
                [f"forecast <b>{usd(value)}</b>" for value in frame["forecast_usd"]],
                dash="dot",
                hollow=pd.Series(True, index=frame.index),
            ),
        ]
    )
    figure.add_hline(y=budget, line={"color": RED, "width": 2, "dash": "dash"})
    is_early = crossing is not None and crossing.day <= 15  # so that what is spent runs above the line for long
    figure.add_annotation(
        x=frame.index[-1 if is_early else 0],
        y=budget,
        text=f"budget {usd(budget)}",
        xanchor="right" if is_early else "left",
        yanchor="top" if is_early else "bottom",
        showarrow=False,
    )
    if crossing is not None:
        figure.add_vline(x=crossing, line={"color": RED, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=crossing,
            y=0,
            text=f"{'crossed' if is_crossed else 'will be crossed'} {crossing.day}&nbsp;{crossing:%b}",
            xanchor="left" if is_early else "right",
            yanchor="bottom",
            showarrow=False,
        )
    highest = frame[["budget_usd", "spent_usd", "forecast_usd"]].max().max()
    figure.update_yaxes(**usd_axis(highest))
    figure.update_traces(cliponaxis=False)
    return finished(figure, height=290)


def bill_beside_ours(frame: pd.DataFrame) -> go.Figure:
    """Draw the bill before discounts of each day, dotted while it may still change, and our list price over it."""
    dots = ["" if is_settled else "." for is_settled in frame["is_settled"].fillna(True).astype(bool)]
    ours = [f"list price here <b>{usd(value)}</b>" for value in frame["cost_usd"]]
    figure = go.Figure(
        [
            _bars(frame.index, frame["billed_gross_usd"], "bill before discounts", GREY, dots),
            line(frame.index, frame["cost_usd"], "list price here", BLUE, ours),
        ]
    )
    figure.update_yaxes(**usd_axis(frame[["cost_usd", "billed_gross_usd"]].max().max()))
    return finished(figure, height=260)


def usd_axis(most: float | None) -> dict[str, object]:
    """Return a y axis from zero to an amount of USD."""
    top = 1.0 if most is None or pd.isna(most) or most <= 0 else float(most)
    return {"title": "USD", "range": [0, top * _ROOM], "nticks": 6, "tickformat": ","}


def _bars(x: pd.Index, y: pd.Series, name: str, color: str, shape: str | list[str]) -> go.Bar:
    return go.Bar(
        x=x,
        y=y,
        name=name,
        marker={"color": color, "line": {"width": 0}, "pattern": pattern(shape)},
        hovertext=[f"{name} <b>{usd(value)}</b>" for value in y],
        hovertemplate="%{hovertext}<extra></extra>",
    )
