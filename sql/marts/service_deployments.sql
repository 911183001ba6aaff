/*
Services that operations carried: which version of each came, what it replaced, and whether that went forward or back.

Grain: deployment_id, service
A version is an image, else the revision with its sources where images are not known or their tags move; the two are never compared. Of
the versions of one service, application and basis the live ones stand in order of their starts, equal ones in a row once, at their
position. Going to a version that appeared first before the one it replaces is a rollback, unless it was replaced more than 90 days or 200
positions ago, or the application was created anew. Where neighbours have different bases an equal revision is a resync and another one
forward. What never ran is compared with what did, and counts for each service that the nearest full sync carried where its own
images are not known; what applications of applications do is no deployment of a service.
*/
with argocd_operations as (
    select
        operations.*,
        'argocd' as source,
        concat_ws('|', 'argocd', operations.instance, operations.namespace, operations.application) as lineage,
        coalesce(applications.environment, 'unknown') as environment,
        coalesce(applications.default_service, operations.application) as default_service,
        operations.is_explicit_rollback or operations.is_rollback_shape as is_asked_rollback,
        case
            when operations.kind = 'full' and operations.is_revision_resolved and not operations.is_local
                then concat_ws('|', operations.revision, operations.source_fingerprint)
        end as revision_version
    from marts.operations as operations
    left join marts.applications as applications
        on
            applications.instance = operations.instance
            and applications.namespace = operations.namespace
            and applications.application = operations.application
),

attributed as (  -- what could not even be tried failed for every service that the nearest full sync carried, before it if there is one
    select
        operations.deployment_id,
        images.service
    from argocd_operations as operations
    inner join argocd_operations as near
        on near.lineage = operations.lineage and near.kind = 'full' and near.deployment_id <> operations.deployment_id
    inner join marts.deployment_images as images on images.deployment_id = near.deployment_id
    where
        operations.kind = 'full'
        and operations.status in ('failed', 'error')
        and not operations.is_live
        and operations.deployment_id not in (select deployment_id from marts.deployment_images)
    qualify rank() over (
        partition by operations.deployment_id
        order by near.started_at > operations.started_at, abs(epoch_us(near.started_at) - epoch_us(operations.started_at)), near.deployment_id
    ) = 1
),

carried as (
    select
        operations.deployment_id,
        operations.source,
        operations.lineage,
        operations.instance,
        operations.namespace,
        operations.application,
        operations.project,
        operations.environment,
        operations.uid as incarnation,
        coalesce(images.service, attributed.service, operations.default_service) as service,
        coalesce(images.service, attributed.service) is null as is_whole,
        case when images.version is not null then 'images' else 'revision' end as version_basis,
        coalesce(images.version, operations.revision_version) as version,
        operations.revision,
        operations.source_fingerprint,
        images.image,
        images.code_sha,
        images.code_repository,
        operations.is_asked_rollback,
        operations.is_live and coalesce(images.image_source <> 'sync_failed', true) as is_live,
        operations.status,
        operations.kind,
        operations.trigger,
        operations.started_at,
        operations.finished_at,
        operations.healthy_at,
        operations.is_health_confirmed
    from argocd_operations as operations
    left join marts.deployment_images as images on images.deployment_id = operations.deployment_id
    left join attributed on attributed.deployment_id = operations.deployment_id
    where not operations.is_app_of_apps or images.service is not null
    union all
    select
        deployment_id,
        'github' as source,
        concat_ws('|', 'github', repository, environment) as lineage,
        cast(null as varchar) as instance,
        cast(null as varchar) as namespace,
        cast(null as varchar) as application,
        cast(null as varchar) as project,
        environment,
        'github' as incarnation,
        service,
        true as is_whole,
        'revision' as version_basis,
        sha as version,
        sha as revision,
        cast(null as varchar) as source_fingerprint,
        cast(null as varchar) as image,
        sha as code_sha,
        repository as code_repository,
        false as is_asked_rollback,
        status = 'succeeded' as is_live,
        status,
        'full' as kind,
        'github' as trigger,
        started_at,
        finished_at,
        cast(null as timestamp) as healthy_at,
        false as is_health_confirmed
    from marts.github_deliveries
    where matched_deployment_id is null
),

numbered as (
    select
        *,
        is_live and version is not null as is_in_track,
        dense_rank() over (
            partition by lineage order by started_at, finished_at nulls last, deployment_id
        ) as operation_number
    from carried
),

