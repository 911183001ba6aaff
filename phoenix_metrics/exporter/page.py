"""The page that Prometheus reads."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.deployment_durations import DeploymentDurationsCollector
from phoenix_metrics.exporter.deployments import DeploymentsCollector
from phoenix_metrics.exporter.durations import DurationsCollector
from phoenix_metrics.exporter.figures import Follower, View
from phoenix_metrics.exporter.freshness import FreshnessCollector
from phoenix_metrics.exporter.health import HealthCollector
from phoenix_metrics.exporter.queue import QueueCollector
from phoenix_metrics.exporter.rollbacks import RollbacksCollector
from phoenix_metrics.exporter.runs import RunsCollector
from phoenix_metrics.exporter.windows import WindowsCollector
from phoenix_metrics.warehouse.snapshot import SnapshotReader

SUBJECTS: tuple[type[MartCollector], ...] = (
    RunsCollector,
    DurationsCollector,
    QueueCollector,
    WindowsCollector,
    DeploymentsCollector,
    DeploymentDurationsCollector,
    RollbacksCollector,
    FreshnessCollector,
)


class Page:
    """All metrics as text, written once for each snapshot and then given out from memory; safe between threads."""

    def __init__(self, reader: SnapshotReader, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lock = threading.Lock()
        queries = [subject.query for subject in SUBJECTS]
        first_seen = {subject.first_seen for subject in SUBJECTS if subject.first_seen}
        self._follower = Follower(reader, queries, first_seen, clock)
        self._registry = CollectorRegistry()
        self._registry.register(HealthCollector(self._follower))
        for subject in SUBJECTS:
            self._registry.register(subject(self._follower))
        self._accept = ""
        self._written: tuple[View, str] | None = None
        self._text = b""

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page in the format that an Accept header asks for, and its content type."""
        with self._lock:
            self._accept = accept
            return self._write()

    def warm(self) -> None:
        """Write the page if it has changed, in the format last asked for, so that no scrape waits for it."""
        with self._lock:
            self._write()

    def is_ready(self) -> bool:
        """Whether the figures of a snapshot are served."""
        with self._lock:
            return self._follower.refresh().figures is not None

    def _write(self) -> tuple[bytes, str]:
        encode, content_type = _encoder(self._accept)
        view = self._follower.refresh()
        if self._written != (view, content_type):
            self._text = encode(self._registry)
            self._written = (view, content_type)
        return self._text, content_type


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # it stumbles over `version=abc`
        return choose_encoder("")
