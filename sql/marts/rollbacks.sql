/*
Rollbacks: each time that something went back to an earlier version, once, with the evidence for it and how long it took.

Grain: rollback_id
Kinds: argocd (`argocd app rollback` or its button), revert (Git went back), target_revision (the application was pointed back), redeploy
(an earlier commit was deployed again, by what told GitHub), rollout_abort (Argo Rollouts went back to the stable version) and rollout_undo
(a Rollout's template was set back outside Argo CD). An operation that only brings Git back to what an abort, an undo or an earlier
rollback has restored already belongs to that incident. Time to restore runs from when the first version that was undone was there to when
the older one was there again.
*/
with operations as (
    select
        deployment_id,
        instance,
        namespace,
        application,
        started_at,
        finished_at,
        healthy_at,
        is_health_confirmed,
        initiated_by,
        trigger,
        revision,
        target_revision,
        source_fingerprint,
        is_explicit_rollback,
        is_rollback_shape,
        rollback_to,
        first_seen_at
    from marts.operations
    union all
    select
        deployment_id,
        cast(null as varchar) as instance,
        cast(null as varchar) as namespace,
        repository as application,
        started_at,
        finished_at,
        cast(null as timestamp) as healthy_at,
        false as is_health_confirmed,
        creator as initiated_by,
        'github' as trigger,
        sha as revision,
        cast(null as varchar) as target_revision,
        cast(null as varchar) as source_fingerprint,
        false as is_explicit_rollback,
        false as is_rollback_shape,
        cast(null as bigint) as rollback_to,
        first_seen_at
    from marts.github_deliveries
    where matched_deployment_id is null
),

first_undone as (
    select
        services.deployment_id,
        services.first_rolled_back_deployment_id as first_undone_deployment_id,
        services.restored_deployment_id
    from marts.service_deployments as services
    left join operations as undone on undone.deployment_id = services.first_rolled_back_deployment_id
    where services.change = 'rollback'
    qualify row_number() over (
        partition by services.deployment_id order by undone.started_at nulls last, services.service
    ) = 1
),

went_back as (
    select
        deployment_id,
        array_to_string(list_sort(list(distinct service)), ', ') as services,
        bool_or(version_basis = 'images' and restored_position is not null) as is_by_images,
        bool_or(restored_position is not null) as is_by_version,
        max(rolled_back_count) as version_count,
        string_agg(concat(service, ' ', coalesce(previous_version, '?'), ' -> ', coalesce(version, '?')), ', ' order by service) as moves
    from marts.service_deployments
    where change = 'rollback'
    group by deployment_id
),

carried as (
    select
        deployment_id,
        min(environment) as environment,
        min(team) as team,
        min(source) as source,
        min(previous_deployment_id) as previous_deployment_id,
        array_to_string(list_sort(list(distinct service)), ', ') as services,
        bool_or(is_deployment and change = 'forward' and version_basis = 'revision' and is_live) as is_new_revision
    from marts.service_deployments
    group by deployment_id
),

turns as (
    select
        *,
        lag(status) over turns_of_rollout as status_before,
        lag(version) over turns_of_rollout as version_before,
        lag(image) over turns_of_rollout as image_before,
        lag(template_created_at) over turns_of_rollout as template_created_before,
        lag(deployment_id) over turns_of_rollout as deployment_before,
        lag(started_at) over turns_of_rollout as started_before,
        lead(first_seen_at) over turns_of_rollout as next_seen_at
    from marts.rollouts
    window turns_of_rollout as (partition by instance, rollout_uid order by rollout_revision, attempt)
),

went_back_alone as (  -- Rollouts that were stopped, or set back by no operation
    select
        *,
        case when status = 'aborted' then deployment_id else deployment_before end as undone_deployment_id
    from turns
    where
        (status = 'aborted' and not is_first)
        or (
            status <> 'aborted'
            and is_out_of_band
            and is_held
            and template_created_at < template_created_before
            and status_before <> 'aborted'
        )
),

left_to_undo as (  -- an operation that brings Git to where a Rollout went, and still is, restores nothing
    select
        undone.rolled_back_by_deployment_id as deployment_id,
        count(*) filter (where alone.rollout_uid is null) as unmended_count
    from marts.service_deployments as undone
    inner join operations on operations.deployment_id = undone.rolled_back_by_deployment_id
    left join (
        select distinct undone_deployment_id, rollout_uid, next_seen_at
        from went_back_alone
    ) as alone
        on
            alone.undone_deployment_id = undone.deployment_id
            and (alone.next_seen_at is null or alone.next_seen_at >= operations.started_at)
    where undone.is_deployment
    group by undone.rolled_back_by_deployment_id
),

