/*
Argo Rollouts, each attempt to bring a version: whether it was promoted or aborted, and why.

Grain: instance, rollout_uid, rollout_revision, attempt
A revision that was aborted and retried has an attempt more. What it was brought by is the newest operation of its application that carried
an image of its service before the revision was first seen, if that is the revision's image; a revision that no operation brought is out of
band. It is held if it was still there ten minutes after it was first seen.
*/
with readings as (
    select
        *,
        max(fetched_at) filter (where abort_key <> '') over (
            partition by instance, rollout_uid, rollout_revision
        ) as last_abort_fetched_at
    from staging.argocd_rollouts
),

attempts as (
    select
        *,
        row_number() over attempts_of_revision as attempt,
        lag(aborted_at) over attempts_of_revision as aborted_before,
        min(started_at) over (partition by instance, rollout_uid, rollout_revision) as began_at
    from readings
    where abort_key <> '' or last_abort_fetched_at is null or fetched_at > last_abort_fetched_at
    window attempts_of_revision as (
        partition by instance, rollout_uid, rollout_revision order by aborted_at nulls last, fetched_at, abort_key
    )
),

revisions as (
    select
        instance,
        rollout_uid,
        rollout_revision,
        max(attempt) as attempt_count,
        min(began_at) as began_at,
        lead(min(began_at)) over revisions_of_rollout as replaced_at,
        max(rollout_revision) over (partition by instance, rollout_uid) as newest_revision
    from attempts
    group by instance, rollout_uid, rollout_revision
    window revisions_of_rollout as (partition by instance, rollout_uid order by rollout_revision)
),

latest_passes as (
    select
        instance,
        max(finished_at) as as_of
    from staging.argocd_syncs
    group by instance
),

template_images as (
    select
        instance,
        rollout_uid,
        template_hash,
        images,
        is_reused,
        created_at
    from staging.argocd_replica_sets
    where rollout_uid is not null and template_hash is not null
    qualify row_number() over (
        partition by instance, rollout_uid, template_hash order by rollout_revision desc, fetched_at desc
    ) = 1
),

keyed as (
    select
        *,
        concat_ws('|', instance, rollout_uid, rollout_revision, attempt) as attempt_key
    from attempts
),

own_images as (
    select
        named.attempt_key,
        images.image,
        images.service,
        images.version
    from (select attempt_key, rollout, unnest(string_split(images, ' ')) as image from keyed) as named
    inner join marts.images as images on images.image = named.image
    qualify row_number() over (partition by named.attempt_key order by (images.service = named.rollout) desc, images.image) = 1
),

carried as (
    select
        keyed.*,
        own_images.image,
        own_images.service,
        own_images.version
    from keyed
    left join own_images on own_images.attempt_key = keyed.attempt_key
),

stable as (
    select
        carried.attempt_key,
        images.image,
        images.version
    from carried
    inner join (
        select instance, rollout_uid, template_hash, unnest(string_split(images, ' ')) as image
        from template_images
    ) as named
        on
            named.instance = carried.instance
            and named.rollout_uid = carried.rollout_uid
            and named.template_hash = carried.stable_hash
    inner join marts.images as images on images.image = named.image and images.service = carried.service
    qualify row_number() over (partition by carried.attempt_key order by images.image) = 1
),

bringing as (
    select
        carried.attempt_key,
        operations.deployment_id,
        brought.image
    from carried
    inner join revisions
        on
            revisions.instance = carried.instance
            and revisions.rollout_uid = carried.rollout_uid
            and revisions.rollout_revision = carried.rollout_revision
    inner join marts.operations as operations
        on
            operations.instance = carried.instance
            and operations.namespace = carried.application_namespace
            and operations.application = carried.application
            and operations.kind <> 'dry_run'
            and operations.started_at <= revisions.began_at
    left join marts.deployment_images as brought
        on
            brought.deployment_id = operations.deployment_id
            and brought.service = carried.service
            and brought.image_source <> 'sync_failed'
    where operations.is_live or brought.image is not null
    qualify row_number() over (
        partition by carried.attempt_key
        order by operations.started_at desc, operations.deployment_id desc
    ) = 1
),

analysed as (
    select
        carried.attempt_key,
        runs.phase,
        runs.analysis_run,
        runs.started_at
    from carried
    inner join staging.argocd_analysis_runs as runs
        on
            runs.instance = carried.instance
            and runs.rollout_uid = carried.rollout_uid
            and runs.rollout_revision = carried.rollout_revision
            and (carried.aborted_at is null or runs.started_at <= carried.aborted_at)
            and (carried.aborted_before is null or runs.started_at > carried.aborted_before)
    qualify row_number() over (
        partition by carried.attempt_key
        order by
            case runs.phase when 'Failed' then 0 when 'Error' then 1 when 'Inconclusive' then 2 else 3 end,
            runs.started_at desc, runs.analysis_run_uid
    ) = 1
),

