"""The definitions of the design once more, in plain Python over a history, as a second opinion on the SQL."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any

from tests.sql.histories import Attempt, Job, Workflow

SETTLED = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
LONGEST_RUN = timedelta(days=35)
Row = dict[str, Any]


def outcome(conclusion: str | None) -> str:
    """Return what a conclusion counts as; without one it is still open."""
    return SETTLED.get(conclusion, "other") if conclusion else "open"


def jobs(history: list[Attempt]) -> list[Row]:
    """Return `marts.jobs` of the runs that are stored."""
    stored = {attempt.run_id for attempt in history if attempt.is_stored}
    names = shown_names(history)
    return [
        {
            **_place(attempt, names),
            "run_attempt": attempt.run_attempt,
            "job_id": job.job_id,
            "job_base": job.name.partition(" (")[0],
            "outcome": outcome(job.conclusion),
            "is_carried_over": job.is_copy,
            "is_executed": ran(job),
            "queue_seconds": queue_seconds(job),
            "duration_seconds": duration_seconds(job),
            "billed_minutes": billed_minutes(job),
        }
        for attempt in history
        if attempt.run_id in stored
        for job in attempt.jobs
    ]


def began_at(job: Job) -> datetime:
    """Return when a job began to execute: with its first step, of which skipped ones do not count."""
    step_ran = job.first_step_at and job.conclusion != "skipped"
    return job.first_step_at if step_ran and job.first_step_at else job.started_at


def ran(job: Job) -> bool:
    """Whether a job ran: a runner took it, or it took time before runners were told."""
    if job.is_copy or outcome(job.conclusion) in ("open", "skipped"):
        return False
    decided = outcome(job.conclusion) in ("success", "failure")
    return job.runner_id is not None or (decided and job.completed_at != began_at(job))


def duration_seconds(job: Job) -> float | None:
    """Return how long a job ran."""
    span = (job.completed_at - began_at(job)).total_seconds() if ran(job) and job.completed_at else -1
    return span if span >= 0 else None


def queue_seconds(job: Job) -> float | None:
    """Return how long a job waited for the runner that took it; five seconds of clock are forgiven."""
    if job.is_copy or job.runner_id is None or job.conclusion == "skipped":
        return None
    wait = (began_at(job) - job.created_at).total_seconds()
    return max(wait, 0) if wait >= -5 else None


def billed_minutes(job: Job) -> int | None:
    """Return the whole minutes a job is billed for; NULL while it is open or if it ran for an unknown time."""
    if job.conclusion is None:
        return None
    if not ran(job):
        return 0
    span = duration_seconds(job)
    if span is None:
        return None if job.runner_id else 0
    return max(ceil(span / 60), 1)


def run_attempts(history: list[Attempt]) -> list[Row]:
    """Return `marts.run_attempts`."""
    names = shown_names(history)
    by_run = _grouped(history)
    return [_attempt(attempt, by_run[attempt.run_id], names) for attempt in history if attempt.is_stored]


def _attempt(attempt: Attempt, siblings: list[Attempt], names: dict[int, str]) -> Row:
    end, is_fallback = ended_at(attempt)
    span = (end - attempt.started_at).total_seconds() if end else None
    return {
        **_place(attempt, names),
        "run_attempt": attempt.run_attempt,
        "outcome": outcome(attempt.conclusion),
        "first_outcome": next((outcome(a.conclusion) for a in siblings if a.run_attempt == 1), None),
        "is_flaky": is_flaky(siblings),
        "is_default_branch": is_default_branch(attempt),
        "execution_started_at": min(
            (began_at(job).replace(tzinfo=None) for job in attempt.jobs if ran(job)), default=None
        ),
        "completed_at": end.replace(tzinfo=None) if end else None,
        "duration_seconds": span,
        "is_duration_fallback": is_fallback,
        "queue_seconds": max(known(queue_seconds(job) for job in attempt.jobs), default=None),
        "job_seconds": total(duration_seconds(job) for job in attempt.jobs),
        "billed_minutes": total(billed_minutes(job) for job in attempt.jobs),
        "is_latest": attempt is siblings[-1],
        "settled_conclusion": attempt.first_conclusion,
        "is_late": is_late(attempt),
    }


def ended_at(attempt: Attempt) -> tuple[datetime | None, bool]:
    """Return when an attempt ended, and whether for want of jobs that is GitHub's updated_at."""
    ends = known(job.completed_at for job in attempt.jobs if ran(job))
    if attempt.conclusion is None:
        return None, False
    if ends:
        return (max(ends), False) if max(ends) >= attempt.started_at else (None, False)
    is_possible = attempt.updated_at - attempt.started_at <= LONGEST_RUN
    return (attempt.updated_at, True) if is_possible else (None, False)


def is_late(attempt: Attempt) -> bool:
    """Whether an attempt was loaded over six hours after its completion, as known when it was first seen settled."""
    if attempt.conclusion is None:
        return False
    ends = known(job.completed_at for job in attempt.jobs if ran(job))
    end = max(ends, default=attempt.updated_at - timedelta(seconds=1))
    return attempt.seen_at - end > timedelta(hours=6) or end - attempt.started_at > LONGEST_RUN


