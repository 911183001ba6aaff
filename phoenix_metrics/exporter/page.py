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
from phoenix_metrics.exporter.health import HealthCollector, PushCollector
from phoenix_metrics.exporter.objectives import ObjectivesCollector
from phoenix_metrics.exporter.open_deployments import OpenDeploymentsCollector
from phoenix_metrics.exporter.otel import OTEL_COLLECTORS
from phoenix_metrics.exporter.queue import QueueCollector
from phoenix_metrics.exporter.rollbacks import RollbacksCollector
from phoenix_metrics.exporter.runs import RunsCollector
from phoenix_metrics.exporter.schedules import SchedulesCollector
from phoenix_metrics.exporter.sources import SourcesCollector
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
    SourcesCollector,
)


class Page:
    """All metrics as text, written once for each snapshot and format and then given out from memory.

    Whoever calls `refresh` now and then keeps it fresh; `prepared` then never waits for a snapshot to be read. Safe
    between threads.
    """

    def __init__(
        self,
        reader: SnapshotReader,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        limit: int = LIMIT,
        otel_names: bool = False,
        is_pushed: bool = False,
    ) -> None:
        self._lock = threading.Lock()
        collectors = (*COLLECTORS, *OTEL_COLLECTORS) if otel_names else COLLECTORS
        self._follower = Follower(reader, [collector.query for collector in collectors], limit, clock)
        self._registry = CollectorRegistry()
        self._registry.register(HealthCollector(self._follower))
        if is_pushed:
            self._registry.register(PushCollector(lambda: self._pushed_at))
        for collector in collectors:
            self._registry.register(collector(self._follower))
        self._pushed_at = 0.0
        self._written: tuple[View, float] | None = None
        self._texts: dict[str, bytes] = {}  # by content type
        self._encoders: dict[str, Callable[[Collector], bytes]] = {}  # of the formats that were asked for

    def prepared(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page as last written in the format that an Accept header asks for, and its content type."""
        content_type = _encoder(accept)[1]
        text = self._texts.get(content_type)
        return (text, content_type) if text is not None else self.render(accept)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page of what is published now; waits for it to be written."""
        encode, content_type = _encoder(accept)
        with self._lock:
            self._encoders[content_type] = encode
            self._write()
            return self._texts[content_type], content_type

    def refresh(self) -> None:
        """Write the page anew if something has changed, in every format that was asked for."""
        with self._lock:
            self._write()

    @property
    def view(self) -> View:
        """What is served now."""
        return self._follower.view

    def families(self) -> list[Metric]:
        """Return the metrics that the page of what is published now is made of."""
        with self._lock:
            self._follower.refresh()
            return list(self._registry.collect())

    def note_push(self, at: float) -> None:
        """Take down when a collector took the metrics (seconds since 1970); the next refresh writes it."""
        self._pushed_at = at

    def is_ready(self) -> bool:
        """Whether the figures of a snapshot are served."""
        if self._follower.view.figures is None:
            self.refresh()
        return self._follower.view.figures is not None

    def _write(self) -> None:
        state = (self._follower.refresh(), self._pushed_at)
        for content_type, encode in self._encoders.items():
            if state != self._written or content_type not in self._texts:
                self._texts[content_type] = encode(self._registry)
        self._written = state


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
