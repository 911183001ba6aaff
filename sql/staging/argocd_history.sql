/*
Deployments that Argo CD remembers: full syncs that succeeded, the last ten of an application.

Grain: instance, uid, history_id, deployed_at
Newest: fetched_at
Ids restart when an application is created again and when its status is lost; the time of deployment tells them apart.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR"}, "spec": {"project": "VARCHAR"},
              "status": {"history": [{"id": "BIGINT", "revision": "VARCHAR", "revisions": ["VARCHAR"], "deployStartedAt": "VARCHAR", "deployedAt": "VARCHAR",
                                      "initiatedBy": {"username": "VARCHAR", "automated": "BOOLEAN"}, "isMultiSource": "BOOLEAN",
                                      "sources": [{"repoURL": "VARCHAR", "targetRevision": "VARCHAR", "fingerprint": "VARCHAR"}]}]}}'
        ) as app
    from landing.argocd_applications
),

remembered as (
    select
        fetched_at,
        app,
        unnest(app.status.history) as entry
    from described
    where app.metadata.uid is not null
),

timed as (
    select
        *,
        cast(cast(entry.deployStartedAt as timestamptz) at time zone 'UTC' as timestamp) as deploy_started_at,
        cast(cast(coalesce(entry.deployedAt, entry.deployStartedAt) as timestamptz) at time zone 'UTC' as timestamp) as deployed_at
    from remembered
)
select
    coalesce(app.instance, 'argocd') as instance,                                            -- The Argo CD server, by its configured name. #not_null
    app.metadata.uid as uid,                                                                 -- The application's id. #not_null
    coalesce(entry.id, 0) as history_id,                                                     -- The number that a rollback names. #not_null
    deployed_at,                                                                             -- When the sync finished, UTC. #not_null
    coalesce(app.metadata.namespace, '') as namespace,                                       -- The Application's own namespace. #not_null
    app.metadata.name as application,                                                        -- Its name.
    app.spec.project as project,                                                             -- Argo CD's project.
    deploy_started_at,                                                                       -- When the operation started, UTC; old entries lack it.
    coalesce(nullif(array_to_string(entry.revisions, '+'), ''), nullif(entry.revision, '')) as revision_key,  -- What was deployed: a commit, or chart version; those of several sources joined with +.
    coalesce(nullif(entry.revisions[1], ''), nullif(entry.revision, '')) as first_revision,  -- The first source's.
    nullif(array_to_string([source.fingerprint for source in entry.sources], '+'), '') as source_fingerprint,  -- What its sources were but for the target revision, hashed.
    entry.sources[1].targetRevision as target_revision,                                      -- The branch, tag or version that was followed; of several sources the first's.
    entry.sources[1].repoURL as repo_url,                                                    -- Where the manifests are; of several sources the first's.
    coalesce(entry.isMultiSource, false) as is_multi_source,                                 -- Whether there were several sources. #not_null
    coalesce(entry.initiatedBy.automated, false) as is_automated,                            -- Whether Argo CD started it by itself. #not_null
    nullif(entry.initiatedBy.username, '') as initiated_by,                                  -- Who started it, if a user did.
    coalesce(entry.initiatedBy.automated, false) or nullif(entry.initiatedBy.username, '') is not null as has_initiator,  -- Whether it says who started it; otherwise nobody knows. #not_null
    fetched_at                                                                               -- When we read it, UTC. #version
from timed
where deployed_at is not null
