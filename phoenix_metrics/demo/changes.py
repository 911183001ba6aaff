"""How the team changes its code: pull requests from the first push to the merge, and pushes to develop."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from phoenix_metrics.demo.runs import Commit, PullRequest, Trigger
from phoenix_metrics.demo.team import ACTIVITY, TEAM, TOPICS, Developer
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe, is_weekend
from phoenix_metrics.demo.workflows import CI

_LONGEST_STORY_DAYS = 6
_NUMBERS_PER_DAY = 18
_MALFORMED_CYCLE = 56  # on one Wednesday in eight weeks someone breaks ci.yml itself
_MALFORMED_PHASE = 48

# The jobs that a mistake breaks, by how often it is theirs to find.
DEFECTS = {
    "validate": 1.0,
    "lint (backend)": 3.0,
    "lint (frontend)": 2.5,
    "test (unit)": 4.0,
    "test (integration)": 2.5,
    "test (frontend)": 2.0,
    "security": 0.8,
}
MERGE_DEFECTS = {"test (unit)": 2.0, "test (integration)": 2.0, "build (api)": 1.0, "build (dashboard)": 1.5}
FOLLOW_UPS = ("Address review", "Fix lint", "Fix tests", "Simplify", "Rebase onto main")


@dataclass(frozen=True, slots=True)
class Story:
    """A pull request: who works on what, when they push, and when it is merged."""

    number: int
    author: Developer
    title: str
    branch: str
    pushed_at: tuple[int, ...]
    merged_at: int | None
    is_malformed: bool = False  # its first push breaks the workflow file


def pushes(universe: Universe, day: int) -> tuple[Trigger, ...]:
    """Return the CI runs that a day's pushes start, oldest first, no two in the same second."""
    return _pushes(universe.until((day + 1) * DAY), day)


