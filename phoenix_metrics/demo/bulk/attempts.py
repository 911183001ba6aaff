"""How the attempts of many runs go at once: `execution.py` and `reruns.py`, a column for a job instead of an object."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phoenix_metrics.demo.bulk.calendar import Calendar
from phoenix_metrics.demo.bulk.triggers import CI_JOBS, NEVER, NO_DEFECT, Triggers, taken
from phoenix_metrics.demo.execution import HANG_SECONDS, STUBBORN_RATIO
from phoenix_metrics.demo.identity import LONGEST_WAIT_DAYS
from phoenix_metrics.demo.reruns import MOST_ATTEMPTS
from phoenix_metrics.demo.seasons import SLOW_JOB
from phoenix_metrics.demo.team import TEAM
from phoenix_metrics.demo.universe import DAY, HOUR
from phoenix_metrics.demo.workflows import COMPONENTS, HABITS, JobTemplate, Workflow

CONCLUSIONS = ("success", "failure", "cancelled", "skipped", "startup_failure")
SUCCESS, FAILURE, CANCELLED, SKIPPED, STARTUP_FAILURE = range(5)


@dataclass(frozen=True)
class Group:
    """The jobs of one template in each run, a column for each matrix value; one skipped job where it has not run."""

    has_run: np.ndarray
    ready_at: np.ndarray
    created_at: np.ndarray
    started_at: np.ndarray
    completed_at: np.ndarray
    conclusion: np.ndarray
    runner: np.ndarray  # 0 if none took it
    planned_seconds: np.ndarray

    @property
    def has_passed(self) -> np.ndarray:
        """Whether all jobs passed."""
        return self.has_run & (self.conclusion == SUCCESS).all(axis=1)

    @property
    def ended_at(self) -> np.ndarray:
        """When the last job ended, or was skipped."""
        return np.where(self.has_run, self.completed_at.max(axis=1), self.ready_at)


@dataclass(frozen=True)
class Attempts:
    """The attempts with one number of the runs of one workflow; `rows` are the runs among the triggers."""

    rows: np.ndarray
    number: int
    actor: np.ndarray
    started_at: np.ndarray
    settled_at: np.ndarray
    conclusion: np.ndarray
    groups: dict[str, Group]


@dataclass(frozen=True)
class _Order:
    calendar: Calendar
    dice: np.random.Generator
    workflow: Workflow
    triggers: Triggers
    rows: np.ndarray
    number: int
    actor: np.ndarray
    started_at: np.ndarray
    previous: dict[str, Group] | None = None  # of whose jobs those that passed are carried over


def attempts(
    calendar: Calendar, dice: np.random.Generator, workflow: Workflow, triggers: Triggers, rows: np.ndarray
) -> Iterator[Attempts]:
    """Yield all first attempts of a workflow's runs, `rows` among the triggers, then all second ones, and so on."""
    own = taken(triggers, rows)
    order = _Order(calendar, dice, workflow, own, rows, 1, own.actor, own.at)
    while len(order.rows):
        made = _execute(order)
        yield made
        if made.number == MOST_ATTEMPTS:
            return
        order = _reruns(order, made)


def _execute(order: _Order) -> Attempts:
    mood = {component: order.dice.normal(0, 0.10, len(order.rows)) for component in COMPONENTS}
    groups: dict[str, Group] = {}
    for template in order.workflow.jobs:
        groups[template.name] = _group(order, template, groups, mood)
    ended_at = np.max([group.ended_at for group in groups.values()], axis=0)
    settled_at = np.maximum(ended_at, order.started_at) + order.dice.integers(2, 6, len(order.rows))
    is_malformed = order.triggers.is_malformed
    return Attempts(
        order.rows,
        order.number,
        order.actor,
        order.started_at,
        np.where(is_malformed, order.started_at + 1, settled_at),
        np.where(is_malformed, STARTUP_FAILURE, _conclusions(order, groups)),
        groups,
    )


def _conclusions(order: _Order, groups: dict[str, Group]) -> np.ndarray:
    is_stopped = np.zeros(len(order.rows), bool)
    has_failed = np.zeros(len(order.rows), bool)
    for group in groups.values():
        is_cancelled = group.has_run[:, None] & (group.conclusion == CANCELLED)
        is_stopped |= (is_cancelled & (group.completed_at >= _stops(order)[:, None])).any(axis=1)
        has_failed |= (is_cancelled | (group.has_run[:, None] & (group.conclusion == FAILURE))).any(axis=1)
    return np.select([is_stopped, has_failed], [CANCELLED, FAILURE], SUCCESS)


def _stops(order: _Order) -> np.ndarray:
    return order.triggers.superseded_at + 2


def _group(order: _Order, template: JobTemplate, done: dict[str, Group], mood: dict[str, np.ndarray]) -> Group:
    needs = [done[name] for name in template.needs]
    ready_at = np.maximum.reduce([order.started_at, *(need.ended_at + 1 for need in needs)])
    may_run = np.logical_and.reduce([_applies(template, order.triggers), *(need.has_passed for need in needs)])
    previous = order.previous[template.name] if order.previous else None
    columns = [
        _executed(order, name, ready_at, mood, None if previous is None else _column(previous, place))
        for place, name in enumerate(template.shown_names)
    ]
    created, started, completed, conclusion, runner, planned = (np.stack(each, axis=1) for each in zip(*columns))  # noqa: B905
    fresh = Group(may_run, ready_at, created, started, completed, conclusion, runner, planned)
    fresh = _carried(fresh, previous, order.started_at) if previous else fresh
    return _fail_fast(_stopped(fresh, _stops(order)))


