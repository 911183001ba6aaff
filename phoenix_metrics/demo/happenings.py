"""What GitHub tells of: everything that happens in a repository, each once, in the order of time."""

from collections import deque
from collections.abc import Callable, Iterator
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
    """Tells what happens in a world after a moment, from one look to the next; nothing is told twice.

    What comes of a run is settled once it has been triggered, and of a pull request once it was opened. Nothing is
    taken from the world before that, as somebody may still change what is going to be triggered.
    """

    def __init__(self, world: World, since: int) -> None:
        self.world = world
        self._told_until = since
        self._read_until = since - _LONGEST_STORY_DAYS * DAY
        self._coming: deque[Happening] = deque()

    def read(self, now: int) -> Iterator[None]:
        """Read what `news` is going to tell, day by day; whoever has something else to do may do it in between."""
        while self._read_until < now:
            until = min(now, self._read_until + DAY)
            found = [one for one in _begun(self.world, self._read_until + 1, until) if one.at > self._told_until]
            if found:
                self._coming = deque(sorted([*self._coming, *found], key=_place))
            self._read_until = until
            yield

    def news(self, now: int) -> list[Happening]:
        """Return what has happened since the last look, oldest first; going back tells nothing."""
        deque(self.read(now), maxlen=0)
        found = []
        while self._coming and self._coming[0].at <= now:
            found.append(self._coming.popleft())
        self._told_until = max(self._told_until, now)
        return found


def _place(happening: Happening) -> tuple[int, int, bool, str]:
    is_end_of_run = happening.event == "workflow_run" and happening.action == "completed"
    return happening.at, _ORDER.index(happening.action), is_end_of_run, happening.key


def _begun(world: World, first: int, last: int) -> Iterator[Happening]:
    """Yield everything that will ever come of what begins between two moments."""
    for run in world.since(first, last):
        yield from _of_run(world, run)
        yield from _of_release(world, run)
    for day in range(first // DAY, last // DAY + 1):
        for story in stories(world.universe, day):
            if first <= story.pushed_at[0] <= last:
                yield from _of_story(world, story)


def _of_run(world: World, run: Run) -> Iterator[Happening]:
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
