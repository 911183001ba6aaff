-- Which steps take most time in the last 7 days?
select
    step,
    job,
    workflow,
    count(*) as executions,
    round(quantile_cont(duration_seconds, 0.5), 1) as median_seconds,
    round(sum(duration_seconds) / 3600, 2) as total_hours
from marts.steps
where day > (select cast(max(as_of) as date) from marts.source_freshness) - 7
group by all
order by total_hours desc nulls last
limit 25
