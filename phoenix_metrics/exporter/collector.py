"""What the collectors of all subjects have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.figures import Figures, Follower
from phoenix_metrics.exporter.high_water import HighWater
from phoenix_metrics.exporter.newcomers import FirstSeen


class MartCollector(Collector, ABC):
    """The metrics of one subject, from the rows of one query; none before the first publication.

    Where `first_seen` says since when the things are known that its series are about, a new one shows zeros at first.
    """

    query: ClassVar[str]
    first_seen: ClassVar[FirstSeen | None] = None

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._marks = HighWater()

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of what is served now."""
        if self._follower.view.figures:
            yield from self.metrics(self._follower.view.figures)

    @abstractmethod
    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield the metrics of a snapshot."""

    def is_held(self, series: tuple[str, ...]) -> bool:
        """Whether a series, named by the values of its labels, still shows zero because what it is about is so new."""
        if self.first_seen is None:
            return False
        return series[: len(self.first_seen.labels)] in self._follower.view.newcomers[self.first_seen]
