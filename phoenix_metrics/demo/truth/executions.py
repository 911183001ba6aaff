"""Runs, attempts and jobs as of a moment: how long they waited and ran, how they ended, what they cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from phoenix_metrics.demo.runner_prices import usd_per_minute
from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.truth.rows import Row
from phoenix_metrics.demo.world import World

_FAILED = ("failure", "timed_out", "startup_failure")


def outcome(conclusion: str | None) -> str:
    """Return what a conclusion counts as; without one it is still open."""
    if conclusion is None:
        return "open"
    if conclusion in _FAILED:
        return "failure"
    return conclusion if conclusion in ("success", "cancelled", "skipped") else "other"


@dataclass(frozen=True, slots=True)
class Execution:
    """A job as an attempt lists it; with `is_carried_over` the attempt lists again what passed in an earlier one."""

    repository: str
    run: Run
    attempt: Attempt
    job: Job
    now: int

    @property
    def is_carried_over(self) -> bool:
        """Whether it ran in an earlier attempt."""
        return self.job.started_at < self.attempt.started_at

    @property
    def is_taken(self) -> bool:
        """Whether a runner has taken it, in this attempt."""
        return self.job.runner is not None and self.job.started_at <= self.now and not self.is_carried_over

    @property
    def conclusion(self) -> str | None:
        """How it ended, if it has."""
        return self.job.conclusion if self.job.completed_at <= self.now else None

    @property
    def status(self) -> str:
        """Where it is."""
        if self.conclusion is not None:
            return "completed"
        return "in_progress" if self.is_taken else "queued"

    @property
    def is_executed(self) -> bool:
        """Whether it ran and has ended."""
        return self.is_taken and self.conclusion is not None

    @property
    def duration_seconds(self) -> int | None:
        """How long it ran."""
        return self.job.completed_at - self.job.started_at if self.is_executed else None

    @property
    def queue_seconds(self) -> int | None:
        """How long it waited for its runner."""
        return self.job.started_at - self.job.created_at if self.is_taken else None

    @property
    def billed_minutes(self) -> int | None:
        """How many minutes are billed: each job is rounded up by itself."""
        if self.conclusion is None:
            return None
        return max(1, ceil((self.duration_seconds or 0) / 60)) if self.is_executed else 0


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt as of a moment, with the jobs that are there by then."""

    repository: str
    run: Run
    attempt: Attempt
    executions: tuple[Execution, ...]
    now: int

    @property
    def conclusion(self) -> str | None:
        """How it ended, if it has."""
        return self.attempt.conclusion if self.attempt.settled_at <= self.now else None

    @property
    def status(self) -> str:
        """Where it is; it is queued until its first job starts or is skipped."""
        if self.conclusion is not None:
            return "completed"
        own = (one.job for one in self.executions if not one.is_carried_over)
        return "in_progress" if any(job.started_at <= self.now for job in own) else "queued"

    @property
    def ends(self) -> list[int]:
        """When the jobs that ran in it ended."""
        return [one.job.completed_at for one in self.executions if one.is_executed]

    @property
    def completed_at(self) -> int | None:
        """When its last job ended; where none ran, when GitHub settled it."""
        return None if self.conclusion is None else max(self.ends, default=self.attempt.settled_at)

    @property
    def duration_seconds(self) -> int | None:
        """From its start to the end of its last job."""
        return None if self.completed_at is None else self.completed_at - self.attempt.started_at

    @property
    def queue_seconds(self) -> int | None:
        """The longest wait of one of its jobs."""
        return max((one.queue_seconds for one in self.executions if one.queue_seconds is not None), default=None)

    @property
    def billed_minutes(self) -> int | None:
        """The minutes of its jobs that are known by now."""
        known = [one.billed_minutes for one in self.executions if one.billed_minutes is not None]
        return sum(known) if known else None


