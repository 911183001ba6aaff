"""What to generate, and how it is divided into parts that know nothing of each other."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from phoenix_metrics.demo.universe import DAY


def midnight(now: datetime) -> int:
    """Return when the day began, as seconds since 1970."""
    return int(now.timestamp()) // DAY * DAY


@dataclass(frozen=True)
class Plan:
    """So many runs of so many repositories, on the days before `until`, the seconds since 1970 of a midnight.

    Raises ValueError when there would be less than one run for each repository, or no day.
    """

    runs: int
    until: int
    repositories: int = 20
    days: int = 90
    seed: int = 7
    with_steps: bool = False
    part_size: int = 5_000  # runs in a file: bounds memory
    first_run: int = 0  # how many runs were generated before, whose ids are taken

    def __post_init__(self) -> None:
        if self.days < 1 or self.repositories < 1 or self.runs < self.repositories:
            raise ValueError("at least one day, one repository, and one run for each of them")

    @property
    def first_day(self) -> int:
        """The first day, as days since 1970."""
        return self.until // DAY - self.days

    @property
    def parts(self) -> int:
        """Into how many parts the runs are divided; a part is written as one file of each object."""
        return -(-self.runs // self.part_size)

    def size(self, part: int) -> int:
        """Return how many runs a part holds."""
        return min(self.part_size, self.runs - part * self.part_size)

    def dice(self, part: int) -> np.random.Generator:
        """Return the dice of a part."""
        return np.random.default_rng([self.seed, part])

    def repository_of(self, places: np.ndarray) -> np.ndarray:
        """Return the repository that has the runs at these places among all; each has as many as the others."""
        return places * self.repositories // self.runs

    def place_in_repository(self, places: np.ndarray) -> np.ndarray:
        """Return how many runs of the same repository lie before these places."""
        return places - -(-self.repository_of(places) * self.runs // self.repositories)

    def count_of(self, repository: int) -> int:
        """Return how many places are a repository's."""
        first, after = (-(-each * self.runs // self.repositories) for each in (repository, repository + 1))
        return after - first

    def progress(self, places: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        """Return how far into its repository's history, from 0 to just below 1, lies what is so many runs beyond."""
        share = self.repositories / self.runs
        return np.minimum(places * share % 1.0 + beyond * share, 1 - 1e-9)
