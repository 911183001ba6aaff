"""Tables of workflows, jobs, steps and runs."""

import pandas as pd
import streamlit as st

from dashboards import data, filters
from dashboards.panel import panel
from dashboards.runs import questions
from dashboards.scope import Scope
from dashboards.tables import FEW_NOTE, P95_NOTE, draw, number
from phoenix_metrics import words

WORST_WORKFLOWS, RECENT_RUNS, SLOWEST_STEPS = 20, 50, 15

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
            "failure_ratio": number("Failure ratio", _FAILURES),
            "decided_count": number("Runs", "Runs that succeeded or failed: what the failure ratio rests on."),
            "duration_p95": number("Duration, p95", P95_NOTE),
            "lost_seconds": number("Time lost", data.definition("workflow_daily.lost_seconds")),
            "lost_share": number("Of all lost", "Its part of the time that all workflows lost."),
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


def draw_jobs(scope: Scope) -> None:
    """Draw the jobs of the runs, those that took most time first."""
    st.header("Jobs", help=data.definition_of("jobs") + " The members of a matrix count together.")
    draw(
        questions.job_summary(scope),
        {
            "job": st.column_config.TextColumn("Job", width="large", help=data.definition("jobs.job_base")),
            "failure_ratio": number("Failure ratio", _FAILURES),
            "decided_count": number("Executions", "Executions that succeeded or failed, those of re-runs included."),
            "duration_p50": number("Duration, median", data.definition("jobs.duration_seconds")),
            "duration_p95": number("p95", P95_NOTE),
            "queue_p95": number("Queue time, p95", data.definition("jobs.queue_seconds") + FEW_NOTE),
            "job_seconds": number("Total time", data.definition("job_daily.job_seconds")),
        },
        {
            "failure_ratio": words.ratio,
            "decided_count": words.count,
            "duration_p50": words.duration,
            "duration_p95": words.duration,
            "queue_p95": words.duration,
            "job_seconds": words.duration,
        },
        "Jobs with their failure ratio, duration, queue time and total time",
    )


def draw_steps(scope: Scope) -> None:
    """Draw the steps that took most time, if the source told of any."""
    frame = questions.slowest_steps(scope, SLOWEST_STEPS)
    if frame.empty:
        return
    st.header("Slowest steps", help=f"The {SLOWEST_STEPS} steps that took most time in total.")
    draw(
        frame,
        {
            "step": st.column_config.TextColumn("Step", width="large"),
            "job": st.column_config.TextColumn("Job", width="medium"),
            "duration_count": number("Executions", "Executions of the step that took any time."),
            "duration_p50": number("Duration, median", data.definition("steps.duration_seconds")),
            "duration_p95": number("p95", P95_NOTE),
            "step_seconds": number("Total time", "Time of all executions."),
        },
        {
            "duration_count": words.count,
            "duration_p50": words.duration,
            "duration_p95": words.duration,
            "step_seconds": words.duration,
        },
        "Steps with their duration and total time",
    )


def draw_recent_runs(scope: Scope) -> None:
    """Draw the newest runs with links to GitHub, and to the first attempt where there were several."""
    frame = questions.recent_runs(scope, RECENT_RUNS)
    st.header("Recent runs", help=f"The newest {RECENT_RUNS} of the period, all times UTC.")
    frame["outcome"] = frame["outcome"].map(words.OUTCOMES)
    frame["first_attempt"] = frame["html_url"].where(frame["run_attempt"] > 1) + "/attempts/1"
    draw(
        frame,
        {
            "html_url": st.column_config.LinkColumn("Run", width="small", alignment="left"),
            "created_at": st.column_config.Column("Created", width="medium"),
            "outcome": st.column_config.TextColumn("Outcome", width="small"),
            "duration_seconds": number("Duration", data.definition("workflow_runs.duration_seconds")),
            "queue_seconds": number("Longest queue", data.definition("workflow_runs.queue_seconds")),
            "run_attempt": number("Attempts", data.definition("workflow_runs.run_attempt")),
            "first_attempt": st.column_config.LinkColumn("First attempt", display_text="attempt 1", alignment="left"),
            "event": st.column_config.TextColumn("Event"),
            "head_branch": st.column_config.TextColumn("Branch", width=140),
            "head_sha": st.column_config.TextColumn("Commit", width="small"),
            "title": st.column_config.TextColumn("Title", width="large"),
        },
        {
            "html_url": {
                url: f"#{number}" for url, number in zip(frame["html_url"], frame["run_number"], strict=True)
            }.get,
            "created_at": words.moment,
            "duration_seconds": words.duration,
            "queue_seconds": words.duration,
            "run_attempt": words.count,
            "head_sha": lambda sha: str(sha)[:7],
        },
        "The newest runs with outcome, duration and links",
    )


def _lost_over_time(scope: Scope) -> dict[tuple[str, str], list[float]]:
    daily = questions.run_summary(scope, questions.BY_WORKFLOW_AND_BUCKET)
    return {
        key: rows.set_index("bucket")["lost_seconds"].reindex(scope.period.buckets).fillna(0).tolist()
        for key, rows in daily.groupby(["repository", "workflow"])
    }
