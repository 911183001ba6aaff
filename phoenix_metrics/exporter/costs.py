"""Counters of what jobs cost."""

from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class CostsCollector(CounterCollector):
    """USD that jobs cost, and what we learned of too late to call it news.

    github_actions_cost_usd_total{repository="acme/shop",workflow="CI"} 12.404
    github_actions_cost_usd_late_total{repository="acme/shop",workflow="CI"} 0.0
    """

    mart = "workflow_cost_totals"
    labels = ("repository", "workflow")
    subject = WORKFLOWS
    counters = (
        ("github_actions_cost_usd_total", "cost_usd"),
        ("github_actions_cost_usd_late_total", "late_cost_usd"),
    )
    query = """
        select repository, workflow, cost_usd, late_cost_usd, counted_since
        from counters.workflow_cost_totals
    """
