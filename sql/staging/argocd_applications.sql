/*
Argo CD applications as they were last read: where they deploy to, by which rules, how they are.

Grain: instance, namespace, application
Newest: fetched_at
A name that was deleted and created again has another uid.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "isAppOfApps": "BOOLEAN", "rolloutCount": "INTEGER", "digest": "VARCHAR", "probe": "VARCHAR",
              "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR", "creationTimestamp": "VARCHAR", "labels": "JSON"},
              "spec": {"project": "VARCHAR", "destination": {"server": "VARCHAR", "name": "VARCHAR", "namespace": "VARCHAR"},
                       "revisionHistoryLimit": "INTEGER", "automated": {"enabled": "BOOLEAN"},
                       "sources": [{"repoURL": "VARCHAR", "path": "VARCHAR", "chart": "VARCHAR", "targetRevision": "VARCHAR", "fingerprint": "VARCHAR"}]},
              "operation": {"retryLimit": "INTEGER"},
              "status": {"health": {"status": "VARCHAR", "lastTransitionTime": "VARCHAR"}, "reconciledAt": "VARCHAR",
                         "sync": {"status": "VARCHAR", "revision": "VARCHAR", "revisions": ["VARCHAR"]},
                         "operationState": {"phase": "VARCHAR", "startedAt": "VARCHAR"}}}'
        ) as app
    from landing.argocd_applications
)
select
    coalesce(app.instance, 'argocd') as instance,                                            -- The Argo CD server it is on, by its configured name. #not_null
    coalesce(app.metadata.namespace, '') as namespace,                                       -- The Application's own namespace. #not_null
    app.metadata.name as application,                                                        -- Its name. #not_null
    app.metadata.uid as uid,                                                                 -- Kubernetes's id; a new one when it is created again.
    cast(cast(app.metadata.creationTimestamp as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was created, UTC.
    app.spec.project as project,                                                             -- Argo CD's project.
    coalesce(app.spec.destination.server, app.spec.destination.name) as destination_server,  -- The cluster it deploys to: address, else name.
    app.spec.destination.namespace as destination_namespace,                                 -- The namespace it deploys to.
    cast(app.metadata.labels as varchar) as labels,                                          -- Its labels, as JSON.
    app.spec.sources[1].repoURL as repo_url,                                                 -- Where its manifests are; of several sources the first.
    coalesce(app.spec.sources[1].path, app.spec.sources[1].chart) as path,                   -- The folder or chart there.
    app.spec.sources[1].targetRevision as target_revision,                                   -- The branch, tag or version it follows.
    nullif(array_to_string([source.fingerprint for source in app.spec.sources], '+'), '') as source_fingerprint,  -- What its sources are but for the target revision, hashed.
    app.spec.automated is not null and coalesce(app.spec.automated.enabled, true) as is_automated,  -- Whether it syncs by itself. #not_null
    app.spec.revisionHistoryLimit as history_limit,                                          -- How many deployments Argo CD remembers; NULL is 10.
    app.status.health.status as health_status,                                               -- Its health, verbatim.
    cast(cast(app.status.health.lastTransitionTime as timestamptz) at time zone 'UTC' as timestamp) as health_since,  -- Since when, UTC; NULL before Argo CD 2.14.
    app.status.sync.status as sync_status,                                                   -- Whether the cluster is as Git says, verbatim.
    coalesce(nullif(array_to_string(app.status.sync.revisions, '+'), ''), nullif(app.status.sync.revision, '')) as sync_revision,  -- What it was compared with: Git's head, not what runs.
    app.operation is not null as requested_at_open,                                          -- Whether an operation is requested or under way. #not_null
    app.status.operationState.phase as operation_phase,                                      -- Where the operation last seen was, verbatim.
    cast(cast(app.status.operationState.startedAt as timestamptz) at time zone 'UTC' as timestamp) as operation_started_at,  -- When that one started, UTC.
    coalesce(app.isAppOfApps, false) as is_app_of_apps,                                      -- Whether it only makes other applications. #not_null
    coalesce(app.rolloutCount, 0) > 0 as has_rollouts,                                       -- Whether an Argo Rollout is among its resources. #not_null
    cast(cast(app.status.reconciledAt as timestamptz) at time zone 'UTC' as timestamp) as reconciled_at,  -- When Argo CD last compared it, UTC.
    app.digest as digest,                                                                    -- What the reading says, hashed; the next is kept only if it differs.
    app.probe as probe,                                                                      -- What the cheap list tells of it, hashed.
    fetched_at                                                                               -- When we read it, UTC. #version
from described
where app.metadata.name is not null
