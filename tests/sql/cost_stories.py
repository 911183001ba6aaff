"""Random runs on busy branches around midnight, and what their jobs cost and wasted: computed here, not by our SQL."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from hypothesis import strategies as st

from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record
from tests.sql.histories import text

START = datetime(2025, 12, 31, 23, 50, tzinfo=UTC)  # ten minutes before GitHub's prices changed
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
REPOSITORIES = {7: True, 8: False}  # whether each is private
PRICES = {"ubuntu-latest": ("0.008", "0.006"), "ubuntu-latest-8-cores": ("0.032", "0.022"), "self-hosted": ("0", "0")}
CHARGED = ("ubuntu-latest-8-cores",)  # also of public repositories
OUTCOMES = {"success": "success", "failure": "failure", "timed_out": "failure", "cancelled": "cancelled"}
Reading = tuple[str, Record]


@dataclass(frozen=True)
class Job:
    """A job that a runner took, or, with `is_copy`, that its attempt only lists again."""

    job_id: int
    name: str
    label: str
    conclusion: str
    started_at: datetime
    completed_at: datetime
    is_copy: bool = False


@dataclass(frozen=True)
class Run:
    """A run of the one workflow of its repository, with the jobs of each attempt."""

    run_id: int
    repository_id: int
    event: str
    branch: str | None
    created_at: datetime
    attempts: tuple[tuple[datetime, tuple[Job, ...]], ...]
    conclusion: str = "failure"  # of each attempt


@st.composite
def stories(draw: st.DrawFn) -> list[Run]:
    """Draw up to eight runs, most of them on one branch, minutes apart."""
    runs: list[Run] = []
    at = START
    for run_id in range(1, draw(st.integers(2, 8)) + 1):
        at += draw(st.sampled_from([0.2, 3, 15])) * MINUTE
        attempts = []
        started_at, last = at, at
        for number in range(1, draw(st.sampled_from([1, 1, 2, 3])) + 1):
            earlier = attempts[-1][1] if attempts else ()
            jobs = draw(_jobs(run_id * 100 + number * 10, started_at, earlier))
            attempts.append((started_at, jobs))
            last = max([last, *(job.completed_at for job in jobs)])
            started_at = last + MINUTE
        where = draw(
            st.sampled_from([(7, "push", "topic"), (7, "push", "topic"), (7, "push", "main"), (8, "push", "topic")])
        )
        conclusion = draw(st.sampled_from(["failure", "cancelled"]))
        runs.append(Run(run_id, *where, at, tuple(attempts), conclusion))
    return runs


@st.composite
def _jobs(draw: st.DrawFn, first_id: int, started_at: datetime, earlier: tuple[Job, ...]) -> tuple[Job, ...]:
    jobs = []
    for number, name in enumerate(("lint", "test (a)", "test (b)")):
        before = next((job for job in earlier if job.name == name), None)
        if before is not None and before.conclusion == "success" and draw(st.booleans()):
            jobs.append(Job(**{**vars(before), "job_id": first_id + number, "is_copy": True}))
            continue
        begun_at = started_at + draw(st.sampled_from([5, 240, 900])) * timedelta(seconds=1)
        span = draw(st.sampled_from([1, 60, 61, 400, 3599, 3600, 3660, 3661])) * timedelta(seconds=1)
        conclusion = draw(st.sampled_from(["success", "failure", "failure", "cancelled", "cancelled", "timed_out"]))
        label = draw(st.sampled_from([*PRICES, "who-knows"]))
        jobs.append(Job(first_id + number, name, label, conclusion, begun_at, begun_at + span))
    return tuple(jobs)


def costs(story: list[Run]) -> list[dict[str, Any]]:
    """Return what each job cost, and why its work came to nothing if it did."""
    return [
        {
            "job_id": job.job_id,
            "cost_usd": cost_usd(run, job),
            "waste_class": None if job.is_copy else waste_class(story, run, number, job),
        }
        for run in story
        for number, (_, jobs) in enumerate(run.attempts)
        for job in jobs
    ]


def cost_usd(run: Run, job: Job) -> Decimal | None:
    """Return the price of a job's minutes on the day it began, 0 for what is free or did not run, None if unknown."""
    if job.is_copy:
        return Decimal(0)
    if job.label not in PRICES:
        return None
    if not REPOSITORIES[run.repository_id] and job.label not in CHARGED:
        return Decimal(0)
    old, new = PRICES[job.label]
    minutes = max(1, ceil((job.completed_at - job.started_at) / MINUTE))
    return minutes * Decimal(new if job.started_at.year >= 2026 else old)


