/*
Queue time of jobs by kind of runner, as a cumulative histogram.

Grain: repository, runner, upper_bound_seconds
Sums up marts.job_queue_daily, which says what counts. The infinite bound holds all jobs.
*/
with bounds as (
    select cast(upper_bound_seconds as double) as upper_bound_seconds
    from seeds.histogram_bounds
    where histogram = 'job_queue'
),

filled as (
    select
        repository,
        runner,
        upper_bound_seconds,
        sum(job_count) as job_count,
        sum(queue_seconds) as queue_seconds
    from marts.job_queue_daily
    group by repository, runner, upper_bound_seconds
),

runners as (
    select distinct
        repository,
        runner
    from filled
)
select
    runners.repository as repository,                                       -- owner/name. #not_null
    runners.runner as runner,                                               -- Kind of runner: its labels, else its group. #not_null
    bounds.upper_bound_seconds as upper_bound_seconds,                      -- Upper bound of the bucket, inclusive. #not_null
    cast(sum(coalesce(job_count, 0)) over below as bigint) as job_count,    -- Jobs at or below the bound. #counter
    sum(coalesce(queue_seconds, 0)) over below as queue_seconds_sum         -- Their queue times summed. #counter
from runners
cross join bounds
left join filled
    on filled.repository = runners.repository
    and filled.runner = runners.runner
    and filled.upper_bound_seconds = bounds.upper_bound_seconds
window below as (
    partition by runners.repository, runners.runner
    order by bounds.upper_bound_seconds
    rows between unbounded preceding and current row
)
