/*
Sync operations of Argo CD, each once however it was seen: in an application's state, its history, an event or a notification.

Grain: deployment_id
An operation is what one application, told by its uid, started at one second; two of one second are told apart by what they synced.
What ended stays ended: a terminal state goes before the history, that before an event, and all of them before an open reading. An open
operation that another one followed, or that its application no longer shows, ended unseen and is unknown. Whatever is as of now is as of
the newest pass over the server.
*/
with latest_syncs as (
    select instance, max(finished_at) as as_of
    from staging.argocd_syncs
    group by instance
),

readings as (
    select *, phase in ('Succeeded', 'Failed', 'Error') as is_terminal
    from staging.argocd_operations
),

starts as (
    select
        instance,
        uid,
        started_at,
        coalesce(bool_or(is_terminal and revision_key <> ''), false) as has_result,
        coalesce(bool_or(was_blocked or message like '%blocked by sync window%'), false) as is_blocked,
        coalesce(bool_or(seen_by = 'poll'), false) as is_polled,
        coalesce(bool_or(seen_by = 'notification'), false) as is_notified,
        min(first_seen_at) as first_seen_at
    from readings
    group by instance, uid, started_at
),

states as (
    select
        readings.*,
        starts.is_blocked,
        starts.is_polled,
        starts.is_notified,
        starts.first_seen_at as start_first_seen_at
    from readings
    inner join starts
        on starts.instance = readings.instance and starts.uid = readings.uid and starts.started_at = readings.started_at
    where not starts.has_result or (readings.is_terminal and readings.revision_key <> '')
    qualify row_number() over (
        partition by readings.instance, readings.uid, readings.started_at, case when starts.has_result then readings.revision_key end
        order by readings.is_terminal desc, coalesce(readings.retry_count, 0) desc, readings.fetched_at desc nulls last, readings.revision_key desc
    ) = 1
),

entries as (
    select
        *,
        coalesce(deploy_started_at, deployed_at) as started_at,
        coalesce(revision_key, '') as entry_key
    from staging.argocd_history
    qualify row_number() over (
        partition by instance, uid, coalesce(deploy_started_at, deployed_at), coalesce(revision_key, '')
        order by deployed_at desc, history_id desc
    ) = 1
),

recorded_pairs as (
    select
        entries.instance,
        entries.uid,
        states.started_at,
        states.revision_key,
        entries.started_at as entry_started_at,
        entries.entry_key,
        case when states.revision_key = entries.entry_key then 0 else 1 end as distance
    from entries
    inner join states
        on
            states.instance = entries.instance
            and states.uid = entries.uid
            and states.started_at = entries.deploy_started_at
            and (
                states.revision_key = entries.entry_key
                or not states.is_terminal
                or (states.phase = 'Succeeded' and (states.revision_key = '' or entries.entry_key = ''))
            )
    union all
    select
        entries.instance,
        entries.uid,
        states.started_at,
        states.revision_key,
        entries.started_at as entry_started_at,
        entries.entry_key,
        (epoch_us(states.finished_at) - epoch_us(entries.deployed_at)) / 1000000 as distance
    from entries
    inner join states
        on
            states.instance = entries.instance
            and states.uid = entries.uid
            and states.revision_key = entries.entry_key
            and states.finished_at >= entries.deployed_at
            and states.finished_at <= entries.deployed_at + interval 2 seconds
    where entries.deploy_started_at is null and states.phase = 'Succeeded' and coalesce(states.resource_count, 0) = 0
),

ranked_pairs as (
    select
        *,
        row_number() over (
            partition by instance, uid, entry_started_at, entry_key order by distance, started_at, revision_key
        ) as state_rank,
        row_number() over (
            partition by instance, uid, started_at, revision_key order by distance, entry_started_at desc, entry_key
        ) as entry_rank
    from recorded_pairs
),

