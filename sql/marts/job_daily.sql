/*
How the executions of a job turned out, over the runs that were created on a day.

Grain: day, repository, workflow, job_base
Rebuilt by: day
Counts every execution, so a job that was run again counts twice; carried-over jobs count nowhere. The members of a matrix are
counted together. Percentiles are exact, over successful and failed executions. Flaky are jobs that failed and passed in attempts of
one run; what other runs prove stands in marts.job_flakes, because it may come to light days later.
*/
with flaky_jobs as (
    select distinct
        day,
        repository,
        workflow,
        job_base,
        job,
        run_id
    from marts.job_flakes
    where level = 'L1'
),

flaky as (
    select
        day,
        repository,
        workflow,
        job_base,
        count(*) as flaky_count
    from flaky_jobs
    group by day, repository, workflow, job_base
),

counted as (
    select
        day,
        repository,
        workflow,
        job_base,
        count(*) as job_count,
        count(*) filter (where outcome = 'success') as success_count,
        count(*) filter (where outcome = 'failure') as failure_count,
        count(*) filter (where outcome = 'cancelled') as cancelled_count,
        count(*) filter (where outcome = 'skipped') as skipped_count,
        count(*) filter (where outcome = 'other') as other_count,
        count(*) filter (where outcome = 'open') as open_count,
        count(case when outcome in ('success', 'failure') then duration_seconds end) as duration_count,
        quantile_cont(case when outcome in ('success', 'failure') then duration_seconds end, 0.5) as duration_p50_seconds,
        quantile_cont(case when outcome in ('success', 'failure') then duration_seconds end, 0.95) as duration_p95_seconds,
        quantile_cont(case when outcome in ('success', 'failure') then duration_seconds end, 0.99) as duration_p99_seconds,
        count(queue_seconds) as queue_count,
        quantile_cont(queue_seconds, 0.95) as queue_p95_seconds,
        sum(duration_seconds) as job_seconds,
        cast(sum(billed_minutes) as bigint) as billed_minutes,
        cast(sum(cost_usd) as decimal(18, 8)) as cost_usd,
        cast(sum(case when waste_class is null then 0 * cost_usd else cost_usd end) as decimal(18, 8)) as waste_usd,
        count(*) filter (where cost_usd is null and outcome <> 'open') as unpriced_count
    from marts.jobs
    where not is_carried_over
    group by day, repository, workflow, job_base
)
select
    counted.day as day,                                                           -- UTC day on which the runs were created. #not_null
    counted.repository as repository,                                             -- owner/name. #not_null
    counted.workflow as workflow,                                                 -- Name of the workflow. #not_null
    counted.job_base as job_base,                                                 -- Name of the job without its matrix. #not_null
    job_count,                                                                    -- Jobs, whatever became of them.
    success_count,                                                                -- Executions that succeeded.
    failure_count,                                                                -- Executions that failed or timed out.
    cancelled_count,                                                              -- Jobs that were cancelled.
    skipped_count,                                                                -- Jobs that were skipped.
    other_count,                                                                  -- Jobs with another conclusion.
    open_count,                                                                   -- Jobs that have not ended.
    success_count / nullif(success_count + failure_count, 0) as success_ratio,    -- Successes among successes and failures.
    duration_count,                                                               -- Executions the percentiles of duration rest on.
    duration_p50_seconds,                                                         -- Median duration.
    duration_p95_seconds,                                                         -- 95th percentile of duration.
    duration_p99_seconds,                                                         -- 99th percentile of duration.
    queue_count,                                                                  -- Jobs that queue_p95_seconds rests on.
    queue_p95_seconds,                                                            -- 95th percentile of queue time.
    coalesce(flaky.flaky_count, 0) as flaky_count,                                -- Jobs that failed and passed in attempts of one run. #not_null
    job_seconds,                                                                  -- Execution time.
    billed_minutes,                                                               -- Billed minutes.
    cost_usd,                                                                     -- USD they cost, as far as known; NULL if of none.
    waste_usd,                                                                    -- Share of that whose work came to nothing.
    unpriced_count                                                                -- Ended jobs whose cost is not known; cost_usd lacks them.
from counted
left join flaky
    on flaky.day = counted.day
    and flaky.repository = counted.repository
    and flaky.workflow = counted.workflow
    and flaky.job_base = counted.job_base
