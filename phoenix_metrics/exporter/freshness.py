"""How fresh and how complete each source is."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.figures import Figures


class FreshnessCollector(MartCollector):
    """Each source as a whole, so that one silent repository is not hidden by the others.

    phoenix_source_last_success_timestamp_seconds{source="github"} 1.7e+09
    phoenix_source_rate_limit{source="github"} 5000.0
    phoenix_source_rate_limit_remaining{source="github"} 4210.0
    phoenix_source_missing{source="github"} 0.0
    phoenix_source_missing{source="argocd"} 2.0
    """

    # A landing file that was set aside is missing, but nothing that could succeed again. What goes with the runs, such
    # as github_releases, has its own cadence and may be a gap that is known and accepted: no reason to call it stale.
    # Nor are the gaps of single applications: argocd is its servers, and what is missing of applications counts there.
    labels = ("source",)
    query = """
        with freshness as (
            select source, min(coalesce(epoch(last_success_at) + pause_seconds, 0)) as last_success
            from marts.source_freshness
            group by source
        )
        select
            health.source,
            min(freshness.last_success) as last_success,
            arg_max(health.rate_limit, health.last_attempt_at) as rate_limit,
            arg_max(health.rate_limit_remaining, health.last_attempt_at) as rate_limit_remaining,
            cast(sum(health.missing_count) as bigint) as missing
        from marts.data_health as health
        left join freshness on freshness.source = health.source
        where not starts_with(health.source, 'github_') and not starts_with(health.source, 'argocd_')
        group by health.source
        order by health.source
    """

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield one gauge for each of the four."""
        yield self._gauge(
            figures,
            "phoenix_source_last_success_timestamp_seconds",
            "last_success",
            f"{figures.help('data_health.last_success_at')} The oldest such time among the source's repositories or "
            "servers, of those that are read seldom by design the end of that pause; 0 if one never succeeded.",
        )
        yield self._gauge(figures, "phoenix_source_rate_limit", "rate_limit", figures.help("data_health.rate_limit"))
        yield self._gauge(
            figures,
            "phoenix_source_rate_limit_remaining",
            "rate_limit_remaining",
            figures.help("data_health.rate_limit_remaining"),
        )
        yield self._gauge(figures, "phoenix_source_missing", "missing", figures.help("data_health.missing_count"))

    def _gauge(self, figures: Figures, name: str, column: str, help_text: str) -> Metric:
        family = GaugeMetricFamily(name, help_text, labels=self.labels)
        for row in figures.rows[self.query]:
            if row[column] is not None:
                family.add_metric([row["source"]], row[column])
        return family
