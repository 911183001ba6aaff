"""When production is touched: once on most working days, and while a scene spoils it every few hours."""

from collections.abc import Iterator
from dataclasses import dataclass

from phoenix_metrics.demo.scenes import Change
from phoenix_metrics.demo.universe import DAY, HOUR, Universe

_FIRST_AFTER = 300  # seconds from the scene's beginning
_EVERY = 3 * HOUR
_LATEST_BY = 1_800


@dataclass(frozen=True, slots=True)
class Occasion:
    """A time to deliver to production; `trouble` counts the deliveries of a scene, which go wrong."""

    at: int
    trouble: int | None = None


def troubles(universe: Universe, day: int) -> Iterator[Occasion]:
    """Yield the occasions of a day, in the order of their times, on which a scene spoils production."""
    for change in universe.scenes.changes:
        if change.scene.spoils_production:
            for occasion in _occasions(universe, change, day):
                if occasion.at // DAY == day and universe.scenes.change_at(occasion.at) == change:
                    yield occasion


def _occasions(universe: Universe, change: Change, day: int) -> Iterator[Occasion]:
    first = max(0, (day * DAY - change.since - _FIRST_AFTER) // _EVERY - 1)
    for number in range(first, first + DAY // _EVERY + 3):
        late = universe.dice("trouble", change.since, number).randint(0, _LATEST_BY) if number else 0
        yield Occasion(change.since + _FIRST_AFTER + number * _EVERY + late, number)
