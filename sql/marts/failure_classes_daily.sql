/*
What failures there were, by class, over the runs that were created on a day, and what was spent on them.

Grain: day, repository, workflow, failure_class
Rebuilt by: day
Counts failed executions of jobs, and cancelled ones that a time-out or the queue's limit ended; carried-over jobs count nowhere. The
row of unclassified failures shows what share no rule explains. Attempts of runs are counted by the class of their first failed job.
*/
with failures as (
    select
        day,
        repository,
        workflow,
        failure_class,
        1 as job_count,
        0 as attempt_count,
        duration_seconds,
        billed_minutes,
        cost_usd
    from marts.jobs
    where failure_class is not null
    union all
    select
        day,
        repository,
        workflow,
        failure_class,
        0 as job_count,
        1 as attempt_count,
        null as duration_seconds,
        null as billed_minutes,
        null as cost_usd
    from marts.run_failures
),

counted as (
    select
        day,
        repository,
        workflow,
        failure_class,
        cast(sum(job_count) as bigint) as job_count,
        cast(sum(attempt_count) as bigint) as attempt_count,
        sum(duration_seconds) as lost_seconds,
        cast(sum(billed_minutes) as bigint) as lost_minutes,
        sum(cost_usd) as lost_usd
    from failures
    group by day, repository, workflow, failure_class
)
select
    day,                                                                          -- UTC day on which the runs were created. #not_null
    repository,                                                                   -- owner/name. #not_null
    workflow,                                                                     -- Name of the workflow. #not_null
    failure_class,                                                                -- Why. #not_null
    job_count,                                                                    -- Jobs that failed so, each execution. #not_null
    job_count / nullif(cast(sum(job_count) over (partition by day, repository, workflow) as double), 0) as job_ratio,  -- Their share of the workflow's failed jobs of that day.
    attempt_count,                                                                -- Attempts of runs whose first failed job failed so, or that failed so without a job. #not_null
    lost_seconds,                                                                 -- Execution time of those jobs.
    lost_minutes,                                                                 -- Billed minutes of those jobs.
    lost_usd                                                                      -- List price of those jobs; NULL where none is known.
from counted