befores as (
    select
        *,
        coalesce(max(case when is_in_track then operation_number end) over same_track, 0) as track_before,
        coalesce(max(case when is_in_track then operation_number end) over same_service, 0) as service_before,
        coalesce(max(case when is_in_track and is_whole then operation_number end) over same_lineage, 0) as whole_before,
        coalesce(max(case when is_in_track then operation_number end) over same_lineage, 0) as any_before,
        last_value(case when is_in_track then version end ignore nulls) over same_track as version_before
    from numbered
    window
        same_track as (
            partition by lineage, service, version_basis order by operation_number rows between unbounded preceding and 1 preceding
        ),
        same_service as (
            partition by lineage, service order by operation_number rows between unbounded preceding and 1 preceding
        ),
        same_lineage as (
            partition by lineage order by operation_number, service rows between unbounded preceding and 1 preceding
        )
),

neighbours as (
    select
        *,
        case when is_whole then any_before else greatest(service_before, whole_before) end as operation_before,
        is_in_track and version is distinct from version_before as is_new_position
    from befores
),

live_operations as (
    select
        lineage,
        operation_number,
        incarnation,
        revision,
        source_fingerprint
    from numbered
    where is_in_track
    qualify row_number() over (partition by lineage, operation_number order by service) = 1
),

compared as (
    select
        neighbours.*,
        coalesce(previous.incarnation <> neighbours.incarnation, false) as is_recreated,
        neighbours.operation_before = neighbours.track_before as is_same_track,
        coalesce(
            previous.revision = neighbours.revision
            and previous.source_fingerprint is not distinct from neighbours.source_fingerprint,
            false
        ) as is_same_revision,
        cast(
            sum(case when neighbours.is_new_position then 1 else 0 end) over (
                partition by neighbours.lineage, neighbours.service, neighbours.version_basis
                order by neighbours.operation_number rows between unbounded preceding and current row
            ) as bigint
        ) as track_position
    from neighbours
    left join live_operations as previous
        on previous.lineage = neighbours.lineage and previous.operation_number = neighbours.operation_before
),

entries as (
    select
        lineage,
        service,
        version_basis,
        track_position,
        version,
        started_at,
        lead(started_at) over (partition by lineage, service, version_basis order by track_position) as replaced_at
    from compared
    where is_new_position
),

returns as (
    select
        *,
        lag(track_position) over same_version as last_position,
        lag(replaced_at) over same_version as last_replaced_at
    from entries
    window same_version as (partition by lineage, service, version_basis, version order by track_position)
),

appearances as (
    select
        *,
        coalesce(
            track_position - last_position <= 200 and started_at <= last_replaced_at + interval 90 days, false
        ) as is_return
    from returns
),

first_appearances as (
    select
        *,
        max(case when not is_return then track_position end) over (
            partition by lineage, service, version_basis, version order by track_position
            rows between unbounded preceding and current row
        ) as first_position
    from appearances
),

track as (
    select
        *,
        lag(first_position) over in_track as first_position_before
    from first_appearances
    window in_track as (partition by lineage, service, version_basis order by track_position)
),

judged as (
    select
        compared.*,
        track.first_position,
        track.first_position_before,
        track.is_return,
        track.last_position,
        case
            when compared.kind = 'dry_run' then 'none'
            when not compared.is_live and (compared.status not in ('failed', 'error') or compared.kind <> 'full') then 'none'
            when compared.version is null and compared.kind <> 'full' then 'none'
            when compared.operation_before = 0 then 'first'
            when
                compared.version is not null and compared.is_same_track and compared.version = compared.version_before
                or (compared.is_same_revision and not compared.is_same_track and compared.version is not null)
                or (compared.is_same_revision and not compared.is_live)
                then case when compared.kind = 'full' then 'resync' else 'none' end
            when not compared.is_live then 'forward'
            when compared.is_same_track and track.is_return and track.first_position < track.first_position_before
                then case when compared.is_recreated then 'recreated' else 'rollback' end
            when compared.is_asked_rollback and not (compared.is_same_track and compared.is_new_position and track.is_return)
                then 'rollback'
            else 'forward'
        end as change
    from compared
    left join track
        on
            track.lineage = compared.lineage
            and track.service = compared.service
            and track.version_basis = compared.version_basis
            and track.track_position = compared.track_position
),

