"""What depends on the day, as one table for all days: the rhythm of work, slow seasons, afternoons without runners."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phoenix_metrics.demo.bulk.plan import Plan
from phoenix_metrics.demo.execution import SLOW_SEASON_FACTOR
from phoenix_metrics.demo.seasons import is_slow_season, shortage, slowness
from phoenix_metrics.demo.universe import DAY, HOUR, Universe, weekday
from phoenix_metrics.demo.workflows import COMPONENTS

STORY, DEVELOP, NIGHTLY, BY_HAND, RELEASE = range(5)
_A_DAY = np.array(  # how many of each begin on a Monday, a Tuesday, …
    [
        [10.2, 10.2, 10.2, 10.2, 10.2, 1.6, 1.6],
        [4.5, 4.5, 4.5, 4.5, 4.5, 0.4, 0.4],
        [1, 1, 1, 1, 1, 1, 1],
        [0.05, 0.05, 0.05, 0.05, 0.05, 0, 0],
        [0, 0, 0.85, 0.85 * 0.15, 0, 0, 0],
    ]
)
_MARGIN = 8  # days before the first that a story moved back may touch
_LAST_START = 10 * HOUR  # what starts that long before the end has ended by then, even if two jobs hang


@dataclass(frozen=True)
class Calendar:
    """The days of a plan."""

    plan: Plan

    @property
    def closing(self) -> int:
        """The moment after which nothing starts, so that all has ended when the plan's days have."""
        return self.plan.until - _LAST_START

    @cached_property
    def shares(self) -> np.ndarray:
        """How much of what begins is of each kind."""
        totals = self._begun[:, -1]
        return np.asarray(totals / totals.sum())

    def days(self, kinds: np.ndarray, progress: np.ndarray) -> np.ndarray:
        """Return on which day something of a kind begins that lies so far, from 0 to 1, into the history."""
        found = np.empty(len(kinds), np.int64)
        for kind, begun in enumerate(self._begun):
            chosen = kinds == kind
            found[chosen] = np.searchsorted(begun, progress[chosen] * begun[-1], side="right")
        return self.plan.first_day + np.minimum(found, self.plan.days - 1)

    def slowness(self, at: np.ndarray, component: str, *, has_seasons: bool) -> np.ndarray:
        """Return by how much the jobs of a component are slower than usual at these moments."""
        index = self._index(at)
        drift = self._drift[COMPONENTS.index(component)][index]
        return drift * np.where(self._is_slow[index], SLOW_SEASON_FACTOR, 1.0) if has_seasons else drift

    def is_short(self, at: np.ndarray) -> np.ndarray:
        """Tell at which of these moments runners are scarce."""
        since, to = self._shortage[self._index(at)].T
        return (since <= at) & (at < to)

    @cached_property
    def _begun(self) -> np.ndarray:
        weekdays = [weekday(day) for day in range(self.plan.first_day, self.plan.first_day + self.plan.days)]
        return _A_DAY[:, weekdays].cumsum(axis=1)

    @cached_property
    def _days(self) -> range:
        return range(self.plan.first_day - _MARGIN, self.plan.until // DAY + 1)

    def _index(self, at: np.ndarray) -> np.ndarray:
        return np.clip(at // DAY - self._days.start, 0, len(self._days) - 1)

    @cached_property
    def _drift(self) -> np.ndarray:
        universe = Universe(self.plan.seed)
        return np.array([[slowness(universe, day, component) for day in self._days] for component in COMPONENTS])

    @cached_property
    def _is_slow(self) -> np.ndarray:
        return np.array([is_slow_season(day) for day in self._days])

    @cached_property
    def _shortage(self) -> np.ndarray:
        universe = Universe(self.plan.seed)
        return np.array([shortage(universe, day) or (0, 0) for day in self._days])
