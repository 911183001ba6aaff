/*
Every delivery is counted in exactly one week of its service and environment.
*/
with delivered as (
    select
        service,
        environment,
        count(*) filter (where is_decided) as deployment_count,
        count(*) filter (where is_change_failure) as change_failure_count
    from marts.deliveries
    group by service, environment
),

counted as (
    select
        service,
        environment,
        sum(deployment_count) as deployment_count,
        sum(change_failure_count) as change_failure_count
    from marts.delivery_weekly
    group by service, environment
)
select
    coalesce(delivered.service, counted.service) as service,
    coalesce(delivered.environment, counted.environment) as environment,
    delivered.deployment_count as deployment_count,
    counted.deployment_count as counted,
    delivered.change_failure_count as change_failure_count,
    counted.change_failure_count as counted_failures
from delivered
full join counted on counted.service = delivered.service and counted.environment = delivered.environment
where
    delivered.deployment_count is distinct from counted.deployment_count
    or delivered.change_failure_count is distinct from counted.change_failure_count
