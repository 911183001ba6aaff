/*
Argo CD's own count of finished operations, argocd_app_sync_total, each time it was read and had changed.

Grain: instance, namespace, application, phase, is_dry_run, read_at
Newest: fetched_at
It starts from nothing again when Argo CD's controller does.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "namespace": "VARCHAR", "application": "VARCHAR", "phase": "VARCHAR", "dry_run": "BOOLEAN", "total": "DOUBLE"}'
        ) as counter
    from landing.argocd_sync_totals
)
select
    coalesce(counter.instance, 'argocd') as instance,  -- The Argo CD server, by its configured name. #not_null
    coalesce(counter.namespace, '') as namespace,      -- The Application's own namespace. #not_null
    counter.application as application,                -- Its name. #not_null
    counter.phase as phase,                            -- How the operations ended: Succeeded, Failed, Error. #not_null
    coalesce(counter.dry_run, false) as is_dry_run,    -- Whether they changed nothing; Argo CD before 3.1 does not say. #not_null
    fetched_at as read_at,                             -- When it was read, UTC. #not_null
    cast(counter.total as bigint) as total,            -- The count. #not_null
    fetched_at                                         -- The same, UTC. #version
from described
where counter.application is not null and counter.phase is not null and counter.total is not null