recorded as (
    select
        coalesce(states.instance, entries.instance) as instance,
        coalesce(states.uid, entries.uid) as uid,
        coalesce(states.namespace, entries.namespace) as namespace,
        coalesce(states.application, entries.application) as application,
        coalesce(states.project, entries.project) as project,
        coalesce(states.started_at, entries.started_at) as started_at,
        states.started_at is not null or entries.deploy_started_at is not null as is_start_known,
        case
            when states.is_terminal then states.finished_at
            else entries.deployed_at
        end as finished_at,
        case when states.is_terminal then states.phase when entries.uid is not null then 'Succeeded' end as end_phase,
        case when states.is_terminal or entries.uid is null then states.message end as message,
        case when states.is_terminal or entries.uid is null then states.retry_count end as retry_count,
        coalesce(nullif(states.revision_key, ''), nullif(entries.revision_key, '')) is not null as is_resolved,
        coalesce(nullif(states.revision_key, ''), nullif(entries.revision_key, ''), states.requested_revision, '') as revision,
        case
            when coalesce(states.revision_key, '') = '' and entries.uid is not null then entries.first_revision
            else states.first_revision
        end as first_revision,
        coalesce(states.target_revision, entries.target_revision) as target_revision,
        coalesce(states.repo_url, entries.repo_url) as repo_url,
        coalesce(states.source_fingerprint, entries.source_fingerprint) as source_fingerprint,
        coalesce(states.is_multi_source, entries.is_multi_source) as is_multi_source,
        coalesce(states.is_automated, entries.is_automated, false) as is_automated,
        coalesce(states.initiated_by, entries.initiated_by) as initiated_by,
        entries.history_id,
        coalesce(states.is_dry_run, false) and entries.uid is null as is_dry_run,
        coalesce(states.resource_count, 0) > 0 and entries.uid is null as is_partial,
        coalesce(states.auto_heal_count, 0) > 0 as is_healing,
        coalesce(states.is_local, false) as is_local,
        coalesce(states.is_apply_strategy, false) as is_apply_strategy,
        coalesce(states.has_sync_source, false) as has_sync_source,
        coalesce(states.is_blocked, false) as is_blocked,
        coalesce(states.is_polled, false) as is_polled,
        coalesce(states.is_notified, false) as is_notified,
        entries.uid is not null as is_in_history,
        states.fetched_at as state_fetched_at,
        least(coalesce(states.start_first_seen_at, entries.fetched_at), coalesce(entries.fetched_at, states.start_first_seen_at)) as first_seen_at
    from states
    left join ranked_pairs
        on
            ranked_pairs.instance = states.instance
            and ranked_pairs.uid = states.uid
            and ranked_pairs.started_at = states.started_at
            and ranked_pairs.revision_key = states.revision_key
            and ranked_pairs.state_rank = 1
            and ranked_pairs.entry_rank = 1
    full join entries
        on
            entries.instance = ranked_pairs.instance
            and entries.uid = ranked_pairs.uid
            and entries.started_at = ranked_pairs.entry_started_at
            and entries.entry_key = ranked_pairs.entry_key
),

event_timeline as (
    select
        *,
        max(case when reason = 'OperationStarted' then occurred_at end) over before as started_before,
        max(case when reason = 'OperationCompleted' then occurred_at end) over before as completed_before,
        max(case when reason = 'OperationStarted' then occurred_at end) over (
            partition by instance, application_uid, occurred_at
        ) as started_at_once
    from staging.argocd_events
    where reason in ('OperationStarted', 'OperationCompleted') and application_uid is not null
    window before as (
        partition by instance, application_uid
        order by occurred_at, reason, event_uid rows between unbounded preceding and 1 preceding
    )
),

requests as (
    select *
    from staging.argocd_events
    where reason = 'OperationStarted'
    qualify row_number() over (partition by instance, application_uid, occurred_at order by event_uid) = 1
),

