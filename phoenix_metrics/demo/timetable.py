"""What starts without a branch being pushed: the nightly build and the releases."""

from collections.abc import Iterator

from phoenix_metrics.demo.changes import main_head, pushes
from phoenix_metrics.demo.runs import Trigger
from phoenix_metrics.demo.team import TEAM, Developer
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe, is_weekend, weekday
from phoenix_metrics.demo.workflows import NIGHTLY, RELEASE

NIGHTLY_AT = 2 * HOUR
_RELEASE_WEEKDAY = 2
_NIGHTLY_PACE = 0.1  # quieter repositories are not built at night
_RELEASE_MANAGER = TEAM[4]


def triggers(universe: Universe, day: int) -> tuple[Trigger, ...]:
    """Return everything that starts a workflow on a day, oldest first, no two in the same second."""
    taken = {trigger.at for trigger in pushes(universe, day)}
    planned = [*_nightly(universe, day), *_releases(universe, day)]
    return tuple(sorted((*pushes(universe, day), *(p for p in planned if p.at not in taken)), key=lambda t: t.at))


def is_built_at_night(universe: Universe) -> bool:
    """Whether the nightly build of a repository has a schedule."""
    return universe.repository.share >= _NIGHTLY_PACE


def _nightly(universe: Universe, day: int) -> Iterator[Trigger]:
    if not is_built_at_night(universe):
        return
    dice = universe.dice("nightly", day)
    late = dice.randint(150, 900)  # GitHub starts schedules some minutes late
    yield _build_of_main(universe, day * DAY + NIGHTLY_AT + late, "schedule", TEAM[0])
    if not is_weekend(day) and dice.random() < 0.05:
        by_hand = day * DAY + dice.randint(9 * HOUR, 16 * HOUR)
        yield _build_of_main(universe, by_hand, "workflow_dispatch", dice.choice(TEAM))


def _build_of_main(universe: Universe, at: int, event: str, actor: Developer) -> Trigger:
    return Trigger(at, NIGHTLY, event, "main", main_head(universe, at), actor, title=NIGHTLY.name)


def _releases(universe: Universe, day: int) -> Iterator[Trigger]:
    minor = (day - FOUNDED) // 7
    dice = universe.dice("release", minor)
    is_due, needs_patch = dice.random() < 0.85 * min(1.0, 2 * universe.repository.share), dice.random() < 0.15
    at = day * DAY + dice.randint(11 * HOUR, 15 * HOUR)
    if is_due and weekday(day) == _RELEASE_WEEKDAY:
        yield _release(universe, at, f"v1.{minor}.0")
    if is_due and needs_patch and weekday(day) == _RELEASE_WEEKDAY + 1:
        yield _release(universe, at, f"v1.{minor}.1")


def _release(universe: Universe, at: int, tag: str) -> Trigger:
    head = main_head(universe, at)
    return Trigger(at, RELEASE, "push", tag, head, _RELEASE_MANAGER, title=head.title)
