-- How often, how fast and how safely does each service reach production?
-- The newest week is not over.
select
    week,
    service,
    deployment_count,
    round(change_failure_ratio, 4) as change_failure_ratio,
    round(lead_time_p50_seconds / 3600, 1) as lead_time_p50_hours,
    lead_time_count,
    round(recovery_p50_seconds / 60) as recovery_p50_minutes,
    rollback_count
from marts.delivery_weekly
where environment = 'production'
order by week, service
