"""The table of workflows by the time they lost."""

import pandas as pd
import streamlit as st

from dashboards import data, filters
from dashboards.panel import panel
from dashboards.runs import questions
from dashboards.scope import Scope
from dashboards.tables import P95_NOTE, draw, number
from phoenix_metrics import words

WORST_WORKFLOWS = 20

_FAILURES = "Failures among successes and failures."


def draw_worst_workflows(scope: Scope) -> None:
    """Draw the workflows that lost most job time, each with a link to its page."""
    with panel("Workflows by time lost", "Job time in attempts that failed or were cancelled, all attempts."):
        _draw_worst(scope, worst_workflows(scope))


def _draw_worst(scope: Scope, frame: pd.DataFrame) -> None:
    draw(
        frame.head(WORST_WORKFLOWS),
        {
            "page": st.column_config.LinkColumn("Workflow", width="medium", alignment="left"),
            "lost_seconds": number("Time lost", data.definition("workflow_daily.lost_seconds")),
            "lost_share": number("Of all lost", "Its part of the time that all workflows lost."),
            "failure_ratio": number("Failure ratio", _FAILURES),
            "decided_count": number("Runs", "Runs that succeeded or failed: what the failure ratio rests on."),
            "duration_p95": number("Duration, p95", P95_NOTE),
            "trend": st.column_config.BarChartColumn(
                f"Lost per {scope.period.unit}", help="Each row has its own scale.", width="medium", y_min=0
            ),
        },
        {
            "page": dict(zip(frame["page"], frame["name"], strict=True)).get,
            "failure_ratio": words.ratio,
            "decided_count": words.count,
            "duration_p95": words.duration,
            "lost_seconds": words.duration,
            "lost_share": words.ratio,
        },
        "Workflows and the job time they lost to failed and cancelled attempts",
    )
    if len(frame) > WORST_WORKFLOWS:
        st.caption(f"The first {WORST_WORKFLOWS} of {words.count(len(frame))} workflows.")


def worst_workflows(scope: Scope) -> pd.DataFrame:
    """Return the workflows of a scope, those that lost most time first, with links and trends."""
    frame = questions.run_summary(scope, questions.BY_WORKFLOW)
    frame = frame.sort_values("lost_seconds", ascending=False, na_position="last", ignore_index=True)
    keys = list(zip(frame["repository"], frame["workflow"], strict=True))
    trends, carried = _lost_over_time(scope), filters.carried()
    return frame.assign(
        name=[f"{repository} · {workflow}" for repository, workflow in keys],
        page=[
            filters.address("workflow", repository=repository, workflow=workflow, **carried)
            for repository, workflow in keys
        ],
        failure_ratio=frame["failure_count"] / frame["decided_count"].where(frame["decided_count"] > 0),
        lost_share=frame["lost_seconds"] / frame["lost_seconds"].sum(),
        trend=[trends[key] for key in keys],
    )


def _lost_over_time(scope: Scope) -> dict[tuple[str, str], list[float]]:
    lost = questions.lost_seconds_by_bucket(scope).set_index(["repository", "workflow", "bucket"])["lost_seconds"]
    buckets = lost.unstack("bucket").reindex(columns=scope.period.buckets).fillna(0)
    return dict(zip(buckets.index, buckets.to_numpy().tolist(), strict=True))
