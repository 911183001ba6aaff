"""Tables that only the Workflow page has: changes, the critical path, poles, jobs, steps and runs."""

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.filters import address, carried
from dashboards.panel import panel
from dashboards.runs import questions
from dashboards.scope import Scope
from dashboards.tables import FEW_NOTE, P95_NOTE, draw, number
from dashboards.workflow.figures import SIGNS
from dashboards.workflow.filters import OFFERED
from phoenix_metrics import words

SLOWEST_STEPS = 15

_PARTS = {
    "execution_seconds": "running",
    "queue_seconds": "waiting for runners",
    "handover_seconds": "hand-over",
    "unexplained_seconds": "what no job explains",
}
_FAILURES = "Failures among successes and failures."


def draw_changes(changes: pd.DataFrame) -> None:
    """Draw changes of level with the commits between which each came."""
    shown = changes.assign(
        what=[job if isinstance(job, str) else "the whole workflow" for job in changes["job"]],
        level=[
            f"{words.duration(before)} → {words.duration(after)}"
            for before, after in zip(changes["before_p50_seconds"], changes["after_p50_seconds"], strict=True)
        ],
        change=[
            f"{SIGNS[row.direction]} {words.signed(row.ratio - 1, words.ratio)} "
            f"({words.signed(row.ratio_low - 1, words.ratio)} to {words.signed(row.ratio_high - 1, words.ratio)})"
            for row in changes.itertuples()
        ],
        samples=[f"{b}, {a}" for b, a in zip(changes["before_count"], changes["after_count"], strict=True)],
        commits=[_comparison(row) for row in changes.to_dict("records")],
    )
    draw(
        shown,
        {
            "what": st.column_config.TextColumn("What", width=172, help=data.definition("duration_changes.job")),
            "change": st.column_config.TextColumn(
                "Change (95 % interval)", help=data.definition("duration_changes.ratio"), width=188
            ),
            "measure": st.column_config.TextColumn("Of its", help=data.definition("duration_changes.measure")),
            "changed_at": st.column_config.Column(
                "When", help=f"{data.definition('duration_changes.changed_at')} {clock.note()}", width="medium"
            ),
            "level": st.column_config.TextColumn(
                "Median, before → after",
                help=data.definition("duration_changes.before_p50_seconds", "duration_changes.after_p50_seconds"),
            ),
            "samples": number("n", data.definition("duration_changes.before_count", "duration_changes.after_count")),
            "event": st.column_config.TextColumn("Event", help=data.definition("duration_changes.event")),
            "commits": st.column_config.LinkColumn(
                "Commits between",
                display_text="compare",
                help=data.definition("duration_changes.last_head_sha", "duration_changes.first_head_sha"),
                alignment="left",
            ),
        },
        {"changed_at": clock.moment, "measure": {"duration": "duration", "queue": "queue time"}.get},
        "Lasting changes of duration and queue time with their size and the commits between",
    )


def draw_path(path: pd.DataFrame, run: pd.Series) -> None:
    """Draw the critical path of a run, whose parts sum to its duration, or say why there is none."""
    if path.empty:
        st.caption(
            "Its critical path is not known: it is worked out for the latest attempt of runs that succeeded or failed, "
            "where the times of their jobs are known."
        )
        return
    parts = path[list(_PARTS)].sum()
    said = [f"{words.duration(seconds)} of {_PARTS[name]}" for name, seconds in parts.items() if seconds]
    st.markdown(f"**Critical path:** {words.duration(run['duration_seconds'])} are {words.listed(said)}.")
    draw(
        path,
        {
            "position": number("", data.definition("critical_path_jobs.position")),
            "job_base": st.column_config.TextColumn("Job", width="medium"),
            "execution_seconds": number("Ran", data.definition("critical_path_jobs.execution_seconds")),
            "queue_seconds": number("Waited", data.definition("critical_path_jobs.queue_seconds")),
            "handover_seconds": number("Hand-over", data.definition("critical_path_jobs.handover_seconds")),
            "unexplained_seconds": number("Unexplained", data.definition("critical_path_jobs.unexplained_seconds")),
            "margin_seconds": number("Without it, sooner by", data.definition("critical_path_jobs.margin_seconds")),
            "linked_by": st.column_config.TextColumn("Linked by", help=data.definition("critical_path_jobs.linked_by")),
        },
        dict.fromkeys((*_PARTS, "margin_seconds"), words.duration),
        "Jobs of the critical path with the time each adds",
    )


