/*
Deployments: every operation of Argo CD, and what else GitHub was told of, with what it brought, how it ended and whether it went back.

Grain: deployment_id
A row is an operation, also one that brought nothing new: is_deployment says whether it brought another version of any service, is_resync
that it was a full sync of what was live already. Only deployments count in frequencies and ratios. Where Argo CD and GitHub tell of one
delivery, it is one row.
*/
with services as (
    select
        deployment_id,
        array_to_string(list_sort(list(distinct service)), ', ') as service,
        count(*) as service_count,
        min(team) as team,
        bool_or(is_deployment) as is_deployment,
        bool_or(is_rollback) as is_rollback,
        bool_or(is_resync) as is_resync,
        bool_or(change = 'forward') as is_forward,
        bool_or(change = 'first') as is_first,
        bool_or(change = 'recreated') as is_recreated,
        bool_or(version_basis = 'images') as is_by_images,
        nullif(string_agg(image, ' ' order by image), '') as images
    from marts.service_deployments
    group by deployment_id
),

previous as (  -- of several services the operation that brought the newest of what was live
    select
        services.deployment_id,
        services.previous_deployment_id
    from marts.service_deployments as services
    left join marts.service_deployments as before
        on before.deployment_id = services.previous_deployment_id
    qualify row_number() over (
        partition by services.deployment_id order by before.started_at desc nulls last, services.previous_deployment_id, services.service
    ) = 1
),

undone as (  -- of several services what undid the first of them
    select
        services.deployment_id,
        services.rolled_back_by_deployment_id
    from marts.service_deployments as services
    inner join marts.service_deployments as undoing on undoing.deployment_id = services.rolled_back_by_deployment_id
    qualify row_number() over (
        partition by services.deployment_id order by undoing.started_at, services.rolled_back_by_deployment_id
    ) = 1
),

went_back as (
    select
        deployment_id,
        min(kind) as kind
    from marts.rollbacks
    where kind <> 'rollout_abort' and deployment_id is not null
    group by deployment_id
),

aborts as (
    select
        deployment_id,
        count(*) as abort_count,
        min(aborted_at) as aborted_at
    from marts.rollouts
    where status = 'aborted' and deployment_id is not null
    group by deployment_id
),

delivered as (
    select
        matched_deployment_id as deployment_id,
        min(deployment_id) as github_deployment_id
    from marts.github_deliveries
    where matched_deployment_id is not null
    group by matched_deployment_id
),

