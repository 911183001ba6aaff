/*
Images that an operation of Argo CD brought: those of what it applied or failed to apply, and those that ran after it.

Grain: instance, uid, started_at, revision_key, image, image_source
Newest: fetched_at
What ran is taken only when nothing else runs: the operation is final, no other is requested, and Argo CD has found the application
Synced and Healthy after it. Images of before Argo CD 3.1 are known by that alone.
*/
with said as (
    select payload, fetched_at from landing.argocd_applications
    union all
    select payload, fetched_at from landing.argocd_notifications
),

described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR"}, "operation": {"retryLimit": "INTEGER"},
              "status": {"health": {"status": "VARCHAR", "lastTransitionTime": "VARCHAR"}, "sync": {"status": "VARCHAR"}, "reconciledAt": "VARCHAR",
                         "images": ["VARCHAR"], "operationState": {"phase": "VARCHAR", "startedAt": "VARCHAR", "finishedAt": "VARCHAR",
                         "syncResult": {"revision": "VARCHAR", "revisions": ["VARCHAR"], "resources": [{"status": "VARCHAR", "images": ["VARCHAR"]}]}}}}'
        ) as app
    from said
),

timed as (
    select
        fetched_at,
        app,
        app.status.operationState as state,
        cast(cast(app.status.operationState.startedAt as timestamptz) at time zone 'UTC' as timestamp) as started_at,
        app.operation is null
        and app.status.operationState.phase in ('Succeeded', 'Failed', 'Error')
        and app.status.sync.status = 'Synced'
        and app.status.health.status = 'Healthy'
        and greatest(cast(app.status.reconciledAt as timestamptz), cast(app.status.health.lastTransitionTime as timestamptz))
        > cast(app.status.operationState.finishedAt as timestamptz) as is_settled
    from described
    where app.metadata.uid is not null
),

carried as (
    select
        *,
        'sync_result' as image_source,
        unnest(list_distinct(flatten([
            resource.images for resource in state.syncResult.resources if resource.status = 'Synced' and resource.images is not null
        ]))) as image
    from timed
    union all
    select
        *,
        'sync_failed' as image_source,
        unnest(list_distinct(flatten([
            resource.images for resource in state.syncResult.resources if resource.status = 'SyncFailed' and resource.images is not null
        ]))) as image
    from timed
    union all
    select
        *,
        'summary' as image_source,
        unnest(list_distinct(app.status.images)) as image
    from timed
    where is_settled
)
select
    coalesce(app.instance, 'argocd') as instance,       -- The Argo CD server, by its configured name. #not_null
    app.metadata.uid as uid,                            -- The application's id. #not_null
    started_at,                                         -- When the operation started, UTC. #not_null
    coalesce(nullif(array_to_string(state.syncResult.revisions, '+'), ''), state.syncResult.revision, '') as revision_key,  -- What it syncs to, as in staging.argocd_operations. #not_null
    image,                                              -- The image, as it is written in the workload. #not_null
    image_source,                                       -- Where it is from: sync_result (applied by the operation), sync_failed (it could not be) or summary (ran after it). #in(sync_result, sync_failed, summary)
    coalesce(app.metadata.namespace, '') as namespace,  -- The Application's own namespace. #not_null
    app.metadata.name as application,                   -- Its name.
    fetched_at                                          -- When we read it, UTC. #version
from carried
where started_at is not null and image <> ''
