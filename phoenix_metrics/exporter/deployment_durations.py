"""Histogram of how long deployments take."""

from phoenix_metrics.exporter.histograms import HistogramCollector
from phoenix_metrics.exporter.newcomers import SERVICES


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
    first_seen = SERVICES
    query = """
        select
            service,
            environment,
            upper_bound_seconds as upper_bound,
            deployment_count as below_count,
            duration_seconds_sum as below_sum
        from marts.deployment_duration_buckets
        order by service, environment, upper_bound_seconds
    """
