-- Which changes took longest from commit to production?
select
    service,
    round(lead_time_seconds / 3600, 1) as lead_time_hours,
    round(epoch(built_at - run_started_at) / 3600, 1) as of_it_build_hours,
    committed_at,
    started_at as deployment_began_at,
    code_repository,
    pull_request,
    head_sha
from marts.deliveries
where environment = 'production' and lead_time_seconds is not null
order by lead_time_seconds desc
limit 25