changes as (
    select
        *,
        is_in_track and change in ('first', 'forward', 'rollback', 'recreated') as is_live_change
    from judged
),

preceded as (
    select
        *,
        max(case when is_live_change then operation_number end) over same_service as service_change_before,
        max(case when is_live_change and is_whole then operation_number end) over same_lineage as whole_change_before,
        max(case when is_live_change then operation_number end) over same_lineage as any_change_before
    from changes
    window
        same_service as (
            partition by lineage, service order by operation_number rows between unbounded preceding and 1 preceding
        ),
        same_lineage as (
            partition by lineage order by operation_number, service rows between unbounded preceding and 1 preceding
        )
),

operation_ids as (
    select distinct lineage, operation_number, deployment_id
    from numbered
),

brought as (
    select
        preceded.*,
        operation_ids.deployment_id as brought_before,
        case when preceded.is_live_change then preceded.deployment_id else operation_ids.deployment_id end as brought_by
    from preceded
    left join operation_ids
        on
            operation_ids.lineage = preceded.lineage
            and operation_ids.operation_number = case
                when preceded.is_whole then preceded.any_change_before
                else
                    greatest(
                        coalesce(preceded.service_change_before, preceded.whole_change_before),
                        coalesce(preceded.whole_change_before, preceded.service_change_before)
                    )
            end
),

places as (
    select
        track.lineage,
        track.service,
        track.version_basis,
        track.track_position,
        track.version,
        track.first_position,
        brought.brought_by
    from track
    inner join brought
        on
            brought.lineage = track.lineage
            and brought.service = track.service
            and brought.version_basis = track.version_basis
            and brought.track_position = track.track_position
            and brought.is_new_position
),

undone as (
    select
        rollbacks.deployment_id,
        rollbacks.service,
        rollbacks.is_whole,
        rollbacks.operation_number,
        places.lineage,
        places.version_basis,
        places.track_position,
        places.version,
        places.brought_by
    from brought as rollbacks
    inner join places
        on
            places.lineage = rollbacks.lineage
            and places.service = rollbacks.service
            and places.version_basis = rollbacks.version_basis
            and places.track_position < rollbacks.track_position
            and places.track_position > case when rollbacks.is_return then rollbacks.last_position else rollbacks.track_position - 2 end
            and (
                not rollbacks.is_return
                or (places.first_position > rollbacks.first_position and places.first_position <= rollbacks.first_position_before)
            )
    where rollbacks.change = 'rollback' and rollbacks.is_in_track and rollbacks.is_same_track
    union all
    select
        deployment_id,
        service,
        is_whole,
        operation_number,
        lineage,
        version_basis,
        cast(null as bigint) as track_position,
        cast(null as varchar) as version,
        brought_before as brought_by
    from brought
    where change = 'rollback' and not (is_in_track and is_same_track)
),

rolled_back as (
    select
        deployment_id,
        service,
        min(track_position) as first_position,
        greatest(count(distinct version), 1) as version_count
    from undone
    group by deployment_id, service
),

first_undone as (
    select deployment_id, service, brought_by
    from undone
    qualify row_number() over (partition by deployment_id, service order by track_position) = 1
),

marks as (
    select
        brought.deployment_id,
        brought.service,
        undone.deployment_id as undone_by,
        undone.operation_number
    from brought
    inner join undone
        on
            undone.lineage = brought.lineage
            and undone.service = brought.service
            and undone.version_basis = brought.version_basis
            and undone.track_position = brought.track_position
    where brought.is_in_track
    union all
    select
        brought.deployment_id,
        brought.service,
        undone.deployment_id as undone_by,
        undone.operation_number
    from brought
    inner join undone on undone.lineage = brought.lineage and undone.brought_by = brought.deployment_id
    where brought.is_in_track and (undone.service = brought.service or undone.is_whole or brought.is_whole)
),

undoings as (
    select deployment_id, service, undone_by
    from marks
    qualify row_number() over (partition by deployment_id, service order by operation_number, undone_by) = 1
),

