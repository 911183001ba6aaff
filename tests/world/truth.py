"""What must stand in our tables, told by the world and not by our SQL."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.world.objects import Attempt, Job, Run


@dataclass(frozen=True, order=True)
class RunTruth:
    """One attempt as it must stand in our tables."""

    repository_id: int
    run_id: int
    attempt: int
    status: str
    conclusion: str | None
    created_at: str
    started_at: str
    updated_at: str
    is_deleted: bool


@dataclass(frozen=True, order=True)
class JobTruth:
    """One job of one attempt as it must stand in our tables."""

    repository_id: int
    run_id: int
    attempt: int
    job_id: int
    name: str
    status: str
    conclusion: str | None
    created_at: str
    started_at: str
    completed_at: str | None
    is_carried_over: bool
    is_deleted: bool


@dataclass(frozen=True)
class Truth:
    """Everything that ever happened, by (run_id, attempt) and (run_id, attempt, job_id)."""

    runs: tuple[RunTruth, ...]
    jobs: tuple[JobTruth, ...]


def truth_of(runs: Iterable[Run]) -> Truth:
    """Return every attempt and job of runs; a job that two attempts share stands once."""
    attempts = [(run, attempt) for run in runs for attempt in run.attempts]
    jobs = {_job_truth(run, job) for run, attempt in attempts for job in attempt.jobs}
    return Truth(
        tuple(
            sorted((_run_truth(run, attempt) for run, attempt in attempts), key=lambda row: (row.run_id, row.attempt))
        ),
        tuple(sorted(jobs, key=lambda row: (row.run_id, row.attempt, row.job_id))),
    )


def _run_truth(run: Run, attempt: Attempt) -> RunTruth:
    return RunTruth(
        run.repository.repository_id,
        run.run_id,
        attempt.number,
        attempt.status,
        attempt.conclusion,
        run.created_at,
        attempt.started_at,
        attempt.updated_at,
        run.gone is not None,
    )


def _job_truth(run: Run, job: Job) -> JobTruth:
    return JobTruth(
        run.repository.repository_id,
        run.run_id,
        job.attempt,
        job.job_id,
        job.name,
        job.status,
        job.conclusion,
        job.created_at,
        job.started_at,
        job.completed_at,
        job.is_carried_over,
        run.gone is not None,
    )