reverting as (  -- commits that say what they take back, where images cannot tell
    select
        operations.deployment_id,
        undone.deployment_id as first_undone_deployment_id,
        commits.message
    from carried
    inner join marts.operations as operations on operations.deployment_id = carried.deployment_id
    inner join staging.argocd_revisions as commits
        on commits.repo_url = operations.repo_url and commits.revision = operations.first_revision and commits.is_revert
    inner join marts.operations as undone
        on
            undone.instance = operations.instance
            and undone.namespace = operations.namespace
            and undone.application = operations.application
            and undone.started_at < operations.started_at
            and undone.is_live
    inner join marts.service_deployments as undone_services
        on
            undone_services.deployment_id = undone.deployment_id
            and undone_services.is_deployment
            and undone_services.rolled_back_by_deployment_id is null
    left join staging.argocd_revisions as undone_commits
        on undone_commits.repo_url = undone.repo_url and undone_commits.revision = undone.first_revision
    where
        carried.is_new_revision
        and (
            undone.first_revision like concat(commits.reverted_sha, '%')
            or (commits.reverted_sha is null and commits.message = concat('Revert "', undone_commits.message, '"'))
        )
    qualify row_number() over (partition by operations.deployment_id order by undone.started_at desc, undone.deployment_id) = 1
),

by_operation as (
    select
        operations.*,
        carried.environment,
        carried.team,
        coalesce(went_back.services, carried.services) as services,
        went_back.deployment_id is null as is_by_message,
        coalesce(went_back.is_by_images, false) as is_by_images,
        coalesce(went_back.is_by_version, false) as is_by_version,
        coalesce(first_undone.first_undone_deployment_id, reverting.first_undone_deployment_id) as first_undone_deployment_id,
        coalesce(went_back.version_count, 1) as version_count,
        first_undone.restored_deployment_id,
        went_back.moves,
        reverting.message as commit_message,
        before.revision as from_revision,
        before.target_revision <> operations.target_revision
        and before.source_fingerprint = operations.source_fingerprint as is_retargeted,
        coalesce(applications.is_automated, false) as is_automated,
        carried.source
    from operations
    inner join carried on carried.deployment_id = operations.deployment_id
    left join went_back on went_back.deployment_id = operations.deployment_id
    left join first_undone on first_undone.deployment_id = operations.deployment_id
    left join reverting on reverting.deployment_id = operations.deployment_id
    left join operations as before on before.deployment_id = carried.previous_deployment_id
    left join marts.applications as applications
        on
            applications.instance = operations.instance
            and applications.namespace = operations.namespace
            and applications.application = operations.application
    left join left_to_undo on left_to_undo.deployment_id = operations.deployment_id
    where
        (went_back.deployment_id is not null or reverting.deployment_id is not null)
        and (left_to_undo.deployment_id is null or left_to_undo.unmended_count > 0)
),

asked_again as (  -- the same entry asked for once more within half an hour, with nothing in between
    select
        *,
        lag(rollback_to) over in_turn = rollback_to
        and lag(started_at) over in_turn >= started_at - interval 30 minutes
        and lag(deployment_id) over in_turn = previous_operation_id as is_again
    from (
        select
            by_operation.*,
            lags.previous_operation_id
        from by_operation
        left join (
            select
                deployment_id,
                lag(deployment_id) over (
                    partition by instance, namespace, application order by started_at, deployment_id
                ) as previous_operation_id
            from operations
        ) as lags on lags.deployment_id = by_operation.deployment_id
    ) as followed
    window in_turn as (partition by instance, namespace, application order by started_at, deployment_id)
),

