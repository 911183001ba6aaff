"""Counters of workflow runs."""

from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class RunsCollector(CounterCollector):
    """Settled attempts by conclusion, and those that we learned of too late to call them news.

    github_actions_workflow_run_total{conclusion="failure",repository="acme/shop",status="completed",workflow="CI"} 3.0
    github_actions_workflow_run_late_total{conclusion="failure",repository="acme/shop",status="completed",…} 218.0
    """

    mart = "workflow_run_totals"
    labels = ("repository", "workflow", "status", "conclusion")
    subject = WORKFLOWS
    counters = (
        ("github_actions_workflow_run_total", "attempt_count"),
        ("github_actions_workflow_run_late_total", "late_attempt_count"),
    )
    query = """
        select
            repository,
            workflow,
            'completed' as status,
            conclusion,
            attempt_count,
            late_attempt_count,
            counted_since
        from counters.workflow_run_totals
    """
