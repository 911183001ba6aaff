"""What GitHub tells of: everything that happens to runs and jobs, each once, in the order of time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.moment import attempt_state, job_state
from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.webhook_payloads import told_of_job, told_of_run
from phoenix_metrics.demo.world import World

_LONGEST_STORY_DAYS = identity.LONGEST_WAIT_DAYS + 2  # from a run's creation to the end of its last attempt
_LONGEST_BURST_RUN = 120  # seconds, from the push to the last thing that happens
_ORDER = ("requested", "queued", "in_progress", "completed")  # of what happens to one run in the same second


@dataclass(frozen=True, slots=True)
class Happening:
    """An action of an event at a moment; `key` names it among all of a history, `told` gives its part of a payload."""

    at: int
    event: str
    action: str
    key: str
    by: Developer
    told: Callable[[str], dict[str, Any]]  # under one API root


class Diary:
    """Tells what happens in a world after a moment, from one look to the next; nothing is told twice."""

    def __init__(self, world: World, since: int) -> None:
        self.world = world
        self._told_until = since
        self._coming: dict[int, deque[Happening]] = {}  # by the day on which the run was created

    def news(self, now: int) -> list[Happening]:
        """Return what has happened since the last look, oldest first; going back tells nothing."""
        days = range(self._told_until // DAY - _LONGEST_STORY_DAYS, now // DAY + 1)
        self._coming = {day: self._coming[day] if day in self._coming else self._of_day(day) for day in days}
        found = [one for day in days for one in _taken(self._coming[day], now)]
        found += (one for one in self._of_bursts(now) if self._told_until < one.at <= now)
        self._told_until = max(self._told_until, now)
        return sorted(found, key=_place)

    def _of_day(self, day: int) -> deque[Happening]:
        happenings = (one for one in _of_runs(self.world, self.world.day(day)) if one.at > self._told_until)
        return deque(sorted(happenings, key=_place))

    def _of_bursts(self, now: int) -> Iterator[Happening]:
        return _of_runs(self.world, self.world.bursts(self._told_until - _LONGEST_BURST_RUN, now))


def _taken(coming: deque[Happening], now: int) -> Iterator[Happening]:
    while coming and coming[0].at <= now:
        yield coming.popleft()


def _place(happening: Happening) -> tuple[int, int, bool]:
    is_end_of_run = happening.event == "workflow_run" and happening.action == "completed"
    return happening.at, _ORDER.index(happening.action), is_end_of_run


def _of_runs(world: World, runs: Iterable[Run]) -> Iterator[Happening]:
    for run in runs:
        for attempt in run.attempts:
            for at, action in _moments_of_attempt(attempt):
                told = partial(told_of_run, world, run, attempt.number, at)
                yield Happening(at, "workflow_run", action, _key(run, attempt, action), attempt.actor, told)
            for job in attempt.jobs:
                for at, action in _moments_of_job(attempt, job):
                    told = partial(told_of_job, run, attempt.number, job, at)
                    key = f"{_key(run, attempt, action)}/{job.id}"
                    yield Happening(at, "workflow_job", action, key, attempt.actor, told)


def _key(run: Run, attempt: Attempt, action: str) -> str:
    return f"{run.trigger.commit.sha}/{run.id}/{attempt.number}/{action}"


def _moments_of_attempt(attempt: Attempt) -> Iterator[tuple[int, str]]:
    yield attempt.started_at, "requested"
    starts = (job.started_at for job in attempt.jobs if job.started_at >= attempt.started_at)
    started_at = min(starts, default=attempt.settled_at)
    if attempt_state(attempt, started_at).status == "in_progress":
        yield started_at, "in_progress"
    yield attempt.settled_at, "completed"


def _moments_of_job(attempt: Attempt, job: Job) -> Iterator[tuple[int, str]]:
    """Yield what is told of a job; of one that is carried over nothing is, and one that is skipped just ends."""
    if job.completed_at < attempt.started_at:
        return
    if job_state(job, job.created_at).status == "queued":
        yield job.created_at, "queued"
    if job_state(job, job.started_at).status == "in_progress":
        yield job.started_at, "in_progress"
    yield job.completed_at, "completed"
