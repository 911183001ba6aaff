-- Which workflows lost most job time in the last 30 days?
select
    repository || ' · ' || workflow as workflow,
    round(sum(lost_seconds) / 3600, 1) as lost_hours,
    sum(failure_count) as failures,
    sum(success_count + failure_count) as decided_runs,
    round(sum(failure_count) / nullif(sum(success_count + failure_count), 0), 4) as failure_ratio
from marts.workflow_daily
where day > (select cast(max(as_of) as date) from marts.source_freshness) - 30
group by all
order by lost_hours desc nulls last
