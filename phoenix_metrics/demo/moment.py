"""What can be seen of runs, jobs and steps at one moment."""

from dataclasses import dataclass

from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.steps import Step


@dataclass(frozen=True, slots=True)
class State:
    """Where something is (`status`), how it ended (`conclusion`), and when this last changed."""

    status: str
    conclusion: str | None
    updated_at: int


def visible_attempts(run: Run, now: int) -> tuple[Attempt, ...]:
    """Return the attempts that have begun; the last of them is what the run shows."""
    return tuple(attempt for attempt in run.attempts if attempt.started_at <= now)


def visible_jobs(attempt: Attempt, now: int) -> tuple[Job, ...]:
    """Return the jobs that GitHub has created by now: those whose needs are settled."""
    return tuple(job for job in attempt.jobs if job.created_at <= now)


def attempt_state(attempt: Attempt, now: int) -> State:
    """Return the state of an attempt; it is queued until its first job starts."""
    if attempt.settled_at <= now:
        return State("completed", attempt.conclusion, attempt.settled_at)
    own = [job for job in attempt.jobs if job.completed_at >= attempt.started_at]
    changes = [at for job in own for at in (job.created_at, job.started_at, job.completed_at) if at <= now]
    has_started = any(job.started_at <= now for job in own)
    return State("in_progress" if has_started else "queued", None, max([attempt.started_at, *changes]))


def job_state(job: Job, now: int) -> State:
    """Return the state of a job that has been created."""
    if job.completed_at <= now:
        return State("completed", job.conclusion, job.completed_at)
    if job.runner is not None and job.started_at <= now:
        return State("in_progress", None, job.started_at)
    return State("queued", None, job.created_at)


def step_state(step: Step, now: int) -> State:
    """Return the state of a step whose job is running or done."""
    if step.completed_at <= now:
        return State("completed", step.conclusion, step.completed_at)
    if step.started_at <= now:
        return State("in_progress", None, step.started_at)
    return State("queued", None, step.started_at)
