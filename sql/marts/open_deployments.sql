/*
Services that are being deployed at the newest pass, and since when.

Grain: service, environment
Counts operations whose end is not known; one that vanished is unknown rather than open, and does not count.
*/
select
    service,                                                                            -- The service. #not_null
    environment,                                                                        -- Where it is being deployed to. #not_null
    deployment_id,                                                                      -- The oldest operation under way. #not_null
    started_at as open_since_at,                                                        -- When that one began, UTC. #not_null
    count(*) over (partition by service, environment) as operation_count                -- Operations under way.
from marts.service_deployments
where status = 'open'
qualify row_number() over (partition by service, environment order by started_at, deployment_id) = 1
