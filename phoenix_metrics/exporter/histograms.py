"""Histograms from stored cumulative buckets."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures, Row


class HistogramCollector(MartCollector):
    """A histogram of one mart, whose HELP is what the mart says of itself.

    The query returns the labels, `upper_bound`, `below_count` and `below_sum`, in the order of labels and bounds; the
    last bound is infinite.
    """

    name: ClassVar[str]
    mart: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield the histogram."""
        family = HistogramMetricFamily(self.name, figures.help(self.mart), labels=self.labels)
        for series, rows in groupby(figures.rows[self.query], key=self._series):
            buckets, total = self._raised(series, list(rows))
            family.add_metric(series, buckets, total)
        yield family

    def _series(self, row: Row) -> tuple[str, ...]:
        return tuple(row[label] for label in self.labels)

    def _raised(self, series: tuple[str, ...], rows: Sequence[Row]) -> tuple[list[tuple[str, float]], float]:
        """Return buckets and sum with their high-water marks; of cumulative buckets the marks are cumulative too."""
        share = 0 if self.is_held(series) else 1
        raised = self._marks.raised
        buckets = [
            (_le(row["upper_bound"]), raised((*series, row["upper_bound"]), share * row["below_count"])) for row in rows
        ]
        return buckets, raised((*series, "sum"), share * rows[-1]["below_sum"])


def _le(upper_bound: float) -> str:
    return "+Inf" if math.isinf(upper_bound) else str(upper_bound)