completions as (
    select
        ended.instance,
        ended.application_uid as uid,
        ended.namespace,
        ended.application,
        ended.event_uid,
        ended.occurred_at as completed_at,
        requests.occurred_at as requested_at,
        requests.message like 'Initiated automated%' as is_automated,
        case when requests.message not like 'Initiated automated%' and requests.message not like 'Unknown user%' then requests.user_name end as initiated_by,
        ended.message like 'Partial%' as is_partial,
        case when ended.message like '%operation% succeeded' then 'Succeeded' else 'Failed' end as end_phase,
        nullif(regexp_extract(ended.message, 'failed: ?(.*)$', 1, 's'), '') as message,
        cast(nullif(regexp_extract(ended.message, '\(retried ([0-9]+) times\)', 1), '') as integer) as retry_count,
        nullif(regexp_extract(ended.message, '^(?:Partial sync|Sync) operation to ([^ :]+) (?:succeeded|failed)', 1), '') as revision,
        ended.fetched_at
    from event_timeline as ended
    left join requests
        on
            requests.instance = ended.instance
            and requests.application_uid = ended.application_uid
            and requests.occurred_at = case
                when ended.started_before >= coalesce(ended.completed_before, ended.started_before) then ended.started_before
                else ended.started_at_once
            end
    where ended.reason = 'OperationCompleted'
),

seconds_apart (seconds) as (
    values (-2), (-1), (0), (1), (2)
),

sought as (  -- the seconds in which the operation of a completion may have begun or ended
    select
        completions.instance,
        completions.uid,
        completions.event_uid,
        completions.requested_at,
        completions.completed_at,
        sides.side,
        case sides.side when 'start' then completions.requested_at else completions.completed_at end
        + seconds_apart.seconds * interval 1 second as moment
    from completions
    cross join seconds_apart
    cross join (values ('start'), ('end')) as sides (side)
),

recorded_sides as (
    select
        recorded.instance,
        recorded.uid,
        recorded.started_at,
        recorded.finished_at,
        recorded.revision,
        sides.side,
        case sides.side when 'start' then recorded.started_at else recorded.finished_at end as moment
    from recorded
    cross join (values ('start'), ('end')) as sides (side)
),

likely_pairs as (
    select
        sought.instance,
        sought.event_uid,
        sought.requested_at,
        sought.completed_at,
        recorded_sides.uid,
        recorded_sides.started_at,
        recorded_sides.finished_at,
        recorded_sides.revision
    from sought
    inner join recorded_sides
        on
            recorded_sides.instance = sought.instance
            and recorded_sides.uid = sought.uid
            and recorded_sides.side = sought.side
            and recorded_sides.moment = sought.moment
    union
    select
        completions.instance,
        completions.event_uid,
        completions.requested_at,
        completions.completed_at,
        recorded.uid,
        recorded.started_at,
        recorded.finished_at,
        recorded.revision
    from completions
    inner join recorded
        on
            recorded.instance = completions.instance
            and recorded.uid = completions.uid
            and recorded.started_at >= completions.requested_at - interval 2 seconds
            and recorded.started_at <= completions.completed_at
    where recorded.end_phase is null
),

measured_pairs as (
    select
        *,
        -- an end that fits says more than a start that does: the request may be of an operation whose own end was not told
        coalesce(least(abs(epoch_us(started_at) - epoch_us(requested_at)), 5000000), 5000000)
        + coalesce(least(abs(epoch_us(finished_at) - epoch_us(completed_at)), 10000000), 10000000) as distance
    from likely_pairs
),

ranked_completions as (
    select
        *,
        row_number() over (partition by instance, event_uid order by distance, started_at, revision) as operation_rank,
        row_number() over (partition by instance, uid, started_at, revision order by distance, event_uid) as event_rank
    from measured_pairs
),

paired as (
    select
        ranked_completions.instance,
        ranked_completions.uid,
        ranked_completions.started_at,
        ranked_completions.revision,
        completions.event_uid,
        completions.completed_at,
        completions.end_phase,
        completions.message,
        completions.retry_count,
        completions.revision as event_revision,
        completions.fetched_at
    from ranked_completions
    inner join completions
        on completions.instance = ranked_completions.instance and completions.event_uid = ranked_completions.event_uid
    where ranked_completions.operation_rank = 1 and ranked_completions.event_rank = 1
),

id_intervals as (
    select
        instance,
        uid,
        deployed_at,
        lag(deployed_at) over ids as previous_deployed_at,
        history_id - lag(history_id) over ids as id_step
    from staging.argocd_history
    window ids as (partition by instance, uid order by deployed_at, history_id)
),

