/*
Services that are being deployed at the newest pass, and since when.

Grain: service, environment
Counts operations whose end is not known and after which none of the same application ended: Argo CD does one at a time, so the end of such a
one was only not seen. One that vanished is unknown rather than open, and dry runs do not count.
*/
with ended as (
    select
        lineage,
        service,
        max(started_at) as started_at
    from marts.service_deployments
    where status in ('succeeded', 'failed', 'error', 'cancelled') and kind <> 'dry_run'
    group by lineage, service
),

under_way as (
    select services.*
    from marts.service_deployments as services
    left join ended on ended.lineage = services.lineage and ended.service = services.service
    where services.status = 'open' and services.kind <> 'dry_run' and coalesce(services.started_at > ended.started_at, true)
)
select
    service,                                                                            -- The service. #not_null
    environment,                                                                        -- Where it is being deployed to. #not_null
    deployment_id,                                                                      -- The oldest operation under way. #not_null
    started_at as open_since_at,                                                        -- When that one began, UTC. #not_null
    count(*) over (partition by service, environment) as operation_count,               -- Operations under way.
    team,                                                                               -- The team that a rule names.
    source,                                                                             -- Who tells of it. #in(argocd, github)
    instance,                                                                           -- The Argo CD server; NULL for GitHub.
    application,                                                                        -- The application.
    code_repository                                                                     -- The repository of the code, owner/name.
from under_way
qualify row_number() over (partition by service, environment order by started_at, deployment_id) = 1