operations as (
    select
        operations.deployment_id,
        'argocd' as source,
        operations.instance,
        operations.namespace,
        operations.application,
        operations.project,
        operations.uid,
        coalesce(applications.environment, 'unknown') as environment,
        operations.revision,
        operations.dry_sha,
        operations.repo_url,
        operations.history_id,
        operations.started_at,
        operations.finished_at,
        operations.duration_seconds,
        operations.status,
        operations.kind,
        operations.trigger,
        operations.initiated_by,
        operations.attempt_count,
        operations.is_blocked,
        operations.message,
        operations.is_live,
        operations.healthy_at,
        operations.is_health_confirmed,
        operations.degraded_at,
        operations.seen_as,
        operations.first_seen_at,
        operations.day
    from marts.operations as operations
    left join marts.applications as applications
        on
            applications.instance = operations.instance
            and applications.namespace = operations.namespace
            and applications.application = operations.application
    union all by name
    select
        deployment_id,
        'github' as source,
        repository as application,
        environment,
        sha as revision,
        started_at,
        finished_at,
        duration_seconds,
        status,
        'full' as kind,
        'github' as trigger,
        creator as initiated_by,
        false as is_blocked,
        status = 'succeeded' as is_live,
        false as is_health_confirmed,
        'github' as seen_as,
        first_seen_at,
        day
    from marts.github_deliveries
    where matched_deployment_id is null
)
select
    operations.deployment_id as deployment_id,                     -- Stands for the operation. #not_null
    operations.source as source,                                   -- Whose record it is. #in(argocd, github)
    operations.instance as instance,                               -- The Argo CD server.
    operations.namespace as namespace,                             -- Namespace of the application itself.
    operations.application as application,                         -- The application; of GitHub's the repository.
    operations.project as project,                                 -- The application's project.
    operations.uid as uid,                                         -- The incarnation of the application.
    services.service as service,                                   -- Its services, joined with commas; NULL where it is of none, as applications of applications are.
    coalesce(services.service_count, 0) as service_count,          -- How many they are. #not_null
    operations.environment as environment,                         -- Where to; unknown where nothing tells. #not_null
    services.team as team,                                         -- The team that a rule names.
    operations.revision as revision,                               -- What was synced, all revisions joined with +.
    operations.dry_sha as dry_sha,                                 -- With Argo CD's hydrator the commit that the revision was made from.
    operations.repo_url as repo_url,                               -- Repository of the first source.
    services.images as images,                                     -- Images of ours that came, joined with blanks; NULL where they are not known.
    case when services.deployment_id is not null then case when services.is_by_images then 'images' else 'revision' end end as version_basis,  -- What versions are told apart by. #in(images, revision)
    operations.started_at as started_at,                           -- When it started, UTC. #not_null
    operations.finished_at as finished_at,                         -- When it ended, UTC; NULL while it is open or unknown.
    operations.duration_seconds as duration_seconds,               -- From start to end; NULL if open, unknown, blocked by a sync window or negative.
    operations.status as status,                                   -- How it ended; cancelled if it was terminated, unknown if it vanished. #in(succeeded, failed, error, cancelled, open, unknown)
    operations.kind as kind,                                       -- What was asked for. #in(full, partial, self_heal, dry_run)
    case when went_back.kind = 'argocd' then 'rollback' else operations.trigger end as trigger,  -- What started it; unknown where nobody is named, which is not manual. #in(auto_sync, appset, user, rollback, github, unknown)
    operations.initiated_by as initiated_by,                       -- The user's name.
    operations.attempt_count as attempt_count,                     -- Attempts it made; NULL where only the history knows it.
    operations.is_blocked as is_blocked,                           -- Whether it was seen waiting at a sync window. #not_null
    operations.message as message,                                 -- What Argo CD says about its end, whole.
    failures.failure_class as failure_class,                       -- Why it failed, was aborted or degraded; unclassified if no rule knows, NULL if it held.
    operations.history_id as history_id,                           -- Its entry in Argo CD's history.
    coalesce(services.is_deployment, false) as is_deployment,      -- Whether it brought, or failed to bring, another version of a service. #not_null
    coalesce(services.is_resync and not services.is_deployment, false) as is_resync,  -- Whether it was a full sync of what was live already. #not_null
    went_back.deployment_id is not null or coalesce(services.is_rollback, false) as is_rollback,  -- Whether a service went back by it. #not_null
    case
        when services.deployment_id is null then 'none'
        when services.is_rollback and services.is_forward then 'mixed'
        when services.is_rollback or went_back.deployment_id is not null then 'rollback'
        when services.is_recreated then 'recreated'
        when services.is_forward then 'forward'
        when services.is_first then 'first'
        when services.is_resync then 'resync'
        else 'none'
    end as change,                                                 -- Where its services went; mixed if some went back and others forward. #in(first, forward, rollback, mixed, recreated, resync, none)
    operations.is_live as is_live,                                 -- Whether what it brought ran. #not_null
    previous.previous_deployment_id as previous_deployment_id,     -- The operation that had brought what was live before.
    undone.rolled_back_by_deployment_id as rolled_back_by_deployment_id,  -- The operation that undid it.
    coalesce(aborts.abort_count, 0) as abort_count,                -- How often a Rollout that it brought was aborted. #not_null
    aborts.aborted_at as aborted_at,                               -- When that first was, UTC.
    operations.healthy_at as healthy_at,                           -- When the application was healthy after it and before the next one, UTC; NULL if not observed.
    operations.is_health_confirmed as is_health_confirmed,         -- Whether that was observed. #not_null
    operations.degraded_at as degraded_at,                         -- When it became degraded after it and before the next one, for 30 minutes or more, UTC.
    delivered.github_deployment_id as github_deployment_id,        -- The deployment at GitHub that is the same delivery.
    operations.seen_as as seen_as,                                 -- Where it was seen: state, history, event, notification, github.
    operations.first_seen_at as first_seen_at,                     -- When we first saw it, UTC.
    operations.day as day                                          -- UTC day on which it started. #not_null
from operations
left join services on services.deployment_id = operations.deployment_id
left join previous on previous.deployment_id = operations.deployment_id
left join undone on undone.deployment_id = operations.deployment_id
left join went_back on went_back.deployment_id = operations.deployment_id
left join aborts on aborts.deployment_id = operations.deployment_id
left join delivered on delivered.deployment_id = operations.deployment_id
left join marts.deployment_failures as failures on failures.deployment_id = operations.deployment_id