unpaired as (
    select
        completions.*,
        coalesce(id_intervals.id_step = 1 and completions.end_phase = 'Succeeded' and not completions.is_partial, false) as is_dry_run
    from completions
    left join paired on paired.instance = completions.instance and paired.event_uid = completions.event_uid
    left join id_intervals
        on
            id_intervals.instance = completions.instance
            and id_intervals.uid = completions.uid
            and id_intervals.previous_deployed_at < completions.completed_at
            and id_intervals.deployed_at > completions.completed_at
    where paired.event_uid is null
),

seen as (
    select
        recorded.instance,
        recorded.uid,
        recorded.namespace,
        recorded.application,
        recorded.project,
        recorded.started_at,
        recorded.is_start_known,
        coalesce(recorded.end_phase, paired.end_phase) as end_phase,
        case when recorded.end_phase is null then paired.completed_at else recorded.finished_at end as finished_at,
        case when recorded.end_phase is null then coalesce(paired.message, recorded.message) else recorded.message end as message,
        case
            when recorded.end_phase is null and paired.end_phase = 'Succeeded' then paired.retry_count
            else coalesce(greatest(recorded.retry_count, paired.retry_count), recorded.retry_count, paired.retry_count)
        end as retry_count,
        recorded.is_resolved or paired.event_revision is not null as is_resolved,
        case when recorded.is_resolved then recorded.revision else coalesce(paired.event_revision, recorded.revision) end as revision,
        coalesce(recorded.first_revision, paired.event_revision) as first_revision,
        recorded.target_revision,
        recorded.repo_url,
        recorded.source_fingerprint,
        recorded.is_multi_source,
        recorded.is_automated,
        recorded.initiated_by,
        recorded.history_id,
        recorded.is_dry_run,
        recorded.is_partial,
        recorded.is_healing,
        recorded.is_local,
        recorded.is_apply_strategy,
        recorded.is_blocked,
        recorded.is_polled,
        recorded.is_notified,
        recorded.is_in_history,
        paired.event_uid is not null as is_in_events,
        false as is_event_only,
        recorded.state_fetched_at,
        least(recorded.first_seen_at, coalesce(paired.fetched_at, recorded.first_seen_at)) as first_seen_at
    from recorded
    left join paired
        on
            paired.instance = recorded.instance
            and paired.uid = recorded.uid
            and paired.started_at = recorded.started_at
            and paired.revision = recorded.revision
    union all
    select
        instance,
        uid,
        namespace,
        application,
        cast(null as varchar) as project,
        coalesce(requested_at, completed_at) as started_at,
        requested_at is not null as is_start_known,
        end_phase,
        completed_at as finished_at,
        message,
        retry_count,
        revision is not null as is_resolved,
        coalesce(revision, '') as revision,
        revision as first_revision,
        cast(null as varchar) as target_revision,
        cast(null as varchar) as repo_url,
        cast(null as varchar) as source_fingerprint,
        cast(null as boolean) as is_multi_source,
        coalesce(is_automated, false) as is_automated,
        initiated_by,
        cast(null as bigint) as history_id,
        is_dry_run,
        is_partial,
        false as is_healing,
        false as is_local,
        false as is_apply_strategy,
        false as is_blocked,
        false as is_polled,
        false as is_notified,
        false as is_in_history,
        true as is_in_events,
        true as is_event_only,
        cast(null as timestamp) as state_fetched_at,
        fetched_at as first_seen_at
    from unpaired
),

distinct_operations as (
    select *
    from seen
    qualify row_number() over (
        partition by instance, uid, started_at, revision order by is_event_only, is_in_history desc, finished_at desc nulls last
    ) = 1
),

