"""Histogram of how long workflow runs take."""

from phoenix_metrics.exporter.histograms import HistogramCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class DurationsCollector(HistogramCollector):
    """Durations of settled attempts.

    github_actions_workflow_run_duration_seconds_bucket{le="480.0",repository="acme/shop",workflow="CI"} 17.0
    github_actions_workflow_run_duration_seconds_bucket{le="+Inf",repository="acme/shop",workflow="CI"} 21.0
    github_actions_workflow_run_duration_seconds_count{repository="acme/shop",workflow="CI"} 21.0
    github_actions_workflow_run_duration_seconds_sum{repository="acme/shop",workflow="CI"} 8123.0
    """

    name = "github_actions_workflow_run_duration_seconds"
    mart = "workflow_run_duration_buckets"
    labels = ("repository", "workflow")
    subject = WORKFLOWS
    query = """
        select
            repository,
            workflow,
            upper_bound_seconds as upper_bound,
            attempt_count as below_count,
            duration_seconds_sum as below_sum,
            exemplar_run_id,
            exemplar_seconds as exemplar_value,
            exemplar_at,
            counted_since
        from counters.workflow_run_duration_buckets
    """
