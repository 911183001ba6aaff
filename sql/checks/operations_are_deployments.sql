/*
Every operation of Argo CD, and every deployment that only GitHub was told of, is one row of the deployments.
*/
with told as (
    select deployment_id from marts.operations
    union all
    select deployment_id from marts.github_deliveries where matched_deployment_id is null
)
select
    coalesce(told.deployment_id, deployments.deployment_id) as deployment_id,
    told.deployment_id is not null as is_told,
    deployments.deployment_id is not null as is_shown
from told
full join marts.deployments as deployments on deployments.deployment_id = told.deployment_id
where told.deployment_id is null or deployments.deployment_id is null
