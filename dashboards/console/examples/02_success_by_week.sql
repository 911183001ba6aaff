-- How often do runs on the default branch succeed, week by week?
-- The newest week is not over.
select
    cast(date_trunc('week', day) as date) as week,
    round(sum(success_count) / nullif(sum(success_count + failure_count), 0), 4) as success_ratio,
    sum(success_count + failure_count) as decided_runs
from marts.workflow_daily
where is_default_branch
group by week
order by week
