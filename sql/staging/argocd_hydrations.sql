/*
Commits that Argo CD's hydrator wrote, each with the one it was made from: what people changed, and what is synced.

Grain: instance, uid, hydrated_sha
Newest: fetched_at
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "metadata": {"namespace": "VARCHAR", "name": "VARCHAR", "uid": "VARCHAR"},
              "hydrator": {"lastSuccessfulOperation": {"drySHA": "VARCHAR", "hydratedSHA": "VARCHAR"},
                           "currentOperation": {"drySHA": "VARCHAR", "hydratedSHA": "VARCHAR"}}}'
        ) as app
    from landing.argocd_applications
),

hydrated as (
    select
        fetched_at,
        app,
        unnest([app.hydrator.lastSuccessfulOperation, app.hydrator.currentOperation]) as hydration
    from described
    where app.metadata.uid is not null
)
select
    coalesce(app.instance, 'argocd') as instance,  -- The Argo CD server, by its configured name. #not_null
    app.metadata.uid as uid,                       -- The application's id. #not_null
    hydration.hydratedSHA as hydrated_sha,         -- The commit of rendered manifests, which is synced. #not_null
    app.metadata.namespace as namespace,           -- Its own namespace.
    app.metadata.name as application,              -- Its name.
    hydration.drySHA as dry_sha,                   -- The commit it was made from. #not_null
    fetched_at                                     -- When we read it, UTC. #version
from hydrated
where hydration.hydratedSHA <> '' and hydration.drySHA <> ''