operations as (
    select
        *,
        case
            when is_dry_run then 'dry_run'
            when is_partial and (is_healing or is_automated) then 'self_heal'
            when is_partial then 'partial'
            else 'full'
        end as kind,
        case
            when is_automated and initiated_by = 'applicationset-controller' then 'appset'
            when is_automated then 'auto_sync'
            when coalesce(initiated_by, '') <> '' then 'user'
            else 'unknown'
        end as trigger,
        md5(
            concat(
                instance, '|', uid, '|', strftime(started_at, '%Y-%m-%dT%H:%M:%SZ'),
                case when count(*) over (partition by instance, uid, started_at) > 1 then concat('|', revision) else '' end
            )
        ) as deployment_id
    from distinct_operations
),

in_order as (
    select
        *,
        row_number() over ordered as position,
        lead(started_at) over ordered is not null as is_overtaken,
        min(case when kind <> 'dry_run' then started_at end) over later as next_started_at,
        coalesce(nullif(source_fingerprint, ''), last_value(nullif(source_fingerprint, '') ignore nulls) over earlier) as fingerprint
    from operations
    window
        ordered as (partition by instance, uid order by started_at, finished_at nulls last, deployment_id),
        earlier as (
            partition by instance, uid order by started_at, finished_at nulls last, deployment_id
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by instance, uid order by started_at, finished_at nulls last, deployment_id
            rows between 1 following and unbounded following
        )
),

shapes as (
    select
        *,
        last_value(case when is_entry then entry_key end ignore nulls) over earlier as newest_entry_key,
        min(case when is_entry then position end) over (partition by instance, uid, entry_key) as first_entry_position
    from (
        select
            *,
            concat(revision, '|', fingerprint) as entry_key,
            kind = 'full' and coalesce(end_phase = 'Succeeded', false) as is_entry
        from in_order
    ) as keyed
    window earlier as (
        partition by instance, uid order by position rows between unbounded preceding and 1 preceding
    )
),

request_timeline as (
    select *, lead(occurred_at) over (partition by instance, application_uid order by occurred_at, event_uid) as next_requested_at
    from staging.argocd_events
    where reason = 'OperationStarted'
),

rollback_requests as (
    select shapes.deployment_id, asked.rollback_to
    from request_timeline as asked
    inner join shapes
        on
            shapes.instance = asked.instance
            and shapes.uid = asked.application_uid
            and shapes.started_at >= asked.occurred_at - interval 2 seconds
            and shapes.started_at <= asked.occurred_at + interval 10 minutes
            and coalesce(shapes.started_at < asked.next_requested_at, true)
    where asked.rollback_to is not null and shapes.kind = 'full' and not shapes.is_automated
    qualify row_number() over (
        partition by asked.instance, asked.event_uid
        order by abs(epoch_us(shapes.started_at) - epoch_us(asked.occurred_at)), shapes.started_at desc
    ) = 1
),

asked_rollbacks as (
    select deployment_id, max(rollback_to) as rollback_to
    from rollback_requests
    group by deployment_id
),

spells as (
    select
        instance,
        uid,
        health_status,
        since,
        confirmed_at,
        min(case when health_status = 'Healthy' then since end) over (
            partition by instance, uid order by since, health_status rows between 1 following and unbounded following
        ) as healthy_again_at
    from staging.argocd_health
),

moments as (
    select
        spells.instance,
        spells.uid,
        spells.since as moment,
        1 as rank,
        cast(null as varchar) as deployment_id,
        case when spells.health_status = 'Healthy' then spells.since end as healthy_at,
        case when spells.health_status = 'Healthy' then spells.confirmed_at end as confirmed_at,
        case
            when
                spells.health_status = 'Degraded'
                and (spells.healthy_again_at is null or spells.healthy_again_at > spells.since + interval 30 minutes)
                and (latest_syncs.as_of is null or latest_syncs.as_of >= spells.since + interval 30 minutes)
                then spells.since
        end as degraded_at
    from spells
    left join latest_syncs on latest_syncs.instance = spells.instance
    union all
    select
        instance,
        uid,
        finished_at as moment,
        0 as rank,
        deployment_id,
        cast(null as timestamp) as healthy_at,
        cast(null as timestamp) as confirmed_at,
        cast(null as timestamp) as degraded_at
    from shapes
    where finished_at is not null
),

