/*
Rollbacks of services by what went back.

Grain: service, environment, kind
Counts rollbacks seen within 6 hours; late ones, of a backfill or a gap, are counted beside them. Every service has a row for every kind.
*/
with each_service as (
    select
        environment,
        kind,
        coalesce(first_seen_at > started_at + interval 6 hours, false) as is_late,
        unnest(string_split(service, ', ')) as service
    from marts.rollbacks
),

counted as (
    select
        service,
        environment,
        kind,
        count(*) filter (where not is_late) as rollback_count,
        count(*) filter (where is_late) as late_rollback_count
    from each_service
    group by service, environment, kind
),

tracks as (  -- a Rollout may go back before any operation of its service is known
    select service, environment from marts.service_deployments
    union
    select service, environment from each_service
),

kinds (kind) as (
    values ('argocd'), ('revert'), ('target_revision'), ('redeploy'), ('rollout_abort'), ('rollout_undo')
),

expected as (
    select
        tracks.service,
        tracks.environment,
        kinds.kind
    from tracks
    cross join kinds
)
select
    expected.service as service,                                  -- The service. #not_null
    expected.environment as environment,                          -- Where it went back. #not_null
    expected.kind as kind,                                        -- What went back. #in(argocd, revert, target_revision, redeploy, rollout_abort, rollout_undo)
    coalesce(rollback_count, 0) as rollback_count,                -- Rollbacks seen within 6 hours. #counter
    coalesce(late_rollback_count, 0) as late_rollback_count       -- Rollbacks seen later than 6 hours after. #counter
from expected
left join counted
    on counted.service = expected.service and counted.environment = expected.environment and counted.kind = expected.kind
