/*
Delivery of each service to each environment by week: how often, how long from commit to there, how much failed, how fast that was mended.

Grain: week, service, environment
A deployment belongs to the week in which it began. Weeks without one count as zero, from the service's first to the newest pass.
Change failure ratio is failures / decided deployments; deployments that were terminated, are open or vanished are beside it. Percentiles are
exact, and stand beside how many deployments they rest on and how many could not be attributed.
*/
with as_of as (
    select max(finished_at) as as_of
    from (
        select max(finished_at) as finished_at from staging.argocd_syncs
        union all
        select max(finished_at) as finished_at from staging.github_syncs
        union all
        select max(started_at) as finished_at from marts.deliveries
    ) as passes
),

tracks as (
    select
        service,
        environment,
        max(team) as team,
        min(week) as first_week
    from marts.deliveries
    group by service, environment
),

calendar as (
    select
        tracks.service,
        tracks.environment,
        tracks.team,
        cast(unnest(generate_series(
            cast(tracks.first_week as timestamp), date_trunc('week', as_of.as_of), interval 7 days
        )) as date) as week
    from tracks
    cross join as_of
),

counted as (
    select
        week,
        service,
        environment,
        count(*) filter (where is_decided) as deployment_count,
        count(*) filter (where status = 'succeeded') as succeeded_count,
        count(*) filter (where not is_decided) as undecided_count,
        count(*) filter (where is_change_failure) as change_failure_count,
        count(*) filter (where is_decided and is_rework) as rework_count,
        count(lead_time_seconds) as lead_time_count,
        quantile_cont(lead_time_seconds, 0.5) as lead_time_p50_seconds,
        quantile_cont(lead_time_seconds, 0.9) as lead_time_p90_seconds,
        count(*) filter (where is_unattributed) as unattributed_count,
        count(*) filter (where lead_time_seconds is not null and not is_health_confirmed) as unconfirmed_count,
        count(recovery_seconds) as recovery_count,
        quantile_cont(recovery_seconds, 0.5) as recovery_p50_seconds,
        quantile_cont(recovery_seconds, 0.9) as recovery_p90_seconds,
        count(*) filter (where is_change_failure and restored_at is null) as unrecovered_count,
        count(*) filter (where version_basis = 'revision') as revision_basis_count
    from marts.deliveries
    group by week, service, environment
),

synced_again as (
    select
        cast(date_trunc('week', started_at) as date) as week,
        service,
        environment,
        count(*) as resync_count
    from marts.service_deployments
    where is_resync
    group by cast(date_trunc('week', started_at) as date), service, environment
),

rolled_back as (
    select
        cast(date_trunc('week', started_at) as date) as week,
        service,
        environment,
        count(*) as rollback_count
    from (
        select
            started_at,
            environment,
            unnest(string_split(service, ', ')) as service
        from marts.rollbacks
    ) as each_service
    group by cast(date_trunc('week', started_at) as date), service, environment
)
select
    calendar.week as week,                                                  -- Monday of the UTC week. #not_null
    calendar.service as service,                                            -- The service. #not_null
    calendar.environment as environment,                                    -- Where it was deployed to. #not_null
    calendar.team as team,                                                  -- The team that a rule names.
    coalesce(deployment_count, 0) as deployment_count,                      -- Deployments that succeeded or failed; re-syncs apart.
    coalesce(succeeded_count, 0) as succeeded_count,                        -- Those that succeeded.
    coalesce(undecided_count, 0) as undecided_count,                        -- Deployments terminated, open or vanished; in no ratio.
    coalesce(change_failure_count, 0) as change_failure_count,              -- Deployments that failed, or did not hold.
    change_failure_count / nullif(deployment_count, 0) as change_failure_ratio,  -- Change failures among deployments that succeeded or failed.
    coalesce(lead_time_count, 0) as lead_time_count,                        -- Deployments the lead times rest on.
    lead_time_p50_seconds,                                                  -- Median time from merge or commit to the environment.
    lead_time_p90_seconds,                                                  -- 90th percentile of that.
    coalesce(unattributed_count, 0) as unattributed_count,                  -- New versions without a lead time, because no commit is known for them.
    unattributed_count / nullif(unattributed_count + lead_time_count, 0) as unattributed_ratio,  -- Share of the new versions that they are.
    coalesce(unconfirmed_count, 0) as unconfirmed_count,                    -- Lead times that end with the operation, because health was not seen.
    coalesce(recovery_count, 0) as recovery_count,                          -- Failures the recovery times rest on.
    recovery_p50_seconds,                                                   -- Median time from a failure to a version that was there again.
    recovery_p90_seconds,                                                   -- 90th percentile of that.
    coalesce(unrecovered_count, 0) as unrecovered_count,                    -- Change failures that nothing has followed yet.
    coalesce(rework_count, 0) as rework_count,                              -- Deployments that went back, or followed a failure within 24 hours.
    rework_count / nullif(deployment_count, 0) as rework_ratio,             -- Share of the deployments that they are.
    coalesce(rollback_count, 0) as rollback_count,                          -- Rollbacks of the service, each incident once, also of Rollouts that went back by themselves.
    coalesce(resync_count, 0) as resync_count,                              -- Full syncs of what was live already; no deployments.
    coalesce(revision_basis_count, 0) as revision_basis_count               -- Deployments whose version is known by the configuration's revision only.
from calendar
left join counted
    on counted.week = calendar.week and counted.service = calendar.service and counted.environment = calendar.environment
left join synced_again
    on synced_again.week = calendar.week and synced_again.service = calendar.service and synced_again.environment = calendar.environment
left join rolled_back
    on rolled_back.week = calendar.week and rolled_back.service = calendar.service and rolled_back.environment = calendar.environment
