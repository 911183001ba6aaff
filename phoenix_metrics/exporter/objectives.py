"""Service level objectives of phoenix.toml."""

from phoenix_metrics.exporter.gauges import GaugeCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class ObjectivesCollector(GaugeCollector):
    """Which share of a workflow's decided runs should succeed.

    phoenix_objective_success_ratio{repository="acme/shop",workflow="CI"} 0.95
    """

    mart = "objectives"
    labels = ("repository", "workflow")
    subject = WORKFLOWS
    gauges = (("phoenix_objective_success_ratio", "success_ratio"),)
    query = """
        select repository, workflow, success_ratio
        from marts.objectives
        order by repository, workflow
    """