def draw_poles(poles: pd.DataFrame) -> None:
    """Draw what could be gained at each job at most."""
    draw(
        poles,
        {
            "job_base": st.column_config.TextColumn(
                "Job", width="medium", help=data.definition("longest_poles.job_base")
            ),
            "duration_ratio": number("Of the duration", data.definition("longest_poles.duration_ratio")),
            "path_ratio": number(
                "On the critical path", data.definition("longest_poles.path_ratio") + " On whose it is."
            ),
            "execution_seconds_mean": number("Runs for, mean", data.definition("longest_poles.execution_seconds_mean")),
            "saving_seconds_mean": number("Without it, at most", data.definition("longest_poles.saving_seconds_mean")),
            "queue_seconds_mean": number(
                "Without waiting, at most", data.definition("longest_poles.queue_seconds_mean")
            ),
            "unexplained_seconds_mean": number(
                "Unexplained before it", data.definition("longest_poles.unexplained_seconds_mean")
            ),
        },
        {
            "duration_ratio": words.ratio,
            "path_ratio": words.ratio,
            "execution_seconds_mean": words.duration,
            "saving_seconds_mean": words.duration,
            "queue_seconds_mean": words.duration,
            "unexplained_seconds_mean": words.duration,
        },
        "Jobs with their share of the duration and what could be gained at each at most",
    )


def draw_jobs(scope: Scope) -> None:
    """Draw the jobs of the runs, those that took most time first."""
    with panel("Jobs", data.definition_of("jobs") + " The members of a matrix count together."):
        draw(
            questions.job_summary(scope),
            {
                "job": st.column_config.TextColumn("Job", width="medium", help=data.definition("jobs.job_base")),
                "job_seconds": number("Total time", data.definition("job_daily.job_seconds")),
                "failure_ratio": number("Failure ratio", _FAILURES),
                "decided_count": number(
                    "Executions", "Executions that succeeded or failed, those of re-runs included."
                ),
                "duration_p50": number("Duration, median", data.definition("jobs.duration_seconds")),
                "duration_p95": number("p95", P95_NOTE),
                "queue_p95": number("Queue time, p95", data.definition("jobs.queue_seconds") + FEW_NOTE),
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
    """Draw the steps that took most time, or say that no source told of any."""
    with panel(
        "Slowest steps", f"The {SLOWEST_STEPS} steps that took most time in total. " + data.definition_of("steps")
    ):
        frame = questions.slowest_steps(scope, SLOWEST_STEPS)
        if frame.empty:
            st.caption("No step of these runs is known: they come with jobs that are read one run at a time.")
            return
        draw(
            frame,
            {
                "step": st.column_config.TextColumn("Step", width=150),
                "job": st.column_config.TextColumn("Job"),
                "step_seconds": number("Total time", "Time of all executions."),
                "duration_count": number("Executions", "Executions of the step that took any time."),
                "duration_p50": number("Duration, median", data.definition("steps.duration_seconds")),
                "duration_p95": number("p95", P95_NOTE),
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
    """Draw the newest runs with links to GitHub, to their jobs, and to the first attempt where there were several."""
    with panel("Recent runs", f"The newest {OFFERED} of the period. " + data.definition_of("workflow_runs")):
        frame = questions.recent_runs(scope, OFFERED)
        here = {"repository": scope.repository or "", "workflow": scope.workflow or "", **carried()}
        frame = frame.assign(
            outcome=frame["outcome"].map(words.OUTCOMES),
            jobs=[address("workflow", **here, run=str(run_id)) for run_id in frame["run_id"]],
            first_attempt=frame["html_url"].where(frame["run_attempt"] > 1) + "/attempts/1",
        )
        numbers = dict(zip(frame["html_url"], frame["run_number"], strict=True))
        draw(frame, _run_columns(), {**_RUN_FORMATS, "html_url": lambda url: f"#{numbers[url]}"}, _RUNS_ALT)


_RUNS_ALT = "The newest runs with outcome, duration and links"
_RUN_FORMATS = {
    "created_at": clock.moment,
    "duration_seconds": words.duration,
    "queue_seconds": words.duration,
    "run_attempt": words.count,
    "head_sha": lambda sha: str(sha)[:7],
}


def _run_columns() -> dict[str, object]:
    return {
        "html_url": st.column_config.LinkColumn("Run", width="small", alignment="left"),
        "outcome": st.column_config.TextColumn("Outcome", width="small"),
        "duration_seconds": number("Duration", data.definition("workflow_runs.duration_seconds")),
        "jobs": st.column_config.LinkColumn(
            "Jobs", display_text="show", width="small", alignment="left", help="This page with the jobs of that run."
        ),
        "created_at": st.column_config.Column(
            "Created", help=f"{data.definition('workflow_runs.created_at')} {clock.note()}", width="medium"
        ),
        "queue_seconds": number("Longest queue", data.definition("workflow_runs.queue_seconds")),
        "run_attempt": number("Attempts", data.definition("workflow_runs.run_attempt")),
        "first_attempt": st.column_config.LinkColumn("First attempt", display_text="attempt 1", alignment="left"),
        "event": st.column_config.TextColumn("Event"),
        "head_branch": st.column_config.TextColumn("Branch", width=140),
        "head_sha": st.column_config.TextColumn("Commit", width="small"),
        "title": st.column_config.TextColumn("Title", width="large"),
    }


def _comparison(change: dict[str, object]) -> str | None:
    """Return the page on GitHub that compares the last commit before a change with the first one after it."""
    page = str(change["first_html_url"] or "").partition("/actions/runs/")
    if not page[1] or change["last_head_sha"] == change["first_head_sha"]:
        return None
    return f"{page[0]}/compare/{change['last_head_sha']}...{change['first_head_sha']}"
