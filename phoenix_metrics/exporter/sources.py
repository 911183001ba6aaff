"""How fresh and how complete each source is."""

from phoenix_metrics.exporter.gauges import GaugeCollector


class SourcesCollector(GaugeCollector):
    """Each source as a whole, so that one silent repository is not hidden by the others; 0 if one was never read.

    phoenix_source_last_success_timestamp_seconds{source="github"} 1.7e+09
    phoenix_source_rate_limit{source="github"} 5000.0
    phoenix_source_rate_limit_remaining{source="github"} 4210.0
    phoenix_source_missing{source="github"} 0.0
    phoenix_source_missing{source="argocd"} 2.0
    """

    mart = "sources"
    labels = ("source",)
    gauges = (
        ("phoenix_source_last_success_timestamp_seconds", "last_success_at"),
        ("phoenix_source_rate_limit", "rate_limit"),
        ("phoenix_source_rate_limit_remaining", "rate_limit_remaining"),
        ("phoenix_source_missing", "missing_count"),
    )
    query = """
        select
            source,
            case when subject_count > 0 then coalesce(epoch(last_success_at), 0) end as last_success_at,
            rate_limit,
            rate_limit_remaining,
            missing_count
        from marts.sources
        order by source
    """
