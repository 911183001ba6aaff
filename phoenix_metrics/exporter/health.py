"""The exporter's own health."""

from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phoenix_metrics.exporter.figures import Figures, Follower


class HealthCollector(Collector):
    """Whether the figures are those of the newest snapshot, and how old they are.

    phoenix_snapshot_readable 1.0
    phoenix_snapshot_timestamp_seconds 1.7e+09
    phoenix_snapshot_read_seconds 0.03
    phoenix_exporter_folded{subject="workflow"} 0.0
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield whether the snapshot is readable and, once there are figures, what they come from."""
        view = self._follower.view
        yield GaugeMetricFamily(
            "phoenix_snapshot_readable",
            "Whether the newest snapshot could be read (1); if not (0), the figures are those of the last that could.",
            value=int(view.is_readable),
        )
        if view.figures:
            yield GaugeMetricFamily(
                "phoenix_snapshot_timestamp_seconds",
                "When the snapshot that the figures come from was published.",
                value=view.figures.snapshot.published_at.timestamp(),
            )
            yield GaugeMetricFamily(
                "phoenix_snapshot_read_seconds",
                "How long reading that snapshot took.",
                value=view.figures.read_seconds,
            )
            yield _folded(view.figures)


class PushCollector(Collector):
    """When a collector last took everything; 0 before the first time.

    phoenix_otlp_last_success_timestamp_seconds 1.7e+09
    """

    def __init__(self, pushed_at: Callable[[], float]) -> None:
        self._pushed_at = pushed_at

    def describe(self) -> list[Metric]:
        """Return nothing, as the others do."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the moment."""
        yield GaugeMetricFamily(
            "phoenix_otlp_last_success_timestamp_seconds",
            "When the OTLP collector last took all metrics (PHOENIX_OTLP_ENDPOINT); 0 if it never did.",
            value=self._pushed_at(),
        )


def _folded(figures: Figures) -> Metric:
    family = GaugeMetricFamily(
        "phoenix_exporter_folded",
        "How many workflows, kinds of runner and services have no series of their own but count as other "
        "(PHOENIX_EXPORTER_LIMIT).",
        labels=["subject"],
    )
    for subject, folded in figures.folded.items():
        family.add_metric([subject.name], len(folded))
    return family
