"""The page that Prometheus reads."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.budgets import BudgetsCollector
from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.costs import CostsCollector
from phoenix_metrics.exporter.deployment_durations import DeploymentDurationsCollector
from phoenix_metrics.exporter.deployments import DeploymentsCollector
from phoenix_metrics.exporter.durations import DurationsCollector
from phoenix_metrics.exporter.figures import Follower, View
from phoenix_metrics.exporter.freshness import FreshnessCollector
from phoenix_metrics.exporter.health import HealthCollector
from phoenix_metrics.exporter.objectives import ObjectivesCollector
from phoenix_metrics.exporter.open_deployments import OpenDeploymentsCollector
from phoenix_metrics.exporter.queue import QueueCollector
from phoenix_metrics.exporter.rollbacks import RollbacksCollector
from phoenix_metrics.exporter.runs import RunsCollector
from phoenix_metrics.exporter.schedules import SchedulesCollector
from phoenix_metrics.exporter.waste import WasteCollector
from phoenix_metrics.exporter.windows import WindowsCollector
from phoenix_metrics.warehouse.snapshot import SnapshotReader

LIMIT = 1_000  # things of a kind with series of their own, unless it is set

COLLECTORS: tuple[type[MartCollector], ...] = (
    RunsCollector,
    DurationsCollector,
    QueueCollector,
    WindowsCollector,
    ObjectivesCollector,
    CostsCollector,
    WasteCollector,
    BudgetsCollector,
    SchedulesCollector,
    DeploymentsCollector,
    DeploymentDurationsCollector,
    OpenDeploymentsCollector,
    RollbacksCollector,
    FreshnessCollector,
)


class Page:
    """All metrics as text, written once for each snapshot and then given out from memory; safe between threads."""

    def __init__(
        self,
        reader: SnapshotReader,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        limit: int = LIMIT,
    ) -> None:
        self._lock = threading.Lock()
        self._follower = Follower(reader, [collector.query for collector in COLLECTORS], limit, clock)
        self._registry = CollectorRegistry()
        self._registry.register(HealthCollector(self._follower))
        for collector in COLLECTORS:
            self._registry.register(collector(self._follower))
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


class _WithoutCreated(Collector):
    """What the older text format can say: there, the time of a counter's beginning would be a gauge of its own."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Return what writes a page in the format that is asked for, and its content type."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # it stumbles over `version=abc`
        encode, content_type = choose_encoder("")
    if content_type.startswith("application/openmetrics-text"):
        return encode, content_type
    return (lambda registry: encode(_WithoutCreated(registry))), content_type