def waste_class(story: list[Run], run: Run, number: int, job: Job) -> str | None:
    """Return the first reason that holds why a job's work came to nothing."""
    is_cancelled = job.conclusion == "cancelled"
    if job.conclusion == "timed_out" or (is_cancelled and _is_at_limit(run, number, job)):
        return "timeout"
    if job.conclusion == "failure" and any(one.conclusion == "success" for one in _same(run, number + 1, None, job)):
        return "flaky"
    following = _next(story, run)
    if is_cancelled:
        return _canceller(run, number, job, following)
    if any(OUTCOMES[one.conclusion] == OUTCOMES[job.conclusion] for one in _same(run, 0, number, job)):
        return "rerun"
    is_late = following is not None and job.started_at > following.created_at
    return "outdated" if is_late and number == 0 and run.branch != "main" else None


def _is_at_limit(run: Run, number: int, job: Job) -> bool:
    """Return whether a job that was cancelled alone, not with its run or right after a failure, ended at a limit."""
    ended = (one for one in run.attempts[number][1] if OUTCOMES[one.conclusion] == "failure")
    before = [job.completed_at - one.completed_at for one in ended]
    is_alone = not any(timedelta(0) <= span <= MINUTE for span in before)
    return run.conclusion != "cancelled" and is_alone and HOUR <= job.completed_at - job.started_at <= HOUR + MINUTE


def _canceller(run: Run, number: int, job: Job, following: Run | None) -> str:
    """Return what cancelled a job: whichever came last in the ten minutes before, else a person."""
    failures = [
        one.completed_at
        for one in run.attempts[number][1]
        if OUTCOMES[one.conclusion] == "failure" and not one.is_copy and job.name != "lint" and one.name != "lint"
    ]
    failed_at = [at for at in failures if timedelta(0) <= job.completed_at - at <= 10 * MINUTE]
    created_at = [following.created_at] if following else []
    pushed_at = [at for at in created_at if timedelta(seconds=-5) <= job.completed_at - at <= 10 * MINUTE]
    if pushed_at and (not failed_at or pushed_at[0] >= max(failed_at)):
        return "superseded"
    return "fail_fast" if failed_at else "cancelled"


def _same(run: Run, first: int, last: int | None, job: Job) -> list[Job]:
    """Return the executions of a job in some of the attempts."""
    return [one for _, jobs in run.attempts[first:last] for one in jobs if one.name == job.name and not one.is_copy]


def _next(story: list[Run], run: Run) -> Run | None:
    later = [
        one
        for one in story
        if (one.repository_id, one.event, one.branch) == (run.repository_id, run.event, run.branch)
        and (one.created_at, one.run_id) > (run.created_at, run.run_id)
    ]
    return min(later, key=lambda one: (one.created_at, one.run_id), default=None)


def said(story: list[Run], days: int = 1) -> list[Reading]:
    """Return what GitHub says of it some days later: records of landing."""
    read_at = START + timedelta(days=days)
    found = [
        (
            "github_repositories",
            Record(
                number,
                number,
                read_at,
                as_text({"full_name": f"acme/{number}", "default_branch": "main", "private": is_private}),
            ),
        )
        for number, is_private in REPOSITORIES.items()
    ]
    for run in story:
        for number, (started_at, jobs) in enumerate(run.attempts, 1):
            found.append(
                ("github_runs", Record(run.repository_id, run.run_id, read_at, _attempt(run, number, started_at)))
            )
            found += [
                ("github_jobs", Record(run.repository_id, job.job_id, read_at, _job(run, number, job))) for job in jobs
            ]
    return found


def _attempt(run: Run, number: int, started_at: datetime) -> str:
    payload = {
        "id": run.run_id,
        "run_attempt": number,
        "workflow_id": run.repository_id,
        "name": "CI",
        "path": "ci.yml",
        "event": run.event,
        "head_branch": run.branch,
        "head_repository": {"id": run.repository_id},
        "status": "completed",
        "conclusion": run.conclusion,
        "created_at": text(run.created_at),
        "run_started_at": text(started_at),
        "updated_at": text(started_at),  # says nothing of when it ended
    }
    return as_text(payload)


def _job(run: Run, number: int, job: Job) -> str:
    payload = {
        "id": job.job_id,
        "run_id": run.run_id,
        "run_attempt": number,
        "name": job.name,
        "status": "completed",
        "conclusion": job.conclusion,
        "created_at": text(job.started_at),
        "started_at": text(job.started_at),
        "completed_at": text(job.completed_at),
        "runner_id": 5,
        "labels": [job.label],
    }
    return as_text(payload)
