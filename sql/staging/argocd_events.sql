/*
Kubernetes events about Argo CD's applications, which are gone after an hour in the cluster.

Grain: instance, event_uid
Newest: event_count, fetched_at
They tell of operations that no reading saw, of who started one and of the history entry that a rollback went back to.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "application": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR", "applicationUid": "VARCHAR", "type": "VARCHAR",
              "reason": "VARCHAR", "message": "VARCHAR", "firstTimestamp": "VARCHAR", "lastTimestamp": "VARCHAR", "count": "INTEGER", "user": "VARCHAR"}'
        ) as event
    from landing.argocd_events
)
select
    coalesce(event.instance, 'argocd') as instance,  -- The Argo CD server, by its configured name. #not_null
    event.uid as event_uid,                          -- Kubernetes's id of the event. #not_null
    coalesce(event.namespace, '') as namespace,      -- The Application's own namespace. #not_null
    event.application as application,                -- The application's name.
    event.applicationUid as application_uid,         -- The application's id.
    event.type as type,                              -- Normal or Warning, verbatim.
    event.reason as reason,                          -- What kind it is, verbatim: OperationStarted, OperationCompleted, ResourceUpdated, …
    event.message as message,                        -- What it says, verbatim.
    cast(cast(coalesce(event.firstTimestamp, event.lastTimestamp) as timestamptz) at time zone 'UTC' as timestamp) as occurred_at,  -- When it happened, UTC.
    coalesce(event.count, 1) as event_count,         -- How often it did. #not_null
    coalesce(
        nullif(event.user, ''), nullif(nullif(regexp_extract(event.message, '^(.+?) (initiated|terminated) ', 1), ''), 'Unknown user')
    ) as user_name,                                  -- Who did it: as annotated, else as the message says; NULL for Argo CD itself and for unknown users.
    try_cast(nullif(regexp_extract(event.message, 'initiated rollback to (\d+)', 1), '') as bigint) as rollback_to,  -- The history entry that a rollback goes back to; NULL for anything else.
    nullif(regexp_extract(event.message, 'Updated health status: (\w*) -> \w+', 1), '') as health_from,  -- The health before, if it tells of health.
    nullif(regexp_extract(event.message, 'Updated health status: \w* -> (\w+)', 1), '') as health_to,  -- The health after.
    fetched_at                                       -- When we read it, UTC. #version
from described
where event.uid is not null