def tries(world: World, now: int) -> list[Try]:
    """Return every attempt that has begun, of the runs that can be seen at a moment, oldest run first."""
    repository = world.repository.full_name
    return [
        _try(repository, run, attempt, now)
        for run in reversed(world.runs(now))
        for attempt in run.attempts
        if attempt.started_at <= now
    ]


def by_run(found: list[Try]) -> Iterator[list[Try]]:
    """Yield the attempts of each run."""
    runs: dict[int, list[Try]] = {}
    for one in found:
        runs.setdefault(one.run.id, []).append(one)
    yield from runs.values()


def run_rows(found: list[Try]) -> list[Row]:
    """Return `runs.csv`: each run as its latest attempt left it."""
    return [_run_row(attempts) for attempts in by_run(found)]


def attempt_rows(found: list[Try]) -> list[Row]:
    """Return `attempts.csv`."""
    return [
        {
            "repository": one.repository,
            "run_id": one.run.id,
            "run_attempt": one.attempt.number,
            "actor": one.attempt.actor.login,
            "started_at": written(one.attempt.started_at),
            "completed_at": _moment(one.completed_at),
            "status": one.status,
            "conclusion": one.conclusion,
            "outcome": outcome(one.conclusion),
            "duration_seconds": one.duration_seconds,
            "is_duration_fallback": one.conclusion is not None and not one.ends,
            "queue_seconds": one.queue_seconds,
            "billed_minutes": one.billed_minutes,
        }
        for one in found
    ]


def job_rows(found: list[Try]) -> list[Row]:
    """Return `jobs.csv`: every job of every attempt."""
    return [
        {
            **place(one),
            "status": one.status,
            "conclusion": one.conclusion,
            "outcome": outcome(one.conclusion),
            "is_carried_over": one.is_carried_over,
            "started_at": written(one.job.started_at) if one.is_taken else None,
            "completed_at": _moment(one.job.completed_at if one.conclusion else None),
            "queue_seconds": one.queue_seconds,
            "duration_seconds": one.duration_seconds,
        }
        for attempt in found
        for one in attempt.executions
    ]


def cost_rows(found: list[Try]) -> list[Row]:
    """Return `costs.csv`: every job that has ended; what did not run in its attempt costs nothing."""
    return [
        {
            **place(one),
            "billed_minutes": one.billed_minutes,
            "usd_per_minute": (price := usd_per_minute(one.job.label, one.job.started_at)),
            "cost_usd": (one.billed_minutes or 0) * price,
        }
        for attempt in found
        for one in attempt.executions
        if one.conclusion is not None
    ]


def place(one: Execution) -> Row:
    """Return where a job ran: what its rows in several files begin with."""
    return {
        "repository": one.repository,
        "run_id": one.run.id,
        "run_attempt": one.attempt.number,
        "job_id": one.job.id,
        "job": one.job.name,
    }


def _try(repository: str, run: Run, attempt: Attempt, now: int) -> Try:
    there = tuple(Execution(repository, run, attempt, job, now) for job in attempt.jobs if job.created_at <= now)
    return Try(repository, run, attempt, there, now)


def _run_row(attempts: list[Try]) -> Row:
    latest, run = attempts[-1], attempts[-1].run
    outcomes = [outcome(one.conclusion) for one in attempts]
    minutes = [one.billed_minutes for one in attempts if one.billed_minutes is not None]
    return {
        "repository": latest.repository,
        "run_id": run.id,
        "workflow": run.trigger.workflow.name,
        "event": run.trigger.event,
        "branch": run.trigger.branch,
        "head_sha": run.trigger.commit.sha,
        "created_at": written(run.trigger.at),
        "attempt_count": len(attempts),
        "status": latest.status,
        "conclusion": latest.conclusion,
        "outcome": outcomes[-1],
        "first_outcome": outcomes[0],
        "is_flaky": "failure" in outcomes and "success" in outcomes[outcomes.index("failure") :],
        "duration_seconds": latest.duration_seconds,
        "billed_minutes": sum(minutes) if minutes else None,
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else written(at)
