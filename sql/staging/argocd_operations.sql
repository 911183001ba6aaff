/*
Sync operations of Argo CD as their state was last seen, by polling or told by a notification.

Grain: instance, uid, started_at, revision_key
Newest: phase_rank, retry_count, moved_at, fetched_at
An operation keeps its start over all retries. One that waits for its next attempt is Running and has a time of finishing all the
same; only Succeeded, Failed and Error are final, and a final state is never replaced by an open one that comes late.
*/
with said as (
    select payload, fetched_at, 'poll' as seen_by from landing.argocd_applications
    union all
    select payload, fetched_at, 'notification' as seen_by from landing.argocd_notifications
),

described as (
    select
        fetched_at,
        seen_by,
        from_json(
            payload,
            '{"instance": "VARCHAR", "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR"}, "spec": {"project": "VARCHAR"},
              "status": {"operationState":
                 {"phase": "VARCHAR", "startedAt": "VARCHAR", "finishedAt": "VARCHAR", "message": "VARCHAR", "retryCount": "INTEGER",
                  "operation": {"initiatedBy": {"username": "VARCHAR", "automated": "BOOLEAN"}, "info": "JSON", "retryLimit": "INTEGER",
                                "sync": {"revision": "VARCHAR", "revisions": ["VARCHAR"], "dryRun": "BOOLEAN", "autoHealAttemptsCount": "INTEGER",
                                         "syncStrategy": {"apply": {"force": "BOOLEAN"}}, "isMultiSource": "BOOLEAN", "resourceCount": "INTEGER",
                                         "isLocal": "BOOLEAN", "sources": [{"repoURL": "VARCHAR", "targetRevision": "VARCHAR", "fingerprint": "VARCHAR"}]}},
                  "syncResult": {"revision": "VARCHAR", "revisions": ["VARCHAR"], "isMultiSource": "BOOLEAN",
                                 "sources": [{"repoURL": "VARCHAR", "targetRevision": "VARCHAR", "fingerprint": "VARCHAR"}],
                                 "resources": [{"status": "VARCHAR", "hookPhase": "VARCHAR", "images": ["VARCHAR"]}]}}}}'
        ) as app
    from said
),

timed as (
    select
        fetched_at,
        seen_by,
        app,
        app.status.operationState as state,
        app.status.operationState.syncResult as result,
        app.status.operationState.operation as asked,
        case when len(app.status.operationState.syncResult.sources) > 0 then app.status.operationState.syncResult.sources
            else app.status.operationState.operation.sync.sources end as sources,
        cast(cast(app.status.operationState.startedAt as timestamptz) at time zone 'UTC' as timestamp) as started_at,
        cast(cast(app.status.operationState.finishedAt as timestamptz) at time zone 'UTC' as timestamp) as finished_at
    from described
    where app.metadata.uid is not null
)
select
    coalesce(app.instance, 'argocd') as instance,                                              -- The Argo CD server, by its configured name. #not_null
    app.metadata.uid as uid,                                                                   -- The application's id. #not_null
    started_at,                                                                                -- When the controller took it, UTC; retries keep it. #not_null
    coalesce(nullif(array_to_string(result.revisions, '+'), ''), result.revision, '') as revision_key,  -- What it syncs to, resolved; of several sources joined with +; empty while there is no result. #not_null
    coalesce(app.metadata.namespace, '') as namespace,                                         -- The Application's own namespace. #not_null
    app.metadata.name as application,                                                          -- Its name.
    app.spec.project as project,                                                               -- Argo CD's project.
    state.phase as phase,                                                                      -- Where it is, verbatim: Running, Terminating, Succeeded, Failed, Error.
    finished_at,                                                                               -- When it ended, UTC; while Running when its last attempt did.
    state.message as message,                                                                  -- What Argo CD says of it, verbatim.
    coalesce(state.retryCount, 0) as retry_count,                                              -- Attempts after the first. #not_null
    asked.retryLimit as retry_limit,                                                           -- Attempts it may make after the first; NULL is none.
    coalesce(nullif(array_to_string(asked.sync.revisions, '+'), ''), nullif(asked.sync.revision, '')) as requested_revision,  -- What was asked for: a commit, or the name of a branch.
    coalesce(nullif(result.revisions[1], ''), nullif(result.revision, '')) as first_revision,  -- What the first source resolved to.
    nullif(array_to_string([source.fingerprint for source in sources], '+'), '') as source_fingerprint,  -- What its sources are but for the target revision, hashed.
    sources[1].targetRevision as target_revision,                                              -- The branch, tag or version it follows; of several sources the first's.
    sources[1].repoURL as repo_url,                                                            -- Where the manifests are; of several sources the first's.
    coalesce(result.isMultiSource, asked.sync.isMultiSource, false) as is_multi_source,        -- Whether there are several sources. #not_null
    coalesce(asked.initiatedBy.automated, false) as is_automated,                              -- Whether Argo CD started it by itself. #not_null
    nullif(asked.initiatedBy.username, '') as initiated_by,                                    -- Who started it, if a user did.
    coalesce(asked.initiatedBy.automated, false) or nullif(asked.initiatedBy.username, '') is not null as has_initiator,  -- Whether it says who started it; otherwise nobody knows. #not_null
    coalesce(asked.sync.dryRun, false) as is_dry_run,                                          -- Whether it changes nothing. #not_null
    coalesce(asked.sync.isLocal, false) as is_local,                                           -- Whether a user sent manifests of his own. #not_null
    coalesce(asked.sync.resourceCount, 0) as resource_count,                                   -- Resources it is limited to; 0 for all of them. #not_null
    coalesce(asked.sync.autoHealAttemptsCount, 0) as auto_heal_count,                          -- Attempts at healing itself; 0 for any other operation. #not_null
    asked.sync.syncStrategy.apply is not null as is_apply_strategy,                            -- Whether hooks are left out, as in a rollback. #not_null
    coalesce(len(asked.sync.sources), 0) > 0 or coalesce(asked.sync.isMultiSource, false) as has_sync_source,  -- Whether the request names its sources; since Argo CD 3.2 each does. #not_null
    result is not null as has_sync_result,                                                     -- Whether there is a result of an attempt. #not_null
    len([1 for resource in coalesce(result.resources, []) if resource.status = 'PruneSkipped']) as prune_skipped_count,  -- Resources it would have removed. #not_null
    len([1 for resource in coalesce(result.resources, []) if resource.status = 'SyncFailed' or resource.hookPhase in ('Failed', 'Error')]) as failed_resource_count,  -- Resources and hooks that failed. #not_null
    len(list_distinct(flatten([resource.images for resource in coalesce(result.resources, []) if resource.status = 'Synced' and resource.images is not null]))) as applied_image_count,  -- Images of what was applied; 0 before Argo CD 3.1. #not_null
    nullif(cast(asked.info as varchar), '[]') as info,                                         -- What the requester wrote beside it, as JSON.
    case when state.phase in ('Succeeded', 'Failed', 'Error') then 2 when state.phase = 'Terminating' then 1 else 0 end as phase_rank,  -- How far along it is. #version
    coalesce(finished_at, started_at) as moved_at,                                             -- When it last moved, UTC. #version
    fetched_at as first_seen_at,                                                               -- When we first saw it, UTC. #earliest
    seen_by,                                                                                   -- How: poll or notification. #earliest #in(poll, notification)
    coalesce(state.message like '%blocked by sync window%', false) as was_blocked,             -- Whether it waited at a sync window when we first saw it. #earliest #not_null
    fetched_at                                                                                 -- When we read it, UTC. #version
from timed
where started_at is not null