teams as (
    select
        services.service,
        services.code_repository,
        min(rules.team) as team
    from (select distinct service, code_repository from carried) as services
    inner join seeds.teams as rules
        on services.service like rules.pattern escape '\' or services.code_repository like rules.pattern escape '\'
    group by services.service, services.code_repository
)
select
    brought.deployment_id as deployment_id,                             -- The operation. #not_null
    brought.service as service,                                         -- The service; the application's own where no image of ours is known. #not_null
    brought.source as source,                                           -- Whose record it is. #in(argocd, github)
    brought.lineage as lineage,                                         -- The series that versions are compared in: an application through all its incarnations, or a repository and environment. #not_null
    brought.instance as instance,                                       -- The Argo CD server.
    brought.namespace as namespace,                                     -- Namespace of the application itself.
    brought.application as application,                                 -- The application's name.
    brought.project as project,                                         -- Its project.
    brought.environment as environment,                                 -- Where it was deployed to. #not_null
    brought.is_whole as is_whole,                                       -- Whether the service stands for all that the application brings, because no image of it is known. #not_null
    teams.team as team,                                                 -- The team that a rule names for the service or its repository.
    brought.version as version,                                         -- What tells versions apart; NULL if unknown.
    brought.version_basis as version_basis,                             -- What versions are told apart by. #in(images, revision)
    case when brought.operation_before > 0 and brought.is_same_track then brought.version_before end as previous_version,  -- The version that was live before, if it has the same basis.
    brought.brought_before as previous_deployment_id,                   -- The operation that had brought what was live before.
    case when brought.is_in_track then brought.track_position end as position,  -- Place among the versions that were live, equal ones in a row once; NULL if it did not get live.
    case when brought.is_in_track then brought.first_position end as first_position,  -- Place where the version appeared first, within the look-back.
    brought.change as change,                                           -- Where it went; none is for what brought no version. #in(first, forward, rollback, resync, recreated, none)
    brought.change in ('first', 'forward', 'rollback', 'recreated') as is_deployment,  -- Whether it counts as a deployment of the service. #not_null
    brought.change = 'resync' as is_resync,                             -- Whether it was a full sync of what was live already. #not_null
    brought.change = 'rollback' as is_rollback,                         -- Whether it went back. #not_null
    case when brought.change = 'rollback' and brought.is_in_track and brought.is_same_track and brought.is_return then brought.last_position end as restored_position,  -- Of a rollback: where the restored version was live last.
    restored.brought_by as restored_deployment_id,                     -- Of a rollback: the operation that had brought that version then.
    rolled_back.first_position as first_rolled_back_position,          -- Of a rollback: where the first version it undid got live.
    first_undone.brought_by as first_rolled_back_deployment_id,        -- Of a rollback: the operation that had brought that one.
    rolled_back.version_count as rolled_back_count,                    -- Of a rollback: how many versions it undid.
    undoings.undone_by as rolled_back_by_deployment_id,                -- The rollback that undid this version while it was live.
    brought.is_live as is_live,                                         -- Whether what it brought ran. #not_null
    brought.status as status,                                           -- How the operation ended. #in(succeeded, failed, error, cancelled, open, unknown)
    brought.kind as kind,                                               -- What was asked for. #in(full, partial, self_heal, dry_run)
    brought.trigger as trigger,                                         -- What started it. #in(auto_sync, appset, user, unknown, github)
    brought.revision as revision,                                       -- What was synced, verbatim.
    brought.image as image,                                             -- The image that came.
    brought.code_sha as code_sha,                                       -- The commit of the code, if its tag tells.
    brought.code_repository as code_repository,                         -- The repository of the code, owner/name, if its image tells.
    brought.started_at as started_at,                                   -- When it started, UTC. #not_null
    brought.finished_at as finished_at,                                 -- When it ended, UTC.
    brought.healthy_at as healthy_at,                                   -- When the application was healthy after it, UTC.
    brought.is_health_confirmed as is_health_confirmed,                 -- Whether that was observed. #not_null
    cast(brought.started_at as date) as day                             -- UTC day on which it started. #not_null
from brought
left join rolled_back on rolled_back.deployment_id = brought.deployment_id and rolled_back.service = brought.service
left join first_undone on first_undone.deployment_id = brought.deployment_id and first_undone.service = brought.service
left join undoings on undoings.deployment_id = brought.deployment_id and undoings.service = brought.service
left join places as restored
    on
        restored.lineage = brought.lineage
        and restored.service = brought.service
        and restored.version_basis = brought.version_basis
        and restored.track_position = brought.last_position
        and brought.change = 'rollback'
        and brought.is_in_track
        and brought.is_same_track
        and brought.is_return
left join teams
    on teams.service = brought.service and teams.code_repository is not distinct from brought.code_repository
