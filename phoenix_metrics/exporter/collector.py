"""What the collectors of all subjects have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.figures import Figures, Follower
from phoenix_metrics.exporter.high_water import HighWater


class MartCollector(Collector, ABC):
    """The metrics of one subject, from the rows of one query; none before the first publication."""

    query: ClassVar[str]

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
        """Whether a series, named by repository, workflow and more, still shows zero because its workflow is so new."""
        return series[:2] in self._follower.view.newcomers
