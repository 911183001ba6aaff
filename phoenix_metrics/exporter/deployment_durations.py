"""Histogram of how long deployments take."""

from phoenix_metrics.exporter.histograms import HistogramCollector
from phoenix_metrics.exporter.subjects import SERVICES


class DeploymentDurationsCollector(HistogramCollector):
    """Durations of deployments.

    phoenix_deployment_duration_seconds_bucket{environment="production",le="60.0",service="shop"} 37.0
    phoenix_deployment_duration_seconds_bucket{environment="production",le="+Inf",service="shop"} 41.0
    phoenix_deployment_duration_seconds_count{environment="production",service="shop"} 41.0
    phoenix_deployment_duration_seconds_sum{environment="production",service="shop"} 1911.0
    """

    name = "phoenix_deployment_duration_seconds"
    mart = "deployment_duration_buckets"
    labels = ("service", "environment")
    subject = SERVICES
    query = """
        select
            service,
            environment,
            upper_bound_seconds as upper_bound,
            deployment_count as below_count,
            duration_seconds_sum as below_sum,
            counted_since
        from counters.deployment_duration_buckets
    """