def is_flaky(siblings: list[Attempt]) -> bool:
    """Whether a run failed and passed later."""
    outcomes = [outcome(attempt.conclusion) for attempt in siblings]
    return "failure" in outcomes and "success" in outcomes[outcomes.index("failure") :]


def is_default_branch(attempt: Attempt) -> bool:
    """Whether an attempt is of the mainline: of that branch and not of a fork, deleted ones included."""
    own = attempt.workflow.repository_id
    head = attempt.head_repository_id or (0 if attempt.event == "pull_request" else own)
    return attempt.head_branch == "main" and head == own


def workflow_runs(history: list[Attempt]) -> list[Row]:
    """Return `marts.workflow_runs`: the latest attempt, with what all of them spent."""
    rows = []
    for attempts in _by_run_id(run_attempts(history)):
        latest = {
            key: value
            for key, value in attempts[-1].items()
            if key not in ("execution_started_at", "is_latest", "settled_conclusion", "is_late")
        }
        lost = [row["job_seconds"] if row["outcome"] in ("failure", "cancelled") else 0 for row in attempts]
        rows.append(
            {
                **latest,
                "job_seconds": total(row["job_seconds"] for row in attempts),
                "lost_seconds": total(lost),
                "billed_minutes": total(row["billed_minutes"] for row in attempts),
            }
        )
    return rows


def workflow_daily(history: list[Attempt]) -> list[Row]:
    """Return `marts.workflow_daily`."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    waits: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    key = ("day", "repository", "workflow", "is_default_branch")
    mainline = {attempt.run_id: is_default_branch(attempt) for attempt in history}
    for row in workflow_runs(history):
        groups[tuple(row[name] for name in key)].append(row)
    for row in jobs(history):
        group = (row["day"], row["repository"], row["workflow"], mainline[row["run_id"]])
        waits[group] += known([row["queue_seconds"]])
    return [{**dict(zip(key, group, strict=True)), **_day(rows, waits[group])} for group, rows in groups.items()]


def _day(rows: list[Row], waits: list[float]) -> Row:
    outcomes = [row["outcome"] for row in rows]
    success, failure = outcomes.count("success"), outcomes.count("failure")
    spans = known(row["duration_seconds"] for row in rows if row["outcome"] in ("success", "failure"))
    return {
        "run_count": len(rows),
        **{
            f"{name}_count": outcomes.count(name)
            for name in ("success", "failure", "cancelled", "skipped", "other", "open")
        },
        "success_ratio": success / (success + failure) if success + failure else None,
        "first_success_count": sum(row["first_outcome"] == "success" for row in rows),
        "first_failure_count": sum(row["first_outcome"] == "failure" for row in rows),
        "flaky_count": sum(row["is_flaky"] for row in rows),
        "rerun_count": sum(row["run_attempt"] > 1 for row in rows),
        "duration_count": len(spans),
        "duration_p50_seconds": quantile(spans, 0.5),
        "duration_p95_seconds": quantile(spans, 0.95),
        "duration_p99_seconds": quantile(spans, 0.99),
        "queue_count": len(waits),
        "queue_p95_seconds": quantile(waits, 0.95),
        "job_seconds": total(row["job_seconds"] for row in rows),
        "lost_seconds": total(row["lost_seconds"] for row in rows),
        "billed_minutes": total(row["billed_minutes"] for row in rows),
    }


def quantile(values: list[float], share: float) -> float | None:
    """Return a percentile, linear between the two values around it."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = ordered[floor(place)], ordered[ceil(place)]
    return below + (above - below) * (place - floor(place))


def shown_names(history: list[Attempt]) -> dict[int, str]:
    """Return what each workflow is called: its title, with its file where the repository has another of that title."""
    workflows = {attempt.workflow.workflow_id: attempt.workflow for attempt in history}
    titles = {workflow_id: _title(workflow, history) for workflow_id, workflow in workflows.items()}
    known_titles = [(workflows[i].repository_id, title) for i, title in titles.items() if title]
    return {
        i: f"{title} ({workflows[i].path})" if known_titles.count((workflows[i].repository_id, title)) > 1 else title
        for i, title in titles.items()
        if title
    }


def _title(workflow: Workflow, history: list[Attempt]) -> str | None:
    stored = [a for a in history if a.workflow.workflow_id == workflow.workflow_id and a.is_stored]
    if workflow.is_listed or any(attempt.conclusion != "startup_failure" for attempt in stored):
        return workflow.title
    return workflow.path if stored else None


def _place(attempt: Attempt, names: dict[int, str]) -> Row:
    return {
        "repository": f"acme/{attempt.workflow.repository_id}",
        "workflow": names[attempt.workflow.workflow_id],
        "run_id": attempt.run_id,
        "day": attempt.created_at.date(),
    }


def _grouped(history: list[Attempt]) -> dict[int, list[Attempt]]:
    by_run: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in history:
        if attempt.is_stored:
            by_run[attempt.run_id].append(attempt)
    return by_run


def _by_run_id(rows: list[Row]) -> Iterable[list[Row]]:
    by_run: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row["run_id"]].append(row)
    return by_run.values()


def known(values: Iterable[Any]) -> list[Any]:
    """Return the values that are not None."""
    return [value for value in values if value is not None]


def total(values: Iterable[Any]) -> Any:
    """Return a sum as SQL has it: of what is known, None where nothing is."""
    there = known(values)
    return sum(there) if there else None
