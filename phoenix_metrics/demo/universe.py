"""The choice of a history, and the dice that tell it the same way every time."""

import hashlib
from dataclasses import dataclass, replace
from random import Random

from phoenix_metrics.demo.scenes import NO_SCENES, Scenes

DAY = 86_400
HOUR = 3_600

FOUNDED = 20_094  # 2025-01-06, a Monday, as days since 1970; nothing happened before


@dataclass(frozen=True)
class Universe:
    """One history out of many: times in it are seconds since 1970, days are whole days since 1970, all UTC."""

    seed: int = 7
    pace: float = 1.0
    scenes: Scenes = NO_SCENES

    def until(self, moment: int) -> "Universe":
        """Return the same history as far as it was decided by a moment: what is kept of a day outlives later scenes."""
        scenes = self.scenes.until(moment)
        return self if scenes is self.scenes else replace(self, scenes=scenes)

    def dice(self, *about: object) -> Random:
        """Return the dice for one subject; the same subject always meets the same throws."""
        return Random("/".join(map(str, (self.seed, *about))))

    def sha(self, *about: object) -> str:
        """Return the commit hash for one subject."""
        return hashlib.sha1("/".join(map(str, (self.seed, *about))).encode(), usedforsecurity=False).hexdigest()

    def count(self, dice: Random, mean: float) -> int:
        """Return how often something happens that happens `mean` times at pace 1."""
        expected = mean * self.pace
        return max(0, round(dice.gauss(expected, expected**0.5 * 0.7)))


def is_weekend(day: int) -> bool:
    """Tell whether a day is a Saturday or a Sunday."""
    return weekday(day) >= 5


def weekday(day: int) -> int:
    """Return 0 for Monday to 6 for Sunday."""
    return (day + 3) % 7
