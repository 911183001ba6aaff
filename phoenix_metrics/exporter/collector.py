"""What the collectors of all subjects have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC
from typing import ClassVar

from prometheus_client import Metric
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.figures import Figures, Follower, Row
from phoenix_metrics.exporter.subjects import OTHER, Subject


class MartCollector(Collector, ABC):
    """The metrics of one subject, from the rows of one query; none before the first publication."""

    query: ClassVar[str]
    subject: ClassVar[Subject | None] = None
    labels: ClassVar[tuple[str, ...]]
    named_by: ClassVar[tuple[str, ...]] = ()  # the labels that name the subject, where they are not called as there

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

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

    def series(self, figures: Figures, row: Row) -> tuple[str, ...]:
        """Return the values of the labels for a row; what shares a series is called other."""
        if self.subject is None or not self.is_folded(figures, row):
            return tuple(row[label] for label in self.labels)
        named_by = self.named_by or self.subject.labels
        return tuple(OTHER if label in named_by else row[label] for label in self.labels)

    def is_folded(self, figures: Figures, row: Row) -> bool:
        """Whether a row is of something that has no series of its own."""
        subject = self.subject
        return subject is not None and tuple(row[label] for label in subject.labels) in figures.folded[subject]

    def is_held(self, row: Row) -> bool:
        """Whether a row still shows zero because it is so new."""
        return row["counted_since"] in self._follower.view.newcomers


def created_at(row: Row) -> float | None:
    """Return when a row began to be counted, in seconds since 1970; None for what was there from the beginning."""
    since = row["counted_since"]
    return since.replace(tzinfo=UTC).timestamp() if since is not None else None
