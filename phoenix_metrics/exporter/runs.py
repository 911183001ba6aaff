"""Counters of workflow runs."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures

LABELS = ("repository", "workflow", "status", "conclusion")


class RunsCollector(MartCollector):
    """Settled attempts by conclusion, and those that we learned of too late to call them news.

    github_actions_workflow_run_total{conclusion="failure",repository="acme/shop",status="completed",workflow="CI"} 3.0
    github_actions_workflow_run_late_total{conclusion="failure",repository="acme/shop",status="completed",…} 218.0
    """

    query = """
        select repository, workflow, conclusion, attempt_count, late_attempt_count
        from marts.workflow_run_totals
        order by repository, workflow, conclusion
    """

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield both counters."""
        yield self._counter(figures, "github_actions_workflow_run_total", "attempt_count")
        yield self._counter(figures, "github_actions_workflow_run_late_total", "late_attempt_count")

    def _counter(self, figures: Figures, name: str, column: str) -> Metric:
        help_text = figures.help(f"workflow_run_totals.{column}", "workflow_run_totals")
        family = CounterMetricFamily(name, help_text, labels=LABELS)
        for row in figures.rows[self.query]:
            labels = (row["repository"], row["workflow"], "completed", row["conclusion"])
            value = 0 if self.is_held(labels) else row[column]
            family.add_metric(labels, self._marks.raised((name, *labels), value))
        return family
