/*
Deployments of each repository that are stored: those that ended, as far as a visit may list them again, and the newest of those that
have not ended. A visit lists what was created after its cursor; before there is one, or with a longer history wanted, it lists all.
*/
with visited as (
    select
        repository_id,
        max_by(cursor, finished_at) as cursor
    from staging.github_visits
    where loop = 'deployments' and cursor is not null
    group by repository_id
),

stretches as (
    select
        repository_id,
        cast(cast(split_part(cursor, '..', 2) as timestamptz) at time zone 'UTC' as timestamp) as stretch_end
    from visited
    where cast(cast(split_part(cursor, '..', 1) as timestamptz) at time zone 'UTC' as timestamp) <= $since
),

ended as (
    select distinct deployment_id
    from staging.github_deployment_statuses
    where state in ('success', 'failure', 'error', 'inactive')
),

stored as (
    select
        deployments.repository_id as repository_id,
        deployments.deployment_id as deployment_id,
        deployments.created_at as created_at,
        coalesce(stretches.stretch_end, $since) as listed_after,
        ended.deployment_id is not null as is_settled
    from staging.github_deployments as deployments
    left join ended on ended.deployment_id = deployments.deployment_id
    left join stretches on stretches.repository_id = deployments.repository_id
)
select
    repository_id,
    coalesce(list(deployment_id) filter (where is_settled and created_at > listed_after - interval 2 hours), []) as settled,
    coalesce((list(deployment_id order by created_at desc, deployment_id desc) filter (where not is_settled and created_at > $open_after))[1:$count], [])
        as unsettled
from stored
group by repository_id
