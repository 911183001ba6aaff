/*
Deployments that GitHub was told of, each with how it ended and the Argo CD operation that is the same delivery.

Grain: deployment_id
The service is what the deployment's payload names, else the part of the environment's name beside an environment ("production/api"),
else the part of the task behind a colon ("deploy:api"), else the repository's name. A deployment is the same delivery as an Argo CD
operation of its service or its repository's images in its environment, with its commit, which started between its creation and one
hour after its end. The closest belong together; of what is left the first belongs to the first, the second to the second.
*/
with ended as (
    select
        deployment_id,
        min(created_at) filter (where state in ('success', 'failure', 'error')) as finished_at,
        min(created_at) filter (where state = 'in_progress') as began_at,
        min(first_seen_at) filter (where state in ('success', 'failure', 'error')) as first_seen_at
    from staging.github_deployment_statuses
    group by deployment_id
),

latest as (  -- a deployment becomes inactive when another takes its place, which says nothing of how it went
    select
        deployment_id,
        state
    from staging.github_deployment_statuses
    qualify row_number() over (partition by deployment_id order by (state = 'inactive'), created_at desc, status_id desc) = 1
),

named as (
    select
        deployments.*,
        repositories.repository as repository,
        lower(coalesce(deployments.environment, '')) as place,
        regexp_extract(lower(coalesce(deployments.environment, '')), '^(.+?) *(/|:| – | - ) *(.+)$', 1) as place_head,
        regexp_extract(lower(coalesce(deployments.environment, '')), '^(.+?) *(/|:| – | - ) *(.+)$', 3) as place_tail,
        regexp_extract(coalesce(deployments.task, ''), '^[^:]+:(.+)$', 1) as task_tail
    from staging.github_deployments as deployments
    inner join staging.github_repositories as repositories on repositories.repository_id = deployments.repository_id
),

placed as (
    select
        named.deployment_id,
        aliases.environment
    from named
    inner join seeds.environment_aliases as aliases
        on ('-' || regexp_replace(named.place, '[^a-z0-9]+', '-', 'g') || '-') like ('%-' || lower(aliases.alias) || '-%')
    qualify row_number() over (
        partition by named.deployment_id
        order by
            strpos('-' || regexp_replace(named.place, '[^a-z0-9]+', '-', 'g') || '-', '-' || lower(aliases.alias) || '-') desc,
            aliases.alias
    ) = 1
),

described as (
    select
        'github-' || cast(named.deployment_id as varchar) as deployment_id,
        named.repository,
        coalesce(
            named.service,
            case when named.place_head in (select lower(alias) from seeds.environment_aliases) then nullif(named.place_tail, '') end,
            case when named.place_tail in (select lower(alias) from seeds.environment_aliases) then nullif(named.place_head, '') end,
            nullif(named.task_tail, ''),
            regexp_extract(named.repository, '[^/]*$')
        ) as service,
        coalesce(placed.environment, nullif(named.place, ''), 'unknown') as environment,
        case when placed.environment is not null then 'name' when named.place <> '' then 'verbatim' else 'none' end as environment_rule,
        named.sha,
        named.ref,
        named.task,
        named.creator,
        named.created_at,
        coalesce(ended.began_at, named.created_at) as started_at,
        case when latest.state in ('success', 'failure', 'error') then ended.finished_at end as finished_at,
        ended.first_seen_at,
        latest.state,
        case
            when latest.state = 'success' then 'succeeded'
            when latest.state = 'failure' then 'failed'
            when latest.state = 'error' then 'error'
            when latest.state = 'inactive' then 'unknown'
            else 'open'
        end as status
    from named
    left join ended on ended.deployment_id = named.deployment_id
    left join latest on latest.deployment_id = named.deployment_id
    left join placed on placed.deployment_id = named.deployment_id
),

