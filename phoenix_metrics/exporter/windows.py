"""Exact failure ratios and percentiles of duration over the last hour, day and week."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures

LABELS = ("repository", "workflow", "window")
QUANTILES = {"0.5": "duration_p50_seconds", "0.95": "duration_p95_seconds", "0.99": "duration_p99_seconds"}


class WindowsCollector(MartCollector):
    """Ratios with the number of runs they rest on, and percentiles; no sample where there is nothing to say.

    phoenix_failure_ratio{repository="acme/shop",window="24h",workflow="CI"} 0.125
    phoenix_failure_ratio_runs{repository="acme/shop",window="24h",workflow="CI"} 24.0
    phoenix_pipeline_duration_seconds{quantile="0.95",repository="acme/shop",window="24h",workflow="CI"} 731.5
    """

    query = """
        select
            repository,
            workflow,
            time_window as "window",
            run_count,
            failure_ratio,
            duration_p50_seconds,
            duration_p95_seconds,
            duration_p99_seconds
        from marts.workflow_windows
        order by repository, workflow, time_window
    """

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield ratios, their counts and percentiles."""
        yield self._gauge(figures, "phoenix_failure_ratio", "failure_ratio")
        yield self._gauge(figures, "phoenix_failure_ratio_runs", "run_count")
        yield self._percentiles(figures)

    def _gauge(self, figures: Figures, name: str, column: str) -> Metric:
        help_text = figures.help(f"workflow_windows.{column}", "workflow_windows")
        family = GaugeMetricFamily(name, help_text, labels=LABELS)
        for row in figures.rows[self.query]:
            if row[column] is not None:
                family.add_metric([row[label] for label in LABELS], row[column])
        return family

    def _percentiles(self, figures: Figures) -> Metric:
        # A summary by type: it is one, and the label `quantile` is reserved for summaries (`promtool check metrics`).
        name = "phoenix_pipeline_duration_seconds"
        family = Metric(name, figures.help("workflow_windows"), "summary")
        for row in figures.rows[self.query]:
            labels = {label: row[label] for label in LABELS}
            for quantile, column in QUANTILES.items():
                if row[column] is not None:
                    family.add_sample(name, {**labels, "quantile": quantile}, row[column])
        return family
