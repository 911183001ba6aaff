/*
Queue time of jobs by kind of runner, over the runs that were created on a day: how many jobs waited how long.

Grain: day, repository, runner, upper_bound_seconds
Rebuilt by: day
Counts jobs of attempts seen settled within 6 hours of their end, each under the lowest bound that holds its queue time. A label that
names one run, as those of runners started for it do, would make rows for each run: numbers of eight digits and more count as the same.
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
        jobs.day,
        jobs.repository,
        regexp_replace(jobs.runner, '[0-9]{8,}', '*', 'g') as runner,
        jobs.queue_seconds
    from marts.jobs as jobs
    inner join marts.run_attempts as attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
    where jobs.queue_seconds is not null and attempts.outcome <> 'open' and not attempts.is_late
)
select
    waited.day as day,                                                      -- UTC day on which the runs were created. #not_null
    waited.repository as repository,                                        -- owner/name. #not_null
    waited.runner as runner,                                                -- Kind of runner: its labels, else its group. #not_null
    bounds.upper_bound_seconds as upper_bound_seconds,                      -- Upper bound of the bucket, inclusive. #not_null
    count(*) as job_count,                                                  -- Jobs in the bucket, those below its lower bound left out. #not_null
    sum(waited.queue_seconds) as queue_seconds                              -- Their queue times summed. #not_null
from waited
inner join bounds on waited.queue_seconds > bounds.above_seconds and waited.queue_seconds <= bounds.upper_bound_seconds
group by waited.day, waited.repository, waited.runner, bounds.upper_bound_seconds
