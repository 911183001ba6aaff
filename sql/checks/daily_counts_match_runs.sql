/*
Every run is counted on exactly one day.
*/
select
    runs.day as day,
    runs.run_count as run_count,
    daily.run_count as counted
from (select day, count(*) as run_count from marts.workflow_runs group by day) as runs
full join (select day, sum(run_count) as run_count from marts.workflow_daily group by day) as daily on daily.day = runs.day
where runs.run_count is distinct from daily.run_count
