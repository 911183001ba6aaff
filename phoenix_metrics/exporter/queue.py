"""Histogram of how long jobs wait for a runner."""

from phoenix_metrics.exporter.histograms import HistogramCollector
from phoenix_metrics.exporter.subjects import RUNNERS


class QueueCollector(HistogramCollector):
    """Queue times of jobs.

    github_actions_job_queue_seconds_bucket{le="10.0",repository="acme/shop",runner="ubuntu-latest"} 40.0
    github_actions_job_queue_seconds_bucket{le="+Inf",repository="acme/shop",runner="ubuntu-latest"} 41.0
    github_actions_job_queue_seconds_count{repository="acme/shop",runner="ubuntu-latest"} 41.0
    github_actions_job_queue_seconds_sum{repository="acme/shop",runner="ubuntu-latest"} 263.0
    """

    name = "github_actions_job_queue_seconds"
    mart = "job_queue_buckets"
    labels = ("repository", "runner")
    subject = RUNNERS
    query = """
        select
            repository,
            runner,
            upper_bound_seconds as upper_bound,
            job_count as below_count,
            queue_seconds_sum as below_sum,
            counted_since
        from counters.job_queue_buckets
    """
