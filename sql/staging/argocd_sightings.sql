/*
Whether an application of Argo CD was there when it was last looked for.

Grain: instance, namespace, application
Newest: fetched_at
One that is not seen may have been deleted, or be out of the token's sight; what was read of it stays.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "namespace": "VARCHAR", "application": "VARCHAR", "uid": "VARCHAR", "state": "VARCHAR", "note": "VARCHAR"}'
        ) as sighting
    from landing.argocd_sightings
)
select
    coalesce(sighting.instance, 'argocd') as instance,  -- The Argo CD server, by its configured name. #not_null
    coalesce(sighting.namespace, '') as namespace,      -- The Application's own namespace. #not_null
    sighting.application as application,                -- Its name. #not_null
    sighting.uid as uid,                                -- Its id then; NULL where only the cheap list was read.
    sighting.state as state,                            -- What was found. #in(seen, not_seen, deleted, no_access)
    fetched_at as since,                                -- Since when, as far as we know, UTC. #version
    sighting.note as note,                              -- Why, in a sentence.
    fetched_at                                          -- When it was written down, UTC. #version
from described
where sighting.application is not null
