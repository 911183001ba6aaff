"""Counters of what is news, and of what we learned of too late to call it that."""

from collections.abc import Iterator
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures


class CounterCollector(MartCollector):
    """Counters of one mart, whose HELP is what the mart says of the column and of itself.

    The query returns the labels, and the column of each counter.
    """

    mart: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]
    counters: ClassVar[tuple[tuple[str, str], ...]]  # name and column

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield each counter."""
        for name, column in self.counters:
            yield self._counter(figures, name, column)

    def _counter(self, figures: Figures, name: str, column: str) -> Metric:
        help_text = figures.help(f"{self.mart}.{column}", self.mart)
        family = CounterMetricFamily(name, help_text, labels=self.labels)
        for row in figures.rows[self.query]:
            series = tuple(row[label] for label in self.labels)
            value = 0 if self.is_held(series) else row[column]
            family.add_metric(series, self._marks.raised((name, *series), value))
        return family
