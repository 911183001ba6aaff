"""What GitHub tells of: everything that happens in a repository, each once, in the order of time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.changes import Story, merge, stories
from phoenix_metrics.demo.moment import attempt_state, job_state
from phoenix_metrics.demo.pull_requests import ends_at
from phoenix_metrics.demo.releases import published_at
from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.webhook_payloads import told_of_job, told_of_pull_request, told_of_release, told_of_run
from phoenix_metrics.demo.workflows import RELEASE
from phoenix_metrics.demo.world import World

_LONGEST_STORY_DAYS = identity.LONGEST_WAIT_DAYS + 2  # from a run's creation to the end of its last attempt
_LONGEST_BURST_RUN = 120  # seconds, from the push to the last thing that happens
_RELEASED = ("created", "published", "released")
_ORDER = (  # of what happens in the same second
    *("opened", "synchronize", "closed", "requested", "queued", "in_progress", "completed"),
    *_RELEASED,
)


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
        self._next_day = since // DAY - _LONGEST_STORY_DAYS
        self._coming: deque[Happening] = deque()  # what began on the days before the next one

    def news(self, now: int) -> list[Happening]:
        """Return what has happened since the last look, oldest first; going back tells nothing."""
        self._read_until(now // DAY)
        found = [one for one in self._of_bursts(now) if self._told_until < one.at <= now]
        while self._coming and self._coming[0].at <= now:
            found.append(self._coming.popleft())
        self._told_until = max(self._told_until, now)
        return sorted(found, key=_place)

    def _read_until(self, last_day: int) -> None:
        days = range(self._next_day, last_day + 1)
        if days:
            found = (one for day in days for one in _of_day(self.world, day) if one.at > self._told_until)
            self._coming = deque(sorted([*self._coming, *found], key=_place))
            self._next_day = last_day + 1

    def _of_bursts(self, now: int) -> Iterator[Happening]:
        return _of_runs(self.world, self.world.bursts(self._told_until - _LONGEST_BURST_RUN, now))


def _place(happening: Happening) -> tuple[int, int, bool]:
    is_end_of_run = happening.event == "workflow_run" and happening.action == "completed"
    return happening.at, _ORDER.index(happening.action), is_end_of_run


def _of_day(world: World, day: int) -> Iterator[Happening]:
    """Yield everything that will ever come of what begins on a day."""
    runs = world.day(day)
    yield from _of_runs(world, runs)
    for run in runs:
        yield from _of_release(world, run)
    for story in stories(world.universe, day):
        yield from _of_story(world, story)


def _of_runs(world: World, runs: Iterable[Run]) -> Iterator[Happening]:
    for run in runs:
        for attempt in run.attempts:
            for at, action in _moments_of_attempt(attempt):
                told = partial(told_of_run, world, run, attempt.number, at)
                yield Happening(at, "workflow_run", action, _key(run, attempt, action), attempt.actor, told)
            for job in attempt.jobs:
                for at, action in _moments_of_job(attempt, job):
                    told = partial(told_of_job, world, run, (attempt.number, job), at)
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


def _of_release(world: World, run: Run) -> Iterator[Happening]:
    at = published_at(run) if run.trigger.workflow is RELEASE else None
    if at is not None:
        told = partial(told_of_release, world, run, at)
        for action in _RELEASED:
            key = f"{run.trigger.commit.sha}/{run.id}/{action}"
            yield Happening(at, "release", action, key, run.trigger.actor, told)


def _of_story(world: World, story: Story) -> Iterator[Happening]:
    universe, ended_at = world.universe, ends_at(world.universe, story)
    ended_by = story.author if story.merged_at is None else merge(universe, story, story.merged_at).actor
    pushes = [(at, "synchronize" if index else "opened", story.author) for index, at in enumerate(story.pushed_at)]
    for index, (at, action, by) in enumerate([*pushes, (ended_at, "closed", ended_by)]):
        key = f"{universe.sha('push', story.number, 0)}/{story.number}/{index}/{action}"
        told = partial(told_of_pull_request, world, story.number, at)
        yield Happening(at, "pull_request", action, key, by, told)
