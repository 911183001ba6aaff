"""What the Data health page knows: questions about what is read, what is missing and what cannot be told."""

import pandas as pd

from dashboards.data import ask
from dashboards.scope import Period

BUSIEST = 15

# A part of a whole, a day: what the page calls by each name. Each is bound by `day`.
_SHARES = {
    "undetailed": """
        select day, sum(bulk_count + undetailed_count) as part,
            sum(detailed_count + bulk_count + undetailed_count) as whole
        from marts.repository_daily
        where {days}
        group by day
    """,
    "unpriced": """
        select day, sum(unpriced_count) as part, sum(job_count) as whole
        from marts.usage_daily
        where {days}
        group by day
    """,
    "unclassified": """
        select day, sum(job_count) filter (where failure_class = 'unclassified') as part, sum(job_count) as whole
        from marts.failure_classes_daily
        where {days}
        group by day
    """,
    "unattributed": """
        select day, count(*) filter (where is_unattributed) as part,
            count(*) filter (where is_unattributed or lead_time_seconds is not null) as whole
        from marts.deliveries
        where {days}
        group by day
    """,
}


def freshness() -> pd.DataFrame:
    """Return how long each repository and server has been silent, longest first, with the limit for it."""
    return ask(
        """
        select freshness.*, rules.threshold as limit_seconds
        from marts.source_freshness as freshness
        left join marts.alert_rules as rules on rules.rule = 'CICDSourceStale'
        order by freshness.silent_seconds desc nulls first, freshness.source, freshness.subject
        """
    )


def sources() -> pd.DataFrame:
    """Return the sources as a whole: freshness, what is missing, and how many requests are left."""
    return ask("select * from marts.sources order by source")


def requests() -> pd.DataFrame:
    """Return the repositories and servers that needed most requests in their newest pass."""
    return ask(
        f"""
        select source, subject, request_count, rate_limit, rate_limit_remaining, last_attempt_at
        from marts.data_health
        where request_count > 0
        order by request_count desc, source, subject
        limit {BUSIEST}
        """
    )


def webhooks() -> pd.DataFrame:
    """Return the webhook deliveries of the last days by event, the most frequent first."""
    return ask("select * from marts.webhook_events order by delivery_count desc, event")


def audit() -> pd.DataFrame:
    """Return what Argo CD counted itself beside what is here, where that differs first."""
    return ask(
        """
        select instance, namespace, application, phase, is_dry_run, counted_from, counted_to, argocd_count,
            operation_count, missing_count
        from marts.argocd_audit
        order by missing_count desc, instance, namespace, application, phase, is_dry_run
        """
    )


def told_deployments(period: Period) -> pd.Series:
    """Return how many deployments GitHub was told of in the period, and of how many what is known."""
    frame = ask(
        """
        select count(*) as told_count,
            count(matched_deployment_id) as matched_count,
            count(*) filter (where status = 'unknown') as unknown_count,
            count(*) filter (where environment_rule = 'none') as unplaced_count
        from marts.github_deliveries
        where day >= cast($start as date) and day <= cast($end as date)
        """,
        _days(period),
    )
    return frame.iloc[0]


def share(name: str, period: Period) -> pd.DataFrame:
    """Return a part and its whole for each day of the period and the one before; days without either have no row."""
    days = "day >= cast($previous_start as date) and day <= cast($end as date)"
    return ask(
        f"""
        with daily as ({_SHARES[name].format(days=days)})
        select cast(day as timestamp) as day, cast(coalesce(part, 0) as bigint) as part, cast(whole as bigint) as whole
        from daily
        order by day
        """,
        {"previous_start": period.previous.start, "end": period.end},
    )


def unpriced(period: Period) -> pd.DataFrame:
    """Return which jobs of the period have no price, by repository, runner and reason, the most first."""
    return ask(
        """
        select repository, runner, unpriced_reason, cast(sum(job_count) as bigint) as job_count,
            cast(sum(billed_minutes) as bigint) as billed_minutes
        from marts.unpriced_daily
        where day >= cast($start as date) and day <= cast($end as date)
        group by repository, runner, unpriced_reason
        order by job_count desc, repository, runner, unpriced_reason
        """,
        _days(period),
    )


def unclassified(period: Period) -> pd.DataFrame:
    """Return the workflows whose failed jobs of the period no rule explains, those with most of them first."""
    return ask(
        """
        select repository, workflow,
            cast(sum(job_count) filter (where failure_class = 'unclassified') as bigint) as unclassified_count,
            cast(sum(job_count) as bigint) as failed_count
        from marts.failure_classes_daily
        where day >= cast($start as date) and day <= cast($end as date)
        group by repository, workflow
        having sum(job_count) filter (where failure_class = 'unclassified') > 0
        order by unclassified_count desc, repository, workflow
        """,
        _days(period),
    )


def lead_time_gaps(period: Period) -> pd.DataFrame:
    """Return why deployments of the period to any environment have no lead time, and how many."""
    return ask(
        """
        select lead_time_gap, is_unattributed, count(*) as delivery_count, count(distinct service) as service_count,
            count(distinct environment) as environment_count
        from marts.deliveries
        where lead_time_gap is not null and day >= cast($start as date) and day <= cast($end as date)
        group by lead_time_gap, is_unattributed
        order by is_unattributed desc, delivery_count desc, lead_time_gap
        """,
        _days(period),
    )


def _days(period: Period) -> dict[str, object]:
    return {"start": period.start, "end": period.end}
