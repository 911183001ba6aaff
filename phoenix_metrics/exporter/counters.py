"""Counters of what is news, and of what we learned of too late to call it that."""

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from phoenix_metrics.exporter.collector import MartCollector, created_at
from phoenix_metrics.exporter.figures import Figures


class CounterCollector(MartCollector):
    """Counters of one mart, whose HELP is what the mart says of the column and of itself.

    The query reads the mart's table in the schema `counters` and returns the labels, the column of each counter and
    `counted_since`.
    """

    mart: ClassVar[str]
    counters: ClassVar[tuple[tuple[str, str], ...]]  # name and column

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield each counter."""
        for name, column in self.counters:
            yield self._counter(figures, name, column)

    def _counter(self, figures: Figures, name: str, column: str) -> Metric:
        help_text = figures.help(f"{self.mart}.{column}", self.mart)
        family = CounterMetricFamily(name, help_text, labels=self.labels)
        rows = sorted(((self.series(figures, row), row) for row in figures.rows[self.query]), key=lambda pair: pair[0])
        for series, pairs in groupby(rows, key=lambda pair: pair[0]):
            its = [row for _, row in pairs]
            value = sum(0 if self.is_held(row) else row[column] for row in its)
            family.add_metric(series, value, created=created_at(its[0]) if len(its) == 1 else None)
        return family
