/*
Changes of an application's health, each with when it began and until when it was seen to hold.

Grain: instance, uid, health_status, since
Newest: confirmed_at, source_rank, fetched_at
Argo CD before 2.14 does not say since when; there each reading is one, unless an event told.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR"},
              "status": {"health": {"status": "VARCHAR", "lastTransitionTime": "VARCHAR"}, "reconciledAt": "VARCHAR"}}'
        ) as app
    from landing.argocd_applications
),

told as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "application": "VARCHAR", "namespace": "VARCHAR", "applicationUid": "VARCHAR", "message": "VARCHAR",
              "firstTimestamp": "VARCHAR", "lastTimestamp": "VARCHAR"}'
        ) as event
    from landing.argocd_events
),

stated as (
    select
        app.instance as instance,
        app.metadata.namespace as namespace,
        app.metadata.name as application,
        app.metadata.uid as uid,
        nullif(app.status.health.status, '') as health_status,
        coalesce(cast(cast(app.status.health.lastTransitionTime as timestamptz) at time zone 'UTC' as timestamp), fetched_at) as since,
        cast(cast(app.status.reconciledAt as timestamptz) at time zone 'UTC' as timestamp) as reconciled_at,
        'status' as source,
        fetched_at
    from described
    union all
    select
        event.instance,
        event.namespace,
        event.application,
        event.applicationUid,
        nullif(regexp_extract(event.message, 'Updated health status: \w* -> (\w+)', 1), ''),
        cast(cast(coalesce(event.firstTimestamp, event.lastTimestamp) as timestamptz) at time zone 'UTC' as timestamp),
        null,
        'event',
        fetched_at
    from told
)
select
    coalesce(instance, 'argocd') as instance,                    -- The Argo CD server, by its configured name. #not_null
    uid,                                                         -- The application's id. #not_null
    health_status,                                               -- Its health, verbatim: Healthy, Progressing, Degraded, Suspended, Missing, Unknown. #not_null
    since,                                                       -- When it began, UTC; when it was read, where Argo CD does not say. #not_null
    coalesce(namespace, '') as namespace,                        -- The Application's own namespace. #not_null
    application,                                                 -- Its name.
    source,                                                      -- What told: status (a reading) or event. #in(status, event)
    greatest(since, reconciled_at) as confirmed_at,              -- Until when Argo CD has found it so, UTC. #not_null
    case source when 'status' then 1 else 0 end as source_rank,  -- A reading says more than an event. #version
    fetched_at                                                   -- When we read it, UTC. #version
from stated
where uid is not null and health_status is not null and since is not null
