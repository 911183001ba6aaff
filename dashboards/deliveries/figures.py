"""Figures of deliveries."""

import pandas as pd
import plotly.graph_objects as go

from dashboards.charts import GREEN, GREY, RED, Share, bars, count_axis, finished, week_axis

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