kinds as (
    select
        *,
        case
            when source = 'github' then 'redeploy'
            when is_explicit_rollback or is_rollback_shape then 'argocd'
            when is_by_message then 'revert'
            when coalesce(is_retargeted, false) then 'target_revision'
            when trigger = 'auto_sync' or trigger = 'appset' or is_automated or is_by_images then 'revert'
            else 'argocd'
        end as kind,
        case
            when is_explicit_rollback then 'explicit'
            when is_rollback_shape or source = 'github' then 'high'
            when is_by_message then 'low'
            when coalesce(is_retargeted, false) then 'medium'
            when is_by_images then 'high'
            else 'medium'
        end as confidence,
        concat_ws(
            ', ',
            case when is_explicit_rollback then 'event' end,
            case when is_rollback_shape then 'shape' end,
            case when is_by_version then 'version' end,
            case when commit_message is not null then 'message' end
        ) as detected_by
    from asked_again
    where not coalesce(is_again, false)
),

operation_rollbacks as (
    select
        kinds.deployment_id as rollback_id,
        kinds.deployment_id,
        cast(null as varchar) as rollout_uid,
        cast(null as integer) as rollout_revision,
        kinds.kind,
        cast(null as varchar) as cause,
        kinds.confidence,
        kinds.detected_by,
        concat_ws(
            '; ',
            case when kinds.is_explicit_rollback then concat('asked for entry ', kinds.rollback_to) end,
            kinds.moves,
            kinds.commit_message
        ) as evidence,
        kinds.instance,
        kinds.namespace,
        kinds.application,
        kinds.services,
        kinds.environment,
        kinds.team,
        kinds.initiated_by,
        kinds.from_revision,
        kinds.revision as to_revision,
        kinds.first_undone_deployment_id,
        kinds.restored_deployment_id,
        kinds.version_count,
        kinds.started_at,
        undone.finished_at as failed_at,
        coalesce(kinds.healthy_at, kinds.finished_at) as restored_at,
        kinds.is_health_confirmed,
        kinds.first_seen_at
    from kinds
    left join operations as undone on undone.deployment_id = kinds.first_undone_deployment_id
),

rollout_rollbacks as (
    select
        concat('rollout-', turns.rollout_uid, '-', turns.rollout_revision, '-', turns.attempt) as rollback_id,
        case when turns.status = 'aborted' then turns.deployment_id end as deployment_id,
        turns.rollout_uid,
        turns.rollout_revision,
        case when turns.status = 'aborted' then 'rollout_abort' else 'rollout_undo' end as kind,
        turns.abort_cause as cause,
        case when turns.status = 'aborted' then 'explicit' else 'medium' end as confidence,
        'rollout' as detected_by,
        case
            when turns.status = 'aborted'
                then concat_ws('; ', turns.message, case when turns.analysis_run is not null then concat(turns.analysis_run, ' ', turns.analysis_phase) end)
            else concat(turns.service, ' ', coalesce(turns.version_before, turns.image_before), ' -> ', coalesce(turns.version, turns.image), ', by no operation')
        end as evidence,
        turns.instance,
        turns.application_namespace as namespace,
        turns.application,
        turns.service as services,
        turns.environment,
        cast(null as varchar) as team,
        cast(null as varchar) as initiated_by,
        case when turns.status = 'aborted' then coalesce(turns.version, turns.image) else coalesce(turns.version_before, turns.image_before) end as from_revision,
        case when turns.status = 'aborted' then coalesce(turns.stable_version, turns.stable_image) else coalesce(turns.version, turns.image) end as to_revision,
        turns.undone_deployment_id as first_undone_deployment_id,
        cast(null as varchar) as restored_deployment_id,
        1 as version_count,
        case when turns.status = 'aborted' then coalesce(turns.aborted_at, turns.started_at) else turns.started_at end as started_at,
        case
            when turns.status = 'aborted' then coalesce(case when turns.analysis_phase in ('Failed', 'Error') then turns.analysis_started_at end, turns.started_at)
            else coalesce(undone.finished_at, turns.started_before)
        end as failed_at,
        case when turns.status = 'aborted' then turns.aborted_at else turns.started_at end as restored_at,
        false as is_health_confirmed,
        turns.first_seen_at
    from went_back_alone as turns
    left join operations as undone on undone.deployment_id = turns.undone_deployment_id
),

rollbacks as (
    select * from operation_rollbacks
    union all by name
    select * from rollout_rollbacks
),

closing as (
    select
        undone.deployment_id,
        min(undone.rolled_back_by_deployment_id) as deployment_that_followed
    from marts.service_deployments as undone
    where undone.rolled_back_by_deployment_id is not null
    group by undone.deployment_id
),

