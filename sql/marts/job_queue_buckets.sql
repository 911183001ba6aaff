/*
Queue time of jobs by kind of runner, as a cumulative histogram.

Grain: repository, runner, upper_bound_seconds
Counts jobs of attempts seen settled within 6 hours of their end. The infinite bound holds them all. A label that names one run,
as those of runners started for it do, would make a series for each run: numbers of eight digits and more count as the same.
*/
with bounds as (
    select
        cast(above_seconds as double) as above_seconds,
        cast(upper_bound_seconds as double) as upper_bound_seconds
    from seeds.histogram_bounds
    where histogram = 'job_queue'
),

waited as (
    select
        jobs.repository,
        regexp_replace(jobs.runner, '[0-9]{8,}', '*', 'g') as runner,
        jobs.queue_seconds
    from marts.jobs as jobs
    inner join marts.run_attempts as attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
    where jobs.queue_seconds is not null and attempts.outcome <> 'open' and not attempts.is_late
),

runners as (
    select distinct
        repository,
        runner
    from waited
),

filled as (
    select
        repository,
        runner,
        upper_bound_seconds,
        count(*) as job_count,
        sum(queue_seconds) as queue_seconds
    from waited
    inner join bounds on queue_seconds > above_seconds and queue_seconds <= upper_bound_seconds
    group by repository, runner, upper_bound_seconds
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
