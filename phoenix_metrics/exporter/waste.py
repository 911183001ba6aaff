"""Counters of what jobs cost whose work came to nothing."""

from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class WasteCollector(CounterCollector):
    """USD that came to nothing, by the reason, and what we learned of too late to call it news.

    github_actions_waste_usd_total{class="flaky",repository="acme/shop",workflow="CI"} 0.248
    github_actions_waste_usd_late_total{class="flaky",repository="acme/shop",workflow="CI"} 0.0
    """

    mart = "workflow_waste_totals"
    labels = ("repository", "workflow", "class")
    subject = WORKFLOWS
    counters = (
        ("github_actions_waste_usd_total", "waste_usd"),
        ("github_actions_waste_usd_late_total", "late_waste_usd"),
    )
    query = """
        select repository, workflow, waste_class as class, waste_usd, late_waste_usd, counted_since
        from counters.workflow_waste_totals
    """
