"""What changes with the calendar: slow weeks of a test suite, afternoons without free runners, the drift of speed."""

from functools import lru_cache
from random import Random

from phoenix_metrics.demo.universe import DAY, HOUR, Universe, is_weekend

SLOW_JOB = "test (integration)"
_SLOW_CYCLE = 84
_SLOW_DAYS = 49
_SLOW_PHASE = 11


@lru_cache(maxsize=4096)
def slowness(universe: Universe, day: int, component: str) -> float:
    """Return by how much a component's jobs are slower than usual on a day."""
    return float(universe.dice("drift", day, component).lognormvariate(0, 0.06))


def is_slow_season(day: int) -> bool:
    """Tell whether the integration tests are slow: every twelve weeks they are spoilt, and seven weeks later mended."""
    return (day - _SLOW_PHASE) % _SLOW_CYCLE < _SLOW_DAYS


@lru_cache(maxsize=512)
def shortage(universe: Universe, day: int) -> tuple[int, int] | None:
    """Return from when to when runners are scarce on a day, if they are."""
    dice = universe.dice("shortage", day)
    if is_weekend(day) or dice.random() > 0.11:
        return None
    start = day * DAY + dice.randint(12 * HOUR, 14 * HOUR)
    return start, start + dice.randint(2 * HOUR, 4 * HOUR)


def queue_seconds(universe: Universe, at: int, dice: Random, *, is_calm: bool = False) -> int:
    """Return how long a job that is ready at this moment waits for a runner; when calm, runners are never scarce."""
    scarce = None if is_calm else shortage(universe, at // DAY)
    if scarce and scarce[0] <= at < scarce[1]:
        return min(2_700, round(dice.lognormvariate(5.9, 0.7)))
    return min(240, 1 + round(dice.lognormvariate(1.4, 0.6)))