reasons as (
    select
        carried.attempt_key,
        concat_ws(' ', carried.message, carried.progressing_message) as text,
        case when carried.analysis_status in ('Failed', 'Error') then carried.analysis_status end as analysis_status
    from carried
)
select
    carried.instance as instance,                                       -- The Argo CD server. #not_null
    carried.rollout_uid as rollout_uid,                                 -- Kubernetes's id of the Rollout. #not_null
    carried.rollout_revision as rollout_revision,                       -- Counts its versions, also those it goes back to. #not_null
    cast(carried.attempt as bigint) as attempt,                         -- Counts the attempts at the revision: one more after each abort that was retried. #not_null
    carried.application_namespace as application_namespace,             -- Namespace of the application it belongs to.
    carried.application as application,                                 -- That application.
    coalesce(applications.environment, 'unknown') as environment,       -- Where it is. #not_null
    carried.namespace as namespace,                                     -- The Rollout's own namespace.
    carried.rollout as rollout,                                         -- Its name.
    coalesce(carried.service, carried.rollout) as service,              -- The service it runs; its own name where no image of ours is known.
    carried.image as image,                                             -- The image it was to bring.
    carried.version as version,                                         -- What tells that one from others.
    stable.image as stable_image,                                       -- The image that was stable meanwhile.
    stable.version as stable_version,                                   -- What tells that one from others.
    carried.strategy as strategy,                                       -- canary or blueGreen.
    case
        when carried.abort_key <> '' then 'aborted'
        when carried.stable_hash = carried.current_hash then 'promoted'
        when revisions.newest_revision > carried.rollout_revision then 'replaced'
        when carried.is_paused then 'paused'
        when carried.phase = 'Degraded' then 'degraded'
        else 'progressing'
    end as status,                                                      -- How it stands or ended; replaced where another revision came before it ended or we saw its end. #in(promoted, aborted, replaced, paused, degraded, progressing)
    revisions.began_at as started_at,                              -- When the revision began, UTC; when we first saw it, where Argo Rollouts does not say. #not_null
    carried.aborted_at as aborted_at,                                   -- When the attempt was aborted, UTC.
    case
        when carried.abort_key = '' then null
        when coalesce(analysed.phase, reasons.analysis_status) = 'Failed' then 'analysis_failed'
        when coalesce(analysed.phase, reasons.analysis_status) = 'Error' then 'analysis_error'
        when regexp_matches(reasons.text, 'ProgressDeadlineExceeded|timed out progressing') then 'deadline'
        when regexp_matches(reasons.text, '(?i)analysis phase error/failed|metric .* assessed failed') then 'analysis_failed'
        when regexp_matches(reasons.text, 'Rollout aborted update to revision [0-9]+( |$)|Rollout is aborted') then 'manual'
        else 'unknown'
    end as abort_cause,                                                 -- Why it was aborted. #in(analysis_failed, analysis_error, deadline, manual, unknown)
    carried.message as message,                                         -- What Argo Rollouts says of it, whole.
    analysed.analysis_run as analysis_run,                              -- The AnalysisRun that judged it; one that went wrong before others.
    coalesce(analysed.phase, carried.analysis_status) as analysis_phase,  -- How that one ended, verbatim.
    analysed.started_at as analysis_started_at,                         -- When it began, UTC.
    carried.stable_hash is null as is_first,                            -- Whether no version had been stable before. #not_null
    coalesce(template_images.is_reused, false) as is_reused,            -- Whether it goes to a pod template it had before. #not_null
    template_images.created_at as template_created_at,                  -- When its pod template first appeared, UTC: what tells forward from back.
    case when bringing.image = carried.image or bringing.image is null then bringing.deployment_id end as deployment_id,  -- The operation that brought it.
    coalesce(bringing.image <> carried.image, false) as is_out_of_band,  -- Whether no operation brought it: its image is not that of the newest one. #not_null
    coalesce(
        coalesce(revisions.replaced_at, latest_passes.as_of) >= revisions.began_at + interval 10 minutes, false
    ) as is_held,                                                       -- Whether it was still there ten minutes later. #not_null
    carried.first_seen_at as first_seen_at,                             -- When we first saw the attempt so, UTC.
    revisions.replaced_at as replaced_at                                -- When a later revision was first seen, UTC.
from carried
inner join revisions
    on
        revisions.instance = carried.instance
        and revisions.rollout_uid = carried.rollout_uid
        and revisions.rollout_revision = carried.rollout_revision
inner join reasons on reasons.attempt_key = carried.attempt_key
left join marts.applications as applications
    on
        applications.instance = carried.instance
        and applications.namespace = carried.application_namespace
        and applications.application = carried.application
left join template_images
    on
        template_images.instance = carried.instance
        and template_images.rollout_uid = carried.rollout_uid
        and template_images.template_hash = carried.current_hash
left join stable on stable.attempt_key = carried.attempt_key
left join bringing on bringing.attempt_key = carried.attempt_key
left join analysed on analysed.attempt_key = carried.attempt_key
left join latest_passes on latest_passes.instance = carried.instance
