/*
Duration of deployments of services, as a cumulative histogram.

Grain: service, environment, upper_bound_seconds
Counts deployments that succeeded, failed or ended in an error and were seen within 6 hours of their end, from the operation's start to its
end; not those that waited at a sync window. The infinite bound holds them all.
*/
with bounds as (
    select
        cast(above_seconds as double) as above_seconds,
        cast(upper_bound_seconds as double) as upper_bound_seconds
    from seeds.histogram_bounds
    where histogram = 'deployment_duration'
),

tracks as (
    select distinct
        service,
        environment
    from marts.service_deployments
),

filled as (
    select
        services.service,
        services.environment,
        bounds.upper_bound_seconds,
        count(*) as deployment_count,
        sum(deployments.duration_seconds) as duration_seconds
    from marts.service_deployments as services
    inner join marts.deployments as deployments on deployments.deployment_id = services.deployment_id
    inner join bounds
        on deployments.duration_seconds > bounds.above_seconds and deployments.duration_seconds <= bounds.upper_bound_seconds
    where
        services.is_deployment
        and services.status in ('succeeded', 'failed', 'error')
        and not coalesce(deployments.first_seen_at > services.finished_at + interval 6 hours, false)
    group by services.service, services.environment, bounds.upper_bound_seconds
)
select
    tracks.service as service,                                                          -- The service. #not_null
    tracks.environment as environment,                                                  -- Where it was deployed to. #not_null
    bounds.upper_bound_seconds as upper_bound_seconds,                                  -- Upper bound of the bucket, inclusive. #not_null
    cast(sum(coalesce(deployment_count, 0)) over below as bigint) as deployment_count,  -- Deployments at or below the bound. #counter
    sum(coalesce(duration_seconds, 0)) over below as duration_seconds_sum               -- Their durations summed. #counter
from tracks
cross join bounds
left join filled
    on
        filled.service = tracks.service
        and filled.environment = tracks.environment
        and filled.upper_bound_seconds = bounds.upper_bound_seconds
window below as (
    partition by tracks.service, tracks.environment
    order by bounds.upper_bound_seconds
    rows between unbounded preceding and current row
)