carried as (
    select distinct
        operations.deployment_id,
        operations.started_at,
        applications.environment,
        coalesce(images.code_sha, operations.first_revision) as sha,
        coalesce(images.service, applications.default_service) as service,
        lower(coalesce(images.code_repository, regexp_extract(operations.repo_url, '([^/:]+/[^/]+?)(\.git)?/?$', 1))) as repository
    from marts.operations as operations
    inner join marts.applications as applications
        on applications.instance = operations.instance
        and applications.namespace = operations.namespace
        and applications.application = operations.application
    left join marts.deployment_images as images on images.deployment_id = operations.deployment_id and images.code_sha is not null
    where operations.kind <> 'dry_run'
    union
    select
        operations.deployment_id,
        operations.started_at,
        applications.environment,
        operations.first_revision,
        applications.default_service,
        lower(regexp_extract(operations.repo_url, '([^/:]+/[^/]+?)(\.git)?/?$', 1))
    from marts.operations as operations
    inner join marts.applications as applications
        on applications.instance = operations.instance
        and applications.namespace = operations.namespace
        and applications.application = operations.application
    where operations.kind <> 'dry_run'
),

candidates as (
    select
        described.deployment_id,
        carried.deployment_id as operation_id,
        min(abs(epoch_us(carried.started_at) - epoch_us(described.started_at))) as distance,
        min(described.started_at) as started_at,
        min(carried.started_at) as operation_started_at
    from described
    inner join carried
        on substr(carried.sha, 1, 7) = substr(described.sha, 1, 7)
        and described.sha like (carried.sha || '%')
        and carried.environment = described.environment
        and (carried.service = described.service or carried.repository = lower(described.repository))
        and carried.started_at between described.created_at and coalesce(described.finished_at, described.started_at) + interval 1 hour
    group by described.deployment_id, carried.deployment_id
),

ranked as (
    select
        deployment_id,
        operation_id,
        row_number() over (partition by deployment_id order by distance, operation_started_at, operation_id) as operation_rank,
        row_number() over (partition by operation_id order by distance, started_at, deployment_id) as deployment_rank
    from candidates
),

closest as (
    select
        deployment_id,
        operation_id
    from ranked
    where operation_rank = 1 and deployment_rank = 1
),

leftover as (
    select
        candidates.deployment_id,
        candidates.operation_id,
        dense_rank() over (partition by candidates.operation_id order by candidates.started_at, candidates.deployment_id) as deployment_rank,
        dense_rank() over (partition by candidates.deployment_id order by candidates.operation_started_at, candidates.operation_id) as operation_rank
    from candidates
    left join closest as taken on taken.deployment_id = candidates.deployment_id
    left join closest as given on given.operation_id = candidates.operation_id
    where taken.deployment_id is null and given.operation_id is null
),

matched as (
    select
        deployment_id,
        operation_id
    from closest
    union all
    select
        deployment_id,
        operation_id
    from leftover
    where deployment_rank = operation_rank
)
select
    described.deployment_id as deployment_id,  -- github- and GitHub's id. #not_null
    described.repository as repository,        -- owner/name of the repository it is of. #not_null
    described.service as service,              -- What was deployed. #not_null
    described.environment as environment,      -- Where to; its creator's word in lower case where no alias is in it. #not_null
    described.environment_rule as environment_rule,  -- What that rests on: a known word in the name, the name as it is, or nothing. #in(name, verbatim, none)
    described.sha as sha,                      -- The commit that was deployed.
    described.ref as ref,                      -- The branch, tag or commit it was asked for.
    described.task as task,                    -- deploy, or what its creator calls it.
    described.creator as creator,              -- Who created it.
    described.created_at as created_at,        -- When it was created, UTC. #not_null
    described.started_at as started_at,        -- When it began: first in progress, else created, UTC. #not_null
    described.finished_at as finished_at,      -- When it first came to an end, UTC; NULL while it has not.
    case when described.finished_at >= described.started_at then (epoch_us(described.finished_at) - epoch_us(described.started_at)) / 1000000.0 end
        as duration_seconds,                   -- From its beginning to its end; NULL while open or where that is negative.
    described.status as status,                -- How it went; unknown where all we know is that another took its place. #in(succeeded, failed, error, open, unknown)
    described.state as state,                  -- GitHub's word for it: success, failure, queued, waiting, …; NULL where none was told.
    described.first_seen_at as first_seen_at,  -- When we first saw its end, UTC.
    matched.operation_id as matched_deployment_id,  -- The Argo CD operation that is the same delivery; NULL where there is none.
    cast(described.started_at as date) as day  -- UTC day on which it began. #not_null
from described
left join matched on matched.deployment_id = described.deployment_id
