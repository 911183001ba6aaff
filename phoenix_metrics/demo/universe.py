"""The choice of a history, and the dice that tell it the same way every time."""

import hashlib
from dataclasses import dataclass, replace
from math import exp
from random import Random

from phoenix_metrics.demo.repositories import PLATFORM, Repository
from phoenix_metrics.demo.scenes import NO_SCENES, Scenes

DAY = 86_400
HOUR = 3_600

FOUNDED = 20_094  # 2025-01-06, a Monday, as days since 1970; nothing happened before


@dataclass(frozen=True)
class Universe:
    """One history out of many: times in it are seconds since 1970, days are whole days since 1970, all UTC.

    `pace` is how busy the repository is, as a multiple of the platform's usual.
    """

    seed: int = 7
    pace: float = 1.0
    repository: Repository = PLATFORM
    scenes: Scenes = NO_SCENES

    def until(self, moment: int) -> "Universe":
        """Return the same history as far as it was decided by a moment: what is kept of a day outlives later scenes."""
        scenes = self.scenes.until(moment)
        return self if scenes is self.scenes else replace(self, scenes=scenes)

    def dice(self, *about: object) -> Random:
        """Return the dice for one subject; the same subject always meets the same throws."""
        return Random(self._subject(about))

    def sha(self, *about: object) -> str:
        """Return the commit hash for one subject."""
        return hashlib.sha1(self._subject(about).encode(), usedforsecurity=False).hexdigest()

    def count(self, dice: Random, mean: float) -> int:
        """Return how often something happens that happens `mean` times at pace 1."""
        expected = mean * self.pace
        if self.repository.number:
            return _rare(dice, expected)
        return max(0, round(dice.gauss(expected, expected**0.5 * 0.7)))

    def _subject(self, about: tuple[object, ...]) -> str:
        whose = (self.repository.name,) if self.repository.number else ()
        return "/".join(map(str, (self.seed, *whose, *about)))


def _rare(dice: Random, expected: float) -> int:
    """Return how often something happens that happens rarely, by Poisson's law."""
    count, chance = 0, dice.random()
    while chance > exp(-expected):
        count, chance = count + 1, chance * dice.random()
    return count


def is_weekend(day: int) -> bool:
    """Tell whether a day is a Saturday or a Sunday."""
    return weekday(day) >= 5


def weekday(day: int) -> int:
    """Return 0 for Monday to 6 for Sunday."""
    return (day + 3) % 7
