"""Services that are being deployed now."""

from phoenix_metrics.exporter.gauges import GaugeCollector
from phoenix_metrics.exporter.subjects import SERVICES


class OpenDeploymentsCollector(GaugeCollector):
    """Since when the oldest operation of a service is under way; none where nothing is.

    phoenix_deployment_open_since_timestamp_seconds{environment="production",service="shop"} 1.7e+09
    """

    mart = "open_deployments"
    labels = ("service", "environment")
    subject = SERVICES
    gauges = (("phoenix_deployment_open_since_timestamp_seconds", "open_since_at"),)
    query = """
        select service, environment, epoch(open_since_at) as open_since_at
        from marts.open_deployments
        order by service, environment
    """
