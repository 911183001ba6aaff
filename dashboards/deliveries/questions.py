"""What the Deliveries page knows: questions about deployments, rollbacks and what runs where."""

from datetime import datetime, timedelta

import pandas as pd

from dashboards.data import ask
from dashboards.scope import DeliveryScope
from phoenix_metrics.words import PRODUCTION

BY_PERIOD = "period"
BY_BUCKET = "bucket"
WEEKS_SHOWN = 12  # at least so many, so that a short period has something to be seen against


_MEASURES = """
    count(*) as delivery_count,
    count(distinct deployment_id) filter (where is_decided) as sync_count,
    count(*) filter (where is_decided) as deployment_count,
    count(*) filter (where is_change_failure) as change_failure_count,
    count(*) filter (where is_change_failure and restored_at is null) as unrecovered_count,
    count(*) filter (where is_decided and is_rework) as rework_count,
    count(lead_time_seconds) as lead_time_count,
    quantile_cont(lead_time_seconds, 0.5) as lead_time_p50,
    count(*) filter (where is_unattributed) as unattributed_count,
    count(*) filter (where lead_time_seconds is not null and not is_health_confirmed) as unconfirmed_count,
    count(recovery_seconds) as recovery_count,
    quantile_cont(recovery_seconds, 0.5) as recovery_p50,
    count(*) filter (where version_basis = 'revision') as revision_basis_count
"""


def environments() -> list[str]:
    """Return every environment that something was deployed to, the busiest first."""
    frame = ask("select environment from marts.deliveries group by environment order by count(*) desc, environment")
    return list(frame["environment"])


def first_environment() -> str | None:
    """Return production, else the busiest environment, None where nothing was deployed anywhere."""
    known = environments()
    return PRODUCTION if PRODUCTION in known else next(iter(known), None)


def services() -> list[str]:
    """Return every service that was deployed anywhere."""
    return list(ask("select distinct service from marts.deliveries order by service")["service"])


def teams() -> list[str]:
    """Return every team that a rule names for a service."""
    frame = ask("select distinct team from marts.deliveries where team is not null order by team")
    return list(frame["team"])


def summary(scope: DeliveryScope, by: str) -> pd.DataFrame:
    """Count and measure deployments by BY_PERIOD, or through the current period by BY_BUCKET."""
    return ask(
        f"""
        with deliveries as (
            select *, {_period_and_bucket(scope)} from marts.deliveries where {_in_periods()} and {_filters(scope)}
        )
        select {by}, {_MEASURES} from deliveries where {_rows(by)} group by {by} order by {by}
        """,
        scope.parameters,
    )


def rollback_summary(scope: DeliveryScope, by: str) -> pd.DataFrame:
    """Count rollbacks, each incident once, by BY_PERIOD or BY_BUCKET."""
    return ask(
        f"""
        with rollbacks as (
            select *, {_period_and_bucket(scope)} from marts.rollbacks as rolled
            where {_in_periods()} and {_rolled_back(scope)}
        )
        select {by}, count(*) as rollback_count, count(*) filter (where is_automated) as automated_count
        from rollbacks where {_rows(by)} group by {by} order by {by}
        """,
        scope.parameters,
    )


def known_since(scope: DeliveryScope) -> datetime | None:
    """Return when the oldest deployment that passes the filters began, whatever the period; naive UTC."""
    return _moment(f"select min(started_at) as at from marts.deliveries where {_filters(scope)}", scope)


def newest_at(scope: DeliveryScope) -> datetime | None:
    """Return when the newest deployment that passes the filters began, whatever the period; naive UTC."""
    return _moment(f"select max(started_at) as at from marts.deliveries where {_filters(scope)}", scope)


def weekly(scope: DeliveryScope) -> pd.DataFrame:
    """Count the syncs that deployed something in each whole week that the period touches, and in enough before it.

    A week in which nothing happened counts as zero, one before the first that is known has no row.
    """
    first = _monday(min(scope.period.start, scope.period.end - timedelta(weeks=WEEKS_SHOWN - 1)))
    frame = ask(
        f"""
        with syncs as (
            select week, deployment_id, bool_or(is_decided) as is_decided, bool_or(is_change_failure) as has_failed
            from marts.deliveries
            where week >= $first and {_filters(scope)}
            group by week, deployment_id
        )
        select cast(week as timestamp) as week,
            count(*) as all_count,
            count(*) filter (where is_decided and not has_failed) as held_count,
            count(*) filter (where has_failed) as change_failure_count,
            count(*) filter (where not is_decided) as undecided_count
        from syncs group by week order by week
        """,
        {"first": first, **scope.filters},
    )
    known = known_since(scope)
    start = max(first, _monday(known)) if known else scope.period.end
    return frame.set_index("week").reindex(pd.date_range(start, scope.period.end, freq="7D", name="week"), fill_value=0)


def live(scope: DeliveryScope) -> pd.DataFrame:
    """Return what runs where now, in every environment."""
    conditions = [f"{column} = ${column}" for column in scope.narrowing]
    return ask(
        f"select * from marts.environments where {' and '.join([*conditions, 'true'])} order by service, application",
        scope.narrowing,
    )


