"""Exact failure ratios and percentiles of duration over the last hour, day and week."""

from collections.abc import Iterator

from prometheus_client import Metric

from phoenix_metrics.exporter.figures import Figures
from phoenix_metrics.exporter.gauges import GaugeCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS

QUANTILES = {"0.5": "duration_p50_seconds", "0.95": "duration_p95_seconds", "0.99": "duration_p99_seconds"}


class WindowsCollector(GaugeCollector):
    """Ratios and percentiles with the number of runs they rest on; no sample where there is nothing to say.

    phoenix_failure_ratio{repository="acme/shop",window="24h",workflow="CI"} 0.125
    phoenix_failure_ratio_runs{repository="acme/shop",window="24h",workflow="CI"} 24.0
    phoenix_pipeline_duration_runs{repository="acme/shop",window="24h",workflow="CI"} 24.0
    phoenix_pipeline_duration_seconds{quantile="0.95",repository="acme/shop",window="24h",workflow="CI"} 731.5
    """

    mart = "workflow_windows"
    labels = ("repository", "workflow", "window")
    subject = WORKFLOWS
    gauges = (
        ("phoenix_failure_ratio", "failure_ratio"),
        ("phoenix_failure_ratio_runs", "run_count"),
        ("phoenix_pipeline_duration_runs", "duration_count"),
    )
    query = """
        select
            repository,
            workflow,
            time_window as "window",
            run_count,
            failure_ratio,
            duration_count,
            duration_p50_seconds,
            duration_p95_seconds,
            duration_p99_seconds
        from marts.workflow_windows
        order by repository, workflow, time_window
    """

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield ratios, counts and percentiles."""
        yield from super().metrics(figures)
        yield self._percentiles(figures)

    def _percentiles(self, figures: Figures) -> Metric:
        # A summary by type: it is one, and the label `quantile` is reserved for summaries (`promtool check metrics`).
        name = "phoenix_pipeline_duration_seconds"
        family = Metric(name, figures.help(self.mart), "summary")
        for row in figures.rows[self.query]:
            for quantile, column in QUANTILES.items():
                if row[column] is not None and not self.is_folded(figures, row):
                    labels = dict(zip(self.labels, self.series(figures, row), strict=True))
                    family.add_sample(name, {**labels, "quantile": quantile}, row[column])
        return family
