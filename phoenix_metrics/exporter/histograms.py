"""Histograms from stored cumulative buckets."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import groupby
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.samples import Exemplar

from phoenix_metrics.exporter.collector import MartCollector, created_at
from phoenix_metrics.exporter.figures import Figures, Row

Bucket = tuple[str, float] | tuple[str, float, Exemplar]


class HistogramCollector(MartCollector):
    """A histogram of one mart, whose HELP is what the mart says of itself.

    The query reads the mart's table in the schema `counters` and returns the labels, `upper_bound`, `below_count`,
    `below_sum` and `counted_since`; the last bound is infinite. Where it returns `exemplar_run_id`, `exemplar_value`
    and `exemplar_at`, each bucket names the newest run in it.
    """

    name: ClassVar[str]
    mart: ClassVar[str]

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield the histogram."""
        family = HistogramMetricFamily(self.name, figures.help(self.mart), labels=self.labels)
        rows = [(self.series(figures, row), row) for row in figures.rows[self.query]]
        rows.sort(key=lambda pair: (pair[0], pair[1]["upper_bound"]))
        for series, pairs in groupby(rows, key=lambda pair: pair[0]):
            its = [row for _, row in pairs]
            self._add(family, series, its)
        yield family

    def _add(self, family: HistogramMetricFamily, series: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Add one series; of a series that several share, `rows` has several of each bound."""
        shown = self._shown(rows)
        bounds = [list(its) for _, its in groupby(rows, key=lambda row: row["upper_bound"])]
        buckets = [_bucket(its[0]["upper_bound"], [row for row in its if self._key(row) in shown]) for its in bounds]
        total = sum(row["below_sum"] for row in bounds[-1] if self._key(row) in shown)
        family.add_metric(series, buckets, total)
        created = created_at(rows[0])
        if created is not None and len(bounds) == len(rows):
            family.add_sample(f"{self.name}_created", dict(zip(self.labels, series, strict=True)), created)

    def _shown(self, rows: Sequence[Row]) -> set[tuple[str, ...]]:
        """Return what is not held at zero; a bound that is new in an old histogram holds nothing of it."""
        return {self._key(row) for row in rows if not self.is_held(row)}

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(row[label] for label in self.labels)


def _bucket(upper_bound: float, rows: Sequence[Row]) -> Bucket:
    """Return a bucket: its bound, its count and the newest run in it, if one is told."""
    le, count = _le(upper_bound), sum(row["below_count"] for row in rows)
    told = [row for row in rows if row.get("exemplar_run_id") is not None]
    if not told:
        return le, count
    newest = max(told, key=lambda row: row["exemplar_at"])
    at = newest["exemplar_at"].replace(tzinfo=UTC).timestamp()
    return le, count, Exemplar({"run_id": str(newest["exemplar_run_id"])}, newest["exemplar_value"], at)


def _le(upper_bound: float) -> str:
    return "+Inf" if math.isinf(upper_bound) else str(upper_bound)