health as (
    select
        *,
        min(healthy_at) over later as next_healthy_at,
        min(degraded_at) over later as next_degraded_at,
        max(confirmed_at) over earlier as held_until
    from moments
    window
        later as (partition by instance, uid order by moment, rank, deployment_id rows between 1 following and unbounded following),
        earlier as (partition by instance, uid order by moment, rank, deployment_id rows between unbounded preceding and 1 preceding)
),

healths as (
    select
        shapes.deployment_id,
        case
            when health.held_until > shapes.finished_at then shapes.finished_at
            when health.next_healthy_at < shapes.next_started_at or shapes.next_started_at is null then health.next_healthy_at
        end as healthy_at,
        case
            when health.next_degraded_at < shapes.next_started_at or shapes.next_started_at is null then health.next_degraded_at
        end as degraded_at
    from shapes
    inner join health on health.deployment_id = shapes.deployment_id
),

recoveries as (
    select instance, uid, since, min(healthy_again_at) as recovered_at
    from spells
    where health_status = 'Degraded'
    group by instance, uid, since
),

image_readings as (
    select
        instance,
        uid,
        started_at,
        revision_key,
        bool_or(image_source = 'sync_result') as is_applied
    from staging.argocd_operation_images
    group by instance, uid, started_at, revision_key
),

imaged as (
    select shapes.deployment_id, bool_or(image_readings.is_applied) as is_applied
    from shapes
    inner join image_readings
        on
            image_readings.instance = shapes.instance
            and image_readings.uid = shapes.uid
            and image_readings.started_at = shapes.started_at
    where image_readings.revision_key in ('', shapes.revision)
    group by shapes.deployment_id
),