def rollbacks(scope: DeliveryScope) -> pd.DataFrame:
    """Return the rollbacks of the period, newest first."""
    return ask(
        f"""
        select started_at, environment, service, application, kind, cause, initiated_by, from_revision, to_revision,
            confidence, evidence, version_count, time_to_restore_seconds, is_health_confirmed
        from marts.rollbacks as rolled
        where started_at >= $start and started_at < $end and {_rolled_back(scope)}
        order by started_at desc, rollback_id
        """,
        _of_period(scope),
    )


def recent(scope: DeliveryScope, limit: int) -> pd.DataFrame:
    """Return the newest deployments of the period, each operation once, newest first."""
    return ask(
        f"""
        select started_at, application, service, status, change, revision, images, initiated_by, trigger,
            duration_seconds, healthy_at, is_health_confirmed, degraded_at, aborted_at, message
        from marts.deployments
        where deployment_id in (
            select deployment_id from marts.deliveries
            where started_at >= $start and started_at < $end and {_filters(scope)}
        )
        order by started_at desc, deployment_id
        limit {limit:d}
        """,
        _of_period(scope),
    )


def lead_time_parts(scope: DeliveryScope) -> pd.DataFrame:
    """Return what the lead times of the period are made of, each version of an operation once, newest first.

    The parts are known where commit, pipeline, build and deployment are known and follow on each other; else the whole
    is one part. An image is built when the last job of its commit that was done before the deployment had ended.
    """
    return ask(
        f"""
        with timed as (
            select *,
                coalesce(merged_at, committed_at) as ready_at,
                coalesce(healthy_at, finished_at) as live_at
            from marts.deliveries
            where lead_time_seconds is not null and started_at >= $start and started_at < $end and {_filters(scope)}
        ),
        versions as (
            select timed.deployment_id, timed.head_sha,
                string_agg(timed.service, ', ' order by timed.service) as services,
                string_agg(images.image, ' ' order by timed.service) as images,
                min(timed.version) as version, min(timed.pull_request) as pull_request, count(*) as service_count,
                min(timed.ready_at) as ready_at, min(timed.run_started_at) as run_started_at,
                max(timed.built_at) as built_at, min(timed.started_at) as started_at, max(timed.live_at) as live_at
            from timed
            left join marts.deployment_images as images
                on images.deployment_id = timed.deployment_id and images.service = timed.service
            group by timed.deployment_id, timed.head_sha
        ),
        judged as (
            select *,
                coalesce(
                    ready_at <= run_started_at and run_started_at <= built_at and built_at <= started_at
                    and started_at <= live_at, false
                ) as is_whole
            from versions
        )
        select deployment_id, services, service_count, images, version, pull_request, ready_at, built_at, started_at,
            live_at, is_whole,
            case when is_whole then epoch(run_started_at) - epoch(ready_at) end as pipeline_seconds,
            case when is_whole then epoch(built_at) - epoch(run_started_at) end as build_seconds,
            case when is_whole then epoch(started_at) - epoch(built_at) end as wait_seconds,
            case when is_whole then epoch(live_at) - epoch(started_at) end as rollout_seconds,
            epoch(live_at) - epoch(ready_at) as lead_time_seconds
        from judged
        order by started_at desc, deployment_id, head_sha
        """,
        _of_period(scope),
    )


def lead_time_gaps(scope: DeliveryScope) -> pd.DataFrame:
    """Count the deployments of the period without a lead time by why they have none, the most frequent first."""
    return ask(
        f"""
        select lead_time_gap, count(*) as delivery_count, is_unattributed
        from marts.deliveries
        where lead_time_gap is not null and started_at >= $start and started_at < $end and {_filters(scope)}
        group by lead_time_gap, is_unattributed
        order by is_unattributed desc, delivery_count desc, lead_time_gap
        """,
        _of_period(scope),
    )


def sources() -> pd.DataFrame:
    """Return how complete what Argo CD's servers tell is: servers, then what is lost or not known of applications."""
    return ask("""
        select * from marts.data_health
        where source in ('argocd', 'argocd_application', 'argocd_audit')
        order by source, missing_count desc, subject
    """)


def _period_and_bucket(scope: DeliveryScope) -> str:
    return f"""
        case when started_at >= $start then 'current' else 'previous' end as period,
        date_trunc('{scope.unit}', started_at) as bucket
    """


def _in_periods() -> str:
    return """
        started_at >= $previous_start and started_at < $end and (started_at >= $start or started_at < $previous_end)
    """


def _rows(by: str) -> str:
    return "true" if by == BY_PERIOD else "period = 'current'"


def _filters(scope: DeliveryScope) -> str:
    return " and ".join(f"{column} = ${column}" for column in scope.filters)


def _rolled_back(scope: DeliveryScope) -> str:
    """Select rollbacks in which one of the services passes the filters."""
    if not scope.narrowing:
        return "environment = $environment"
    return f"""
        environment = $environment and exists (
            select 1 from marts.delivery_weekly as weekly
            where {" and ".join(f"weekly.{column} = ${column}" for column in scope.narrowing)}
                and list_contains(string_split(rolled.service, ', '), weekly.service)
                and weekly.environment = rolled.environment
        )
    """


def _of_period(scope: DeliveryScope) -> dict[str, object]:
    return {"start": scope.period.start, "end": scope.period.end, **scope.filters}


def _monday(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=at.weekday())


def _moment(query: str, scope: DeliveryScope) -> datetime | None:
    at = ask(query, scope.filters)["at"].iloc[0]
    return None if pd.isna(at) else at.to_pydatetime()
