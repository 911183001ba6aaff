"""The triggers of a part: pull requests with their pushes and merges, pushes to develop, nightly builds, releases."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from phoenix_metrics.demo.bulk.calendar import BY_HAND, DEVELOP, NIGHTLY, RELEASE, STORY, Calendar
from phoenix_metrics.demo.bulk.plan import Plan
from phoenix_metrics.demo.changes import DEFECTS, FOLLOW_UPS, MERGE_DEFECTS
from phoenix_metrics.demo.team import ACTIVITY, TEAM, TOPICS
from phoenix_metrics.demo.timetable import NIGHTLY_AT
from phoenix_metrics.demo.universe import DAY, HOUR
from phoenix_metrics.demo.workflows import CI, WORKFLOWS
from phoenix_metrics.demo.workflows import NIGHTLY as NIGHTLY_WORKFLOW
from phoenix_metrics.demo.workflows import RELEASE as RELEASE_WORKFLOW

NEVER = 2**40  # seconds since 1970, long after everything
NO_DEFECT = -1
CI_JOBS = tuple(name for template in CI.jobs for name in template.shown_names)
_MOST_PUSHES = 6
_MALFORMED_RATIO = 1 / 56 / 7.7  # of pull requests: one in eight weeks
_WORKFLOW_OF_KIND = np.array(
    [WORKFLOWS.index(each) for each in (CI, CI, NIGHTLY_WORKFLOW, NIGHTLY_WORKFLOW, RELEASE_WORKFLOW)]
)
_RELEASE_MANAGER = 4


@dataclass(frozen=True)
class Outline:
    """What begins in a part, before anyone knows when: its kind, its pushes and runs, the place of its first run."""

    dice: np.random.Generator
    kind: np.ndarray
    pushes: np.ndarray
    is_merged: np.ndarray
    runs: np.ndarray
    place: np.ndarray

    @property
    def workflow(self) -> np.ndarray:
        """The index of the workflow of everything that begins."""
        return _WORKFLOW_OF_KIND[self.kind]


@dataclass(frozen=True)
class Triggers:
    """A column for each thing to know of a trigger, all of one length; people, topics and so on are indexes."""

    place: np.ndarray  # among all runs
    repository: np.ndarray
    workflow: np.ndarray
    run_number: np.ndarray
    kind: np.ndarray
    push: np.ndarray  # 0 for the first of a pull request
    is_merge: np.ndarray
    number: np.ndarray  # of the pull request
    topic: np.ndarray
    follow_up: np.ndarray
    author: np.ndarray
    actor: np.ndarray
    at: np.ndarray
    committed_at: np.ndarray
    superseded_at: np.ndarray
    defect: np.ndarray  # index in CI_JOBS
    is_malformed: np.ndarray

    @property
    def is_pull_request(self) -> np.ndarray:
        """Whether the event is pull_request."""
        return (self.kind == STORY) & ~self.is_merge

    @property
    def is_main(self) -> np.ndarray:
        """Whether the branch is main."""
        return self.is_merge | (self.kind == NIGHTLY) | (self.kind == BY_HAND)


def taken(table: Any, index: np.ndarray) -> Any:
    """Return the rows of a table of columns that an index or a mask chooses."""
    return type(table)(**{field.name: getattr(table, field.name)[index] for field in fields(table)})


def outline(plan: Plan, calendar: Calendar, part: int) -> Outline:
    """Return what begins in a part; the last of it is cut where the part ends."""
    dice, size = plan.dice(part), plan.size(part)
    kind = dice.choice(len(calendar.shares), size, p=calendar.shares)
    is_story = kind == STORY
    pushes = np.where(is_story, np.minimum(dice.geometric(0.5, size), _MOST_PUSHES), 1)
    is_merged = is_story & (dice.random(size) < 0.88)
    runs = pushes + is_merged
    first = np.cumsum(runs) - runs
    used = first < size
    first, runs = first[used], np.minimum(runs[used], size - first[used])
    return Outline(dice, kind[used], pushes[used], is_merged[used], runs, part * plan.part_size + first)


def triggers(plan: Plan, calendar: Calendar, begun: Outline, earlier: np.ndarray) -> Triggers:
    """Return a part's triggers by repository and time; `earlier` counts its first repository's runs by workflow."""
    dice, series = begun.dice, np.repeat(np.arange(len(begun.runs)), begun.runs)
    push = np.arange(len(series)) - np.repeat(np.cumsum(begun.runs) - begun.runs, begun.runs)
    times = _times(plan, calendar, begun)
    is_merge = push == begun.pushes[series]
    is_push = (begun.kind[series] == STORY) & ~is_merge
    is_last = push + 1 >= begun.pushes[series]
    is_followed = is_push & ~is_last
    at = times[series, np.where(is_merge, _MOST_PUSHES, push)]
    author = dice.choice(len(TEAM), len(begun.runs), p=np.array(ACTIVITY) / sum(ACTIVITY))
    author[begun.kind == RELEASE] = _RELEASE_MANAGER
    author[begun.kind == NIGHTLY] = 0
    unordered = Triggers(
        place=at,
        run_number=at,
        repository=plan.repository_of(begun.place)[series],
        workflow=begun.workflow[series],
        kind=begun.kind[series],
        push=push,
        is_merge=is_merge,
        number=(plan.place_in_repository(begun.place) + 1)[series],
        topic=dice.integers(0, len(TOPICS), len(begun.runs))[series],
        follow_up=dice.integers(0, len(FOLLOW_UPS), len(series)),
        author=author[series],
        actor=np.where(is_merge & (dice.random(len(series)) > 0.7), _anyone(dice, len(series)), author[series]),
        at=at,
        committed_at=at - np.where(is_merge, 2, dice.integers(20, 401, len(series))),
        superseded_at=np.where(is_followed, times[series, np.minimum(push + 1, _MOST_PUSHES - 1)], NEVER),
        defect=_defects(dice, begun.kind[series], is_merge, is_last & begun.is_merged[series]),
        is_malformed=is_push & (push == 0) & (dice.random(len(begun.runs)) < _MALFORMED_RATIO)[series],
    )
    ordered: Triggers = taken(unordered, np.lexsort((at, unordered.repository)))
    ordered.place[:] = begun.place[0] + np.arange(len(at))
    ordered.run_number[:] = _run_numbers(ordered, earlier)
    return ordered


def _times(plan: Plan, calendar: Calendar, begun: Outline) -> np.ndarray:
    """Return when each push happens, and in the last column the merge; what would end too late began weeks before."""
    dice, count = begun.dice, len(begun.runs)
    progress = plan.progress(begun.place, dice.random(count) * begun.runs)
    times = np.empty((count, _MOST_PUSHES + 1), np.int64)
    times[:, 0] = calendar.days(begun.kind, progress) * DAY + _second_of_day(dice, begun.kind)
    for push in range(1, _MOST_PUSHES):
        at_once, later = dice.uniform(120, 720, count), dice.lognormal(8.5, 0.8, count)
        wait = np.where(dice.random(count) < 0.33, at_once, later)
        times[:, push] = _in_working_hours(dice, times[:, push - 1] + 60 + _rounded(wait))
    last = np.take_along_axis(times, begun.pushes[:, None] - 1, axis=1)[:, 0]
    merged = _in_working_hours(dice, last + 2_000 + _rounded(dice.lognormal(8.3, 0.8, count)))
    times[:, _MOST_PUSHES] = merged
    excess = np.where(begun.is_merged, merged, last) - calendar.closing
    return times - np.maximum(0, -(-excess // (7 * DAY)))[:, None] * 7 * DAY


def _second_of_day(dice: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    count = len(kind)
    midday = np.where(dice.random(count) < 0.5, 9.6, 14.0)
    working = _rounded(np.clip(dice.normal(midday, 1.5), 6.5, 19.0) * HOUR)
    nightly = NIGHTLY_AT + dice.integers(150, 901, count)
    by_hand = dice.integers(9 * HOUR, 16 * HOUR + 1, count)
    release = dice.integers(11 * HOUR, 15 * HOUR + 1, count)
    return np.select([kind == NIGHTLY, kind == BY_HAND, kind == RELEASE], [nightly, by_hand, release], working)


def _in_working_hours(dice: np.random.Generator, at: np.ndarray) -> np.ndarray:
    day = at // DAY + 1
    weekday = (day + 3) % 7
    morning = (day + np.maximum(0, 7 - weekday) * (weekday >= 5)) * DAY
    is_late = at % DAY > 19 * HOUR
    return np.where(is_late, morning + dice.integers(7 * HOUR, 10 * HOUR + 1, len(at)), at)


def _defects(dice: np.random.Generator, kind: np.ndarray, is_merge: np.ndarray, is_ready: np.ndarray) -> np.ndarray:
    """Return the job that each trigger's code breaks: seldom what is about to be merged, often what came before."""
    ratio = np.select([kind == DEVELOP, kind != STORY, is_merge, is_ready], [0.07, 0.0, 0.035, 0.06], 0.26)
    usual, merged = _choice(dice, DEFECTS, len(kind)), _choice(dice, MERGE_DEFECTS, len(kind))
    return np.where(dice.random(len(kind)) < ratio, np.where(is_merge, merged, usual), NO_DEFECT)


def _choice(dice: np.random.Generator, weights: dict[str, float], count: int) -> np.ndarray:
    jobs, each = np.array([CI_JOBS.index(name) for name in weights]), np.array(list(weights.values()))
    return np.asarray(dice.choice(jobs, count, p=each / each.sum()))


def _run_numbers(ordered: Triggers, earlier: np.ndarray) -> np.ndarray:
    """Return what counts the runs of each workflow without gaps."""
    key = ordered.repository * len(WORKFLOWS) + ordered.workflow
    order = np.argsort(key, kind="stable")
    is_first = np.diff(key[order], prepend=-1) != 0
    place = np.arange(len(key))
    numbers = np.empty(len(key), np.int64)
    numbers[order] = place - np.maximum.accumulate(np.where(is_first, place, 0)) + 1
    return numbers + np.where(ordered.repository == ordered.repository[0], earlier[ordered.workflow], 0)


def _anyone(dice: np.random.Generator, count: int) -> np.ndarray:
    return dice.integers(0, len(TEAM), count)


def _rounded(seconds: np.ndarray) -> np.ndarray:
    return np.rint(seconds).astype(np.int64)
