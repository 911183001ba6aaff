"""Counters of rollbacks."""

from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.subjects import SERVICES


class RollbacksCollector(CounterCollector):
    """Rollbacks of services by what went back, and those that we learned of too late to call them news.

    phoenix_rollback_total{environment="production",kind="rollout_abort",service="shop"} 2.0
    phoenix_rollback_late_total{environment="production",kind="rollout_abort",service="shop"} 0.0
    """

    mart = "rollback_totals"
    labels = ("service", "environment", "kind")
    subject = SERVICES
    counters = (
        ("phoenix_rollback_total", "rollback_count"),
        ("phoenix_rollback_late_total", "late_rollback_count"),
    )
    query = """
        select service, environment, kind, rollback_count, late_rollback_count, counted_since
        from counters.rollback_totals
    """