ends as (
    select
        shapes.*,
        case
            when shapes.end_phase = 'Succeeded' then 'succeeded'
            when shapes.message like '%Operation terminated%' and shapes.end_phase is not null then 'cancelled'
            when shapes.end_phase = 'Failed' then 'failed'
            when shapes.end_phase = 'Error' then 'error'
            when
                shapes.is_overtaken
                or (sightings.state = 'deleted' and not coalesce(applications.uid <> sightings.uid and applications.fetched_at > sightings.fetched_at, false))
                or (
                    applications.fetched_at > shapes.state_fetched_at
                    and (applications.uid <> shapes.uid or applications.operation_started_at is distinct from shapes.started_at)
                )
                then 'unknown'
            else 'open'
        end as status,
        coalesce(shapes.project, applications.project) as known_project,
        coalesce(applications.is_app_of_apps, false) as is_app_of_apps
    from shapes
    left join staging.argocd_applications as applications
        on
            applications.instance = shapes.instance
            and applications.namespace = shapes.namespace
            and applications.application = shapes.application
    left join staging.argocd_sightings as sightings
        on
            sightings.instance = shapes.instance
            and sightings.namespace = shapes.namespace
            and sightings.application = shapes.application
)
select
    ends.deployment_id as deployment_id,                               -- Stands for instance, uid and start. #not_null
    ends.instance as instance,                                         -- The Argo CD server. #not_null
    ends.namespace as namespace,                                       -- Namespace of the application itself.
    ends.application as application,                                   -- The application's name.
    ends.known_project as project,                                     -- Its project.
    ends.uid as uid,                                                   -- The incarnation of the application. #not_null
    ends.started_at as started_at,                                     -- When the controller took it, UTC; from old entries, when it ended. #not_null
    ends.finished_at as finished_at,                                   -- When it ended, UTC; NULL while it is open or unknown.
    case
        when ends.is_start_known and not ends.is_blocked and ends.finished_at >= ends.started_at
            then (epoch_us(ends.finished_at) - epoch_us(ends.started_at)) / 1000000.0
    end as duration_seconds,                                           -- From start to end; NULL if open, unknown, blocked or negative.
    ends.status as status,                                             -- How it ended. #in(succeeded, failed, error, cancelled, open, unknown)
    ends.kind as kind,                                                 -- What was asked for. #in(full, partial, self_heal, dry_run)
    ends.trigger as trigger,                                           -- What started it; unknown where nobody is named, which is not manual. #in(auto_sync, appset, user, unknown)
    ends.initiated_by as initiated_by,                                 -- The user's name.
    ends.retry_count + 1 as attempt_count,                             -- Attempts it made; NULL where its end is known by the history or an event of success alone.
    ends.is_blocked as is_blocked,                                     -- Whether it was seen waiting at a sync window. #not_null
    ends.message as message,                                           -- What Argo CD says about its end, whole.
    nullif(ends.revision, '') as revision,                             -- What was synced, all revisions joined with +; what was asked for while that is not resolved.
    ends.is_resolved as is_revision_resolved,                          -- Whether Argo CD said what the revision came to. #not_null
    ends.first_revision as first_revision,                             -- Revision of the first source.
    hydrations.dry_sha as dry_sha,                                     -- With Argo CD's hydrator the commit that the revision was made from.
    ends.target_revision as target_revision,                           -- Branch, tag or range of the first source.
    ends.repo_url as repo_url,                                         -- Repository of the first source.
    ends.fingerprint as source_fingerprint,                            -- The sources less their target revisions, hashed; of the operation before where it is not known.
    ends.is_multi_source as is_multi_source,                           -- Whether it has several sources.
    ends.is_local as is_local,                                         -- Whether a user's own manifests were synced: the revision is not what runs. #not_null
    ends.is_app_of_apps as is_app_of_apps,                             -- Whether the application brings applications. #not_null
    imaged.deployment_id is not null as has_images,                    -- Whether any image that it brought, or was to bring, is known. #not_null
    ends.history_id as history_id,                                     -- Its entry in the history; NULL if it has none or that was not seen.
    healths.healthy_at as healthy_at,                                  -- When the application was healthy after it and before the next one, UTC; NULL if not observed.
    healths.healthy_at is not null as is_health_confirmed,             -- Whether that was observed. #not_null
    healths.degraded_at as degraded_at,                                -- When it became degraded after it and before the next one, for 30 minutes or more, UTC.
    recoveries.recovered_at as recovered_at,                           -- When it was healthy again after that, UTC.
    asked_rollbacks.deployment_id is not null as is_explicit_rollback,  -- Whether an event calls it a rollback. #not_null
    asked_rollbacks.rollback_to as rollback_to,                        -- The history entry that event names.
    coalesce(
        ends.trigger = 'user'
        and ends.kind = 'full'
        and ends.is_apply_strategy
        and not ends.is_local
        and ends.first_entry_position < ends.position
        and ends.entry_key <> ends.newest_entry_key,
        false
    ) as is_rollback_shape,                                            -- Whether a user applied, without hooks, what an older entry of the history had. #not_null
    ends.kind <> 'dry_run'
    and (
        ends.status = 'succeeded'
        or (ends.status in ('failed', 'error', 'cancelled') and coalesce(imaged.is_applied, false))
    ) as is_live,                                                      -- Whether what it brought ran: it succeeded, or failed after its workloads were applied. #not_null
    ends.position = 1 as is_first_of_incarnation,                      -- Whether no earlier one of its uid is known. #not_null
    concat_ws(
        ', ',
        case when ends.is_polled then 'state' end,
        case when ends.is_in_history then 'history' end,
        case when ends.is_in_events then 'event' end,
        case when ends.is_notified then 'notification' end
    ) as seen_as,                                                      -- Where it was seen: state, history, event, notification; where a notification told what a reading did, the first of them.
    ends.first_seen_at as first_seen_at,                               -- When we first saw it, UTC.
    cast(ends.started_at as date) as day                               -- UTC day on which it started. #not_null
from ends
left join healths on healths.deployment_id = ends.deployment_id
left join recoveries
    on recoveries.instance = ends.instance and recoveries.uid = ends.uid and recoveries.since = healths.degraded_at
left join asked_rollbacks on asked_rollbacks.deployment_id = ends.deployment_id
left join imaged on imaged.deployment_id = ends.deployment_id
left join staging.argocd_hydrations as hydrations
    on hydrations.instance = ends.instance and hydrations.uid = ends.uid and hydrations.hydrated_sha = ends.first_revision
