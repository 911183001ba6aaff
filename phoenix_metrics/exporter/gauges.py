"""Gauges of one mart."""

from collections.abc import Iterator
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures


class GaugeCollector(MartCollector):
    """Gauges of one mart, whose HELP is what the mart says of the column; no sample where the column is NULL.

    The query returns the labels, and the column of each gauge. What has no series of its own has no gauge: ratios and
    moments cannot be added up.
    """

    mart: ClassVar[str]
    gauges: ClassVar[tuple[tuple[str, str], ...]]  # name and column

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield each gauge."""
        for name, column in self.gauges:
            help_text = figures.help(f"{self.mart}.{column}", self.mart)
            family = GaugeMetricFamily(name, help_text, labels=self.labels)
            for row in figures.rows[self.query]:
                if row[column] is not None and not self.is_folded(figures, row):
                    family.add_metric(self.series(figures, row), row[column])
            yield family