degradations as (
    select
        rollbacks.rollback_id,
        min(health.since) as detected_at
    from rollbacks
    inner join marts.operations as undone on undone.deployment_id = rollbacks.first_undone_deployment_id
    inner join staging.argocd_health as health
        on
            health.instance = undone.instance
            and health.uid = undone.uid
            and health.health_status = 'Degraded'
            and health.since >= rollbacks.failed_at
            and health.since <= rollbacks.restored_at
    group by rollbacks.rollback_id
),

teams as (
    select
        service,
        environment,
        min(team) as team
    from marts.service_deployments
    where team is not null
    group by service, environment
)
select
    rollbacks.rollback_id as rollback_id,                         -- Stands for the operation that went back, or the attempt of a Rollout. #not_null
    rollbacks.deployment_id as deployment_id,                     -- The operation that went back; of an abort the one that was stopped.
    rollbacks.rollout_uid as rollout_uid,                         -- The Rollout that went back, if it did so itself.
    rollbacks.rollout_revision as rollout_revision,               -- Of it, the revision.
    rollbacks.kind as kind,                                       -- What went back, see above. #in(argocd, revert, target_revision, redeploy, rollout_abort, rollout_undo)
    rollbacks.cause as cause,                                     -- Why a Rollout was aborted. #in(analysis_failed, analysis_error, deadline, manual, unknown)
    rollbacks.confidence as confidence,                           -- How sure it is that it was one. #in(explicit, high, medium, low)
    rollbacks.detected_by as detected_by,                         -- What tells so: event, shape (of the operation), version (an earlier one came), message (of the commit), rollout.
    rollbacks.evidence as evidence,                               -- What exactly, in words.
    rollbacks.cause in ('analysis_failed', 'analysis_error', 'deadline') as is_automated,  -- Whether nobody had to ask for it; NULL where people and machines cannot be told apart.
    rollbacks.instance as instance,                               -- The Argo CD server.
    rollbacks.namespace as namespace,                             -- Namespace of the application itself.
    rollbacks.application as application,                         -- The application; of GitHub's the repository.
    rollbacks.services as service,                                -- The services that went back, joined with commas. #not_null
    rollbacks.environment as environment,                         -- Where. #not_null
    coalesce(rollbacks.team, teams.team) as team,                 -- The team that a rule names.
    rollbacks.initiated_by as initiated_by,                       -- Who asked for it, where that is told.
    rollbacks.from_revision as from_revision,                     -- What was undone: the revision before, or of a Rollout the version.
    rollbacks.to_revision as to_revision,                         -- What came back.
    rollbacks.first_undone_deployment_id as first_undone_deployment_id,  -- The operation that had brought the first version that was undone.
    rollbacks.restored_deployment_id as restored_deployment_id,   -- The operation that had brought what came back.
    case when rollbacks.kind in ('rollout_abort', 'rollout_undo') then closing.deployment_that_followed end as closing_deployment_id,  -- The operation by which Git followed a Rollout that had gone back by itself.
    cast(rollbacks.version_count as bigint) as version_count,     -- How many versions were undone. #not_null
    rollbacks.started_at as started_at,                           -- When it went back, UTC. #not_null
    rollbacks.failed_at as failed_at,                             -- When the first version that was undone was there, UTC; of an abort, when the analysis or the Rollout began.
    degradations.detected_at as detected_at,                      -- When the application first was degraded in between, UTC; NULL if it was not seen so.
    rollbacks.restored_at as restored_at,                         -- When the earlier version was there again, UTC; NULL while it is not.
    rollbacks.is_health_confirmed as is_health_confirmed,         -- Whether the application was seen healthy then; else it is when the operation ended. #not_null
    case
        when rollbacks.restored_at >= rollbacks.failed_at
            then (epoch_us(rollbacks.restored_at) - epoch_us(rollbacks.failed_at)) / 1000000.0
    end as time_to_restore_seconds,                               -- From the one to the other; NULL where one is not known or they are in the wrong order.
    rollbacks.first_seen_at as first_seen_at,                     -- When we first saw it, UTC.
    cast(rollbacks.started_at as date) as day                     -- UTC day on which it went back. #not_null
from rollbacks
left join degradations on degradations.rollback_id = rollbacks.rollback_id
left join closing on closing.deployment_id = rollbacks.first_undone_deployment_id
left join teams on teams.service = rollbacks.services and teams.environment = rollbacks.environment