@lru_cache(maxsize=1024)
def _pushes(universe: Universe, day: int) -> tuple[Trigger, ...]:
    found = [*_develop(universe, day)]
    for opened in range(max(FOUNDED, day - _LONGEST_STORY_DAYS), day + 1):
        found += (trigger for trigger in _triggers_of_stories(universe, opened) if trigger.at // DAY == day)
    return _one_per_second(found)


def story(universe: Universe, number: int) -> Story | None:
    """Return the pull request with this number, if there will ever be one."""
    opened = FOUNDED + (number - 1) // _numbers_per_day(universe)
    return next((known for known in stories(universe, opened) if known.number == number), None)


def stories_until(universe: Universe, first_day: int, last_day: int) -> Iterator[Story]:
    """Yield the pull requests with a push or a merge between two days, and some that had neither any more."""
    for day in range(max(FOUNDED, first_day - _LONGEST_STORY_DAYS), last_day + 1):
        yield from stories(universe, day)


def main_head(universe: Universe, at: int) -> Commit:
    """Return the commit at the head of main at a moment."""
    for day in range(at // DAY, FOUNDED - 1, -1):
        for trigger in reversed(pushes(universe, day)):
            if trigger.branch == "main" and trigger.at <= at:
                return trigger.commit
    return Commit(universe.sha("first commit"), "Import the platform", TEAM[0], FOUNDED * DAY)


@lru_cache(maxsize=64)
def first_merge(universe: Universe, after: int) -> Trigger | None:
    """Return the first push to main after a moment, if one comes within a week."""
    for day in range(after // DAY, after // DAY + 8):
        for trigger in pushes(universe, day):
            if trigger.branch == "main" and trigger.at > after:
                return trigger
    return None


def _one_per_second(found: list[Trigger]) -> tuple[Trigger, ...]:
    spread: list[Trigger] = []
    for trigger in sorted(found, key=lambda trigger: (trigger.at, trigger.commit.sha)):
        earliest = spread[-1].at + 1 if spread else 0
        spread.append(trigger if trigger.at >= earliest else replace(trigger, at=earliest))
    return tuple(spread)


@lru_cache(maxsize=64)
def _triggers_of_stories(universe: Universe, opened: int) -> tuple[Trigger, ...]:
    return tuple(trigger for story in stories(universe, opened) for trigger in _triggers(universe, story))


@lru_cache(maxsize=256)
def stories(universe: Universe, day: int) -> tuple[Story, ...]:
    """Return the pull requests that are opened on a day, as they will have been in the end."""
    dice = universe.dice("stories", day)
    room = _numbers_per_day(universe)
    first = (day - FOUNDED) * room + 1
    count = universe.count(dice, 1.6 if is_weekend(day) else 10.2)
    opened = [_story(dice, day, first + index) for index in range(count)]
    if opened and day % _MALFORMED_CYCLE == _MALFORMED_PHASE:
        opened[0] = replace(opened[0], is_malformed=not universe.scenes.at(opened[0].pushed_at[0]).is_calm)
    return (*opened, *_crowd(universe, day, range(first + count, first + room)))


def _numbers_per_day(universe: Universe) -> int:
    return round(_NUMBERS_PER_DAY * max(1.0, universe.pace))


def _crowd(universe: Universe, day: int, numbers: range) -> Iterator[Story]:
    """Yield the stories that a scene adds to the usual ones of a day; they have the numbers that are free."""
    if not any(change.scene.crowd_ratio for change in universe.scenes.changes):
        return
    share = min(1.0, universe.pace) * (0.1 if is_weekend(day) else 1.0)
    for number in numbers:
        dice = universe.dice("crowd", number)
        luck, story = dice.random(), _story(dice, day, number)
        if luck < share * universe.scenes.at(story.pushed_at[0]).crowd_ratio:
            yield story


def _story(dice: Random, day: int, number: int) -> Story:
    kind, service, subject = dice.choice(TOPICS)
    author = dice.choices(TEAM, ACTIVITY)[0]
    times = [day * DAY + _working_second(dice)]
    while dice.random() < 0.5 and len(times) < 6:
        wait = dice.uniform(120, 720) if dice.random() < 0.33 else dice.lognormvariate(8.5, 0.8)
        times.append(_in_working_hours(dice, times[-1] + 60 + round(wait)))
    merged_at = _in_working_hours(dice, times[-1] + 2_000 + round(dice.lognormvariate(8.3, 0.8)))
    last_day = day + _LONGEST_STORY_DAYS
    return Story(
        number,
        author,
        title=f"{kind}({service}): {subject}",
        branch=f"{kind}/{number}-{'-'.join(subject.lower().split()[:4])}",
        pushed_at=tuple(at for at in times if at // DAY <= last_day),
        merged_at=merged_at if dice.random() < 0.88 and merged_at // DAY <= last_day else None,
    )


def _working_second(dice: Random) -> int:
    midday = 9.6 if dice.random() < 0.5 else 14.0
    return round(min(19.0, max(6.5, dice.gauss(midday, 1.5))) * HOUR)


def _in_working_hours(dice: Random, at: int) -> int:
    if at % DAY <= 19 * HOUR:
        return at
    day = at // DAY + 1
    while is_weekend(day):
        day += 1
    return day * DAY + dice.randint(7 * HOUR, 10 * HOUR)


def _triggers(universe: Universe, story: Story) -> Iterator[Trigger]:
    for index, at in enumerate(story.pushed_at):
        push = _pull_request_push(universe, story, index, at)
        again = _pushed_again(universe, story, index, push)
        yield push if again is None else replace(push, superseded_at=again.at)
        if again is not None:
            yield again
    if story.merged_at is not None:
        yield merge(universe, story, story.merged_at)


def _pull_request_push(universe: Universe, story: Story, index: int, at: int) -> Trigger:
    dice = universe.dice("push", story.number, index)
    is_last = index + 1 == len(story.pushed_at)
    title = story.title if index == 0 else dice.choice(FOLLOW_UPS)
    return Trigger(
        at,
        CI,
        event="pull_request",
        branch=story.branch,
        commit=Commit(universe.sha("push", story.number, index), title, story.author, at - dice.randint(20, 400)),
        actor=story.author,
        title=story.title,
        pull_request=PullRequest(
            story.number, story.title, story.branch, universe.sha("base", story.number, story.pushed_at[0])
        ),
        defect=_defect(universe, at, dice, DEFECTS, 0.06 if is_last and story.merged_at else 0.26),
        superseded_at=None if is_last else story.pushed_at[index + 1],
        is_malformed=story.is_malformed and index == 0,
    )


def _pushed_again(universe: Universe, story: Story, index: int, push: Trigger) -> Trigger | None:
    """Return the push that follows this one in a hurry, if a scene brings one before the story goes on."""
    ratio = universe.scenes.at(push.at).hurry_ratio
    if not ratio:
        return None
    dice = universe.dice("hurry", story.number, index)
    luck, at = dice.random(), push.at + dice.randint(90, 480)
    is_too_late = at // DAY > push.at // DAY or (push.superseded_at is not None and at >= push.superseded_at)
    if is_too_late or luck >= ratio:
        return None
    sha = universe.sha("hurry", story.number, index)
    commit = replace(push.commit, sha=sha, title=dice.choice(FOLLOW_UPS), at=at - dice.randint(5, 60))
    return replace(push, at=at, commit=commit, is_malformed=False)


def merge(universe: Universe, story: Story, at: int) -> Trigger:
    """Return the push to main that the merge of a pull request makes."""
    dice = universe.dice("merge", story.number)
    title = f"{story.title} (#{story.number})"
    return Trigger(
        at,
        CI,
        event="push",
        branch="main",
        commit=Commit(universe.sha("merge", story.number), title, story.author, at - 2),
        actor=story.author if dice.random() < 0.7 else dice.choice(TEAM),
        title=title,
        defect=_defect(universe, at, dice, MERGE_DEFECTS, 0.035),
    )


def _develop(universe: Universe, day: int) -> Iterator[Trigger]:
    dice = universe.dice("develop", day)
    for index in range(universe.count(dice, 0.4 if is_weekend(day) else 4.5)):
        at = day * DAY + _working_second(dice)
        author = dice.choices(TEAM, ACTIVITY)[0]
        _, service, subject = dice.choice(TOPICS)
        title = f"wip({service}): {subject}" if dice.random() < 0.6 else "Merge branch 'main' into develop"
        yield Trigger(
            at,
            CI,
            event="push",
            branch="develop",
            commit=Commit(universe.sha("develop", day, index), title, author, at - dice.randint(20, 600)),
            actor=author,
            title=title,
            defect=_defect(universe, at, dice, DEFECTS, 0.07),
        )


def _defect(universe: Universe, at: int, dice: Random, jobs: dict[str, float], ratio: float) -> str | None:
    found = dice.choices(list(jobs), list(jobs.values()))[0] if dice.random() < ratio else None
    return None if universe.scenes.at(at).is_calm else found