def _applies(template: JobTemplate, triggers: Triggers) -> np.ndarray:
    applies = np.ones(len(triggers.at), bool)
    if template.event:
        applies &= ~triggers.is_pull_request if template.event == "push" else triggers.is_pull_request
    if template.branch:
        applies &= triggers.is_main
    return applies


def _column(group: Group, place: int) -> np.ndarray:
    """Tell in which runs the job at one place has failed."""
    return group.has_run & (group.conclusion[:, place] == FAILURE)


def _executed(
    order: _Order, name: str, ready_at: np.ndarray, mood: dict[str, np.ndarray], has_failed: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    habit, dice, count = HABITS[name], order.dice, len(ready_at)
    started_at = ready_at + _queue_seconds(order, ready_at)
    usual = habit.seconds * order.calendar.slowness(started_at, habit.component, has_seasons=name == SLOW_JOB)
    planned = _whole(usual * dice.lognormal(mood[habit.component], 0.13))
    luck, cut = dice.random(count), dice.uniform(0.5, 1.0, count)
    flake_ratio = habit.flake_ratio if has_failed is None else np.where(has_failed, STUBBORN_RATIO, habit.flake_ratio)
    is_broken = order.triggers.defect == (CI_JOBS.index(name) if name in CI_JOBS else NO_DEFECT - 1)
    is_failure = is_broken | (luck < flake_ratio)
    is_hanging = ~is_failure & (luck > 1 - habit.hang_ratio)
    hang = HANG_SECONDS + dice.integers(10, 18, count)
    seconds = np.select([is_failure, is_hanging], [_whole(planned * cut), hang], planned)
    conclusion = np.select([is_failure, is_hanging], [FAILURE, CANCELLED], SUCCESS)
    return ready_at, started_at, started_at + seconds, conclusion, dice.integers(1, 1000, count), planned


def _whole(seconds: np.ndarray) -> np.ndarray:
    return np.maximum(3, np.rint(seconds)).astype(np.int64)


def _queue_seconds(order: _Order, at: np.ndarray) -> np.ndarray:
    throw = order.dice.normal(0, 1, len(at))
    short = np.minimum(2_700, np.rint(np.exp(5.9 + 0.7 * throw)))
    usual = np.minimum(240, 1 + np.rint(np.exp(1.4 + 0.6 * throw)))
    return np.where(order.calendar.is_short(at), short, usual).astype(np.int64)


def _carried(fresh: Group, previous: Group, started_at: np.ndarray) -> Group:
    """Put in what passed before, listed again when the attempt starts with the times and the runner it had."""
    carries = previous.has_run[:, None] & (previous.conclusion == SUCCESS)

    def kept(name: str) -> np.ndarray:
        return np.where(carries, getattr(previous, name), getattr(fresh, name))

    created_at = np.where(carries, started_at[:, None], fresh.created_at)
    times = kept("started_at"), kept("completed_at")
    return Group(
        fresh.has_run, fresh.ready_at, created_at, *times, kept("conclusion"), kept("runner"), kept("planned_seconds")
    )


def _fail_fast(group: Group) -> Group:
    failed_at = np.where(group.conclusion == FAILURE, group.completed_at, NEVER).min(axis=1)
    return _stopped(group, failed_at + 2)


def _stopped(group: Group, at: np.ndarray) -> Group:
    """Stop the jobs that are still going at a moment; one that has not started never will."""
    is_hit = group.completed_at > at[:, None]
    is_unstarted = is_hit & (group.started_at >= at[:, None])
    end = np.where(is_unstarted, np.maximum(at[:, None], group.created_at), at[:, None])
    return Group(
        group.has_run,
        group.ready_at,
        group.created_at,
        np.where(is_unstarted, end, group.started_at),
        np.where(is_hit, end, group.completed_at),
        np.where(is_hit, CANCELLED, group.conclusion),
        np.where(is_unstarted, 0, group.runner),
        group.planned_seconds,
    )


def _reruns(order: _Order, last: Attempts) -> _Order:
    """Return the attempts that follow: soon after a failure, or days later and from the beginning."""
    dice, count, own = order.dice, len(order.rows), order.triggers
    hope = np.select([own.defect != NO_DEFECT, own.is_main], [0.12, 0.8], 0.7)
    is_impatient = (last.conclusion == FAILURE) & (dice.random(count) < hope)
    has_ended = (last.conclusion == SUCCESS) | (last.conclusion == FAILURE)
    is_nostalgic = ~is_impatient & has_ended & (dice.random(count) < 0.006) & (last.number == 1)
    soon = 60 + np.rint(dice.lognormal(5.3, 0.9, count)).astype(np.int64)
    late = dice.integers(2 * DAY, (LONGEST_WAIT_DAYS - 1) * DAY, count)
    started_at = _awake(last.settled_at + np.where(is_impatient, soon, late))
    is_in_time = (started_at < own.superseded_at) & (started_at < order.calendar.closing)
    actor = np.where(dice.random(count) < 0.7, own.actor, dice.integers(0, len(TEAM), count))
    chosen = (is_impatient | is_nostalgic) & is_in_time
    previous = {name: _remembered(group, is_impatient, chosen) for name, group in last.groups.items()}
    return _Order(
        order.calendar,
        dice,
        order.workflow,
        taken(own, chosen),
        order.rows[chosen],
        last.number + 1,
        actor[chosen],
        started_at[chosen],
        previous,
    )


def _remembered(group: Group, is_impatient: np.ndarray, chosen: np.ndarray) -> Group:
    """Return what an attempt knows of the one before; who starts from the beginning knows nothing."""
    known: Group = taken(group, chosen)
    known.has_run[:] &= is_impatient[chosen]
    return known


def _awake(at: np.ndarray) -> np.ndarray:
    return np.maximum(at, at - at % DAY + 6 * HOUR + at % HOUR)
