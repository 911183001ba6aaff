/*
Deployments of services by how they ended.

Grain: service, environment, status
Counts deployments seen within 6 hours of their end; late ones, of a backfill or a gap, are counted beside them. Re-syncs do not count.
Every service has a row for every status.
*/
with tracks as (
    select
        services.service,
        services.environment,
        min(deployments.first_seen_at) as first_seen_at
    from marts.service_deployments as services
    inner join marts.deployments as deployments on deployments.deployment_id = services.deployment_id
    group by services.service, services.environment
),

ended as (
    select
        services.service,
        services.environment,
        services.status,
        coalesce(deployments.first_seen_at > services.finished_at + interval 6 hours, false) as is_late
    from marts.service_deployments as services
    inner join marts.deployments as deployments on deployments.deployment_id = services.deployment_id
    where services.is_deployment and services.status in ('succeeded', 'failed', 'error', 'cancelled')
),

counted as (
    select
        service,
        environment,
        status,
        count(*) filter (where not is_late) as deployment_count,
        count(*) filter (where is_late) as late_deployment_count
    from ended
    group by service, environment, status
),

statuses (status) as (
    values ('succeeded'), ('failed'), ('error'), ('cancelled')
),

expected as (
    select
        tracks.service,
        tracks.environment,
        tracks.first_seen_at,
        statuses.status
    from tracks
    cross join statuses
)
select
    expected.service as service,                                        -- The service. #not_null
    expected.environment as environment,                                -- Where it was deployed to. #not_null
    expected.status as status,                                          -- How the deployments ended. #in(succeeded, failed, error, cancelled)
    coalesce(deployment_count, 0) as deployment_count,                  -- Deployments seen within 6 hours of their end. #counter
    coalesce(late_deployment_count, 0) as late_deployment_count,        -- Deployments seen later than 6 hours after their end. #counter
    expected.first_seen_at as first_seen_at                             -- When we first saw the service there, UTC.
from expected
left join counted
    on counted.service = expected.service and counted.environment = expected.environment and counted.status = expected.status
