/*
What runs where now, since when, and how far production is behind it.

Grain: lineage, service
What runs is the version of the newest operation that brought one live; where its Rollout has gone back since, the version that was stable.
Commits count from one version to the other on the default branch of the code, as far as runs of them are known: pushed together they are one.
*/
with newest_live as (
    select *
    from marts.service_deployments
    where is_live and version is not null
    qualify row_number() over (partition by lineage, service order by started_at desc, deployment_id desc) = 1
),

live as (  -- what stood for a whole application is replaced by its services once they are known
    select newest_live.*
    from newest_live
    left join (
        select lineage, max(started_at) as known_at
        from newest_live
        where not is_whole
        group by lineage
    ) as services on services.lineage = newest_live.lineage
    where not newest_live.is_whole or services.known_at is null or services.known_at <= newest_live.started_at
),

brought as (  -- the operation that brought that version, rather than the newest that synced it again
    select
        live.lineage,
        live.service,
        bringing.deployment_id,
        bringing.started_at,
        coalesce(bringing.healthy_at, bringing.finished_at, bringing.started_at) as since
    from live
    inner join marts.service_deployments as bringing
        on
            bringing.lineage = live.lineage
            and bringing.service = live.service
            and bringing.version_basis = live.version_basis
            and bringing.position = live.position
    qualify row_number() over (partition by live.lineage, live.service order by bringing.started_at, bringing.deployment_id) = 1
),

newest as (
    select
        lineage,
        service,
        deployment_id,
        started_at,
        status
    from marts.service_deployments
    where is_deployment or is_resync
    qualify row_number() over (partition by lineage, service order by started_at desc, deployment_id desc) = 1
),

rollouts as (
    select *
    from marts.rollouts
    qualify row_number() over (
        partition by instance, application_namespace, application, service order by started_at desc, rollout_revision desc, attempt desc
    ) = 1
),

running as (
    select
        live.lineage,
        live.service,
        live.source,
        live.instance,
        live.namespace,
        live.application,
        live.environment,
        live.team,
        live.revision,
        live.version_basis,
        live.code_repository,
        newest.deployment_id as newest_deployment_id,
        newest.started_at as last_deployed_at,
        newest.status as last_status,
        rollouts.status as rollout_status,
        case
            when rollouts.status = 'aborted' and rollouts.stable_image is not null then rollouts.stable_image
            when rollouts.is_out_of_band and rollouts.is_held then rollouts.image
            else live.image
        end as image,
        case
            when rollouts.status = 'aborted' and rollouts.stable_image is not null then coalesce(rollouts.stable_version, live.version)
            when rollouts.is_out_of_band and rollouts.is_held then coalesce(rollouts.version, live.version)
            else live.version
        end as version,
        case
            when rollouts.status = 'aborted' and rollouts.stable_image is not null then rollouts.aborted_at
            when rollouts.is_out_of_band and rollouts.is_held then rollouts.started_at
            else brought.since
        end as since,
        case
            when rollouts.status = 'aborted' and rollouts.stable_image is not null or rollouts.is_out_of_band and rollouts.is_held then null
            else brought.deployment_id
        end as deployment_id,
        coalesce(rollouts.is_out_of_band and rollouts.is_held, false) as is_drifted
    from live
    left join brought on brought.lineage = live.lineage and brought.service = live.service
    left join newest on newest.lineage = live.lineage and newest.service = live.service
    left join rollouts
        on
            rollouts.instance = live.instance
            and rollouts.application_namespace = live.namespace
            and rollouts.application = live.application
            and rollouts.service = live.service
            and rollouts.started_at >= coalesce(brought.started_at, live.started_at)
),

coded as (
    select
        running.*,
        coalesce(images.code_sha, case when running.source = 'github' then running.revision end) as code_sha,
        lower(coalesce(images.code_repository, running.code_repository)) as repository
    from running
    left join marts.images as images on images.image = running.image
),

mainline as (  -- commits of default branches that had runs, in their order
    select
        lower(repositories.repository) as repository,
        attempts.head_sha,
        min(attempts.created_at) as pushed_at,
        min(attempts.committed_at) as committed_at
    from staging.github_run_attempts as attempts
    inner join staging.github_repositories as repositories on repositories.repository_id = attempts.repository_id
    where
        attempts.event = 'push'
        and attempts.head_branch = repositories.default_branch
        and lower(repositories.repository) in (select repository from coded)
    group by lower(repositories.repository), attempts.head_sha
),

places as (
    select
        *,
        row_number() over (partition by repository order by pushed_at, head_sha) as place
    from mainline
),

placed as (
    select
        coded.lineage,
        coded.service,
        places.place,
        places.committed_at
    from coded
    inner join places
        on
            places.repository = coded.repository
            and substr(places.head_sha, 1, 7) = substr(coded.code_sha, 1, 7)
            and starts_with(places.head_sha, coded.code_sha)
    qualify row_number() over (partition by coded.lineage, coded.service order by places.place desc) = 1
),

production as (  -- where a service runs in production more than once, the version that lags most
    select
        coded.service,
        coded.repository,
        placed.place,
        placed.committed_at
    from coded
    inner join placed on placed.lineage = coded.lineage and placed.service = coded.service
    where coded.environment = 'production'
    qualify row_number() over (partition by coded.service, coded.repository order by placed.place) = 1
)
select
    coded.lineage as lineage,                                        -- The series of versions: an application, or a repository and environment. #not_null
    coded.service as service,                                        -- The service. #not_null
    coded.environment as environment,                                -- Where it runs. #not_null
    coded.team as team,                                              -- The team that a rule names.
    coded.application as application,                                -- The application that brings it.
    applications.destination_server as destination_server,           -- The cluster.
    applications.destination_namespace as destination_namespace,     -- The namespace there.
    coded.version as version,                                        -- What runs.
    coded.version_basis as version_basis,                            -- What versions are told apart by. #in(images, revision)
    coded.image as image,                                            -- The image that runs.
    coded.code_sha as code_sha,                                      -- The commit of the code, as the image names it.
    coded.deployment_id as deployment_id,                            -- The operation that brought it; NULL where a Rollout went back by itself.
    coded.since as since,                                            -- Since when it runs, UTC: healthy, else the operation's end.
    coded.last_deployed_at as last_deployed_at,                      -- When the newest sync of it began, UTC.
    coded.last_status as last_status,                                -- How that one ended. #in(succeeded, failed, error, cancelled, open, unknown)
    coded.rollout_status as rollout_status,                          -- How its Rollout stands. #in(promoted, aborted, replaced, paused, degraded, progressing)
    coded.is_drifted as is_drifted,                                  -- Whether something was set outside Argo CD. #not_null
    applications.health_status as health_status,                     -- The application's health, verbatim.
    applications.sync_status as sync_status,                         -- Whether what runs is what Git says, verbatim.
    coalesce(applications.state, 'seen') as state,                   -- Whether the application was there at the latest pass. #in(seen, not_seen, deleted, no_access)
    placed.committed_at as committed_at,                             -- When its commit was made, UTC.
    placed.place - production.place as production_behind_commits,    -- Commits by which production is behind; negative where it is ahead, NULL where one of them is not known.
    (epoch_us(placed.committed_at) - epoch_us(production.committed_at)) / 86400000000.0 as production_behind_days  -- Days between the two commits, alike.
from coded
left join placed on placed.lineage = coded.lineage and placed.service = coded.service
left join production on production.service = coded.service and production.repository = coded.repository
left join marts.applications as applications
    on
        applications.instance = coded.instance
        and applications.namespace = coded.namespace
        and applications.application = coded.application
