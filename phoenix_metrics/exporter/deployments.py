"""Counters of deployments."""

from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.subjects import SERVICES


class DeploymentsCollector(CounterCollector):
    """Deployments of services by how they ended, and those that we learned of too late to call them news.

    phoenix_deployment_total{environment="production",service="shop",status="succeeded"} 41.0
    phoenix_deployment_late_total{environment="production",service="shop",status="succeeded"} 10.0
    """

    mart = "deployment_totals"
    labels = ("service", "environment", "status")
    subject = SERVICES
    counters = (
        ("phoenix_deployment_total", "deployment_count"),
        ("phoenix_deployment_late_total", "late_deployment_count"),
    )
    query = """
        select service, environment, status, deployment_count, late_deployment_count, counted_since
        from counters.deployment_totals
    """
