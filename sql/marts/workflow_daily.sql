/*
How the runs of a workflow that were created on a day turned out.

Grain: day, repository, workflow, is_default_branch
Rebuilt by: day
Success ratio is success / (success + failure) over the final attempt of each run; cancelled, skipped, other and open runs are
outside it and counted beside it. Percentiles are exact, over successful and failed final attempts. A day without runs has no row.
*/
with queued as (
    select
        day,
        repository,
        workflow,
        is_default_branch,
        quantile_cont(queue_seconds, 0.95) as queue_p95_seconds,
        count(queue_seconds) as queue_count
    from marts.jobs
    group by day, repository, workflow, is_default_branch
),

runs as (
    select
        workflow_runs.*,
        case when outcome in ('success', 'failure') then duration_seconds end as decided_seconds
    from marts.workflow_runs as workflow_runs
),

counted as (
    select
        day,
        repository,
        workflow,
        is_default_branch,
        count(*) as run_count,
        count(*) filter (where outcome = 'success') as success_count,
        count(*) filter (where outcome = 'failure') as failure_count,
        count(*) filter (where outcome = 'cancelled') as cancelled_count,
        count(*) filter (where outcome = 'skipped') as skipped_count,
        count(*) filter (where outcome = 'other') as other_count,
        count(*) filter (where outcome = 'open') as open_count,
        count(*) filter (where first_outcome = 'success') as first_success_count,
        count(*) filter (where first_outcome = 'failure') as first_failure_count,
        count(*) filter (where is_flaky) as flaky_count,
        count(*) filter (where run_attempt > 1) as rerun_count,
        count(decided_seconds) as duration_count,
        quantile_cont(decided_seconds, 0.5) as duration_p50_seconds,
        quantile_cont(decided_seconds, 0.95) as duration_p95_seconds,
        quantile_cont(decided_seconds, 0.99) as duration_p99_seconds,
        sum(job_seconds) as job_seconds,
        sum(lost_seconds) as lost_seconds,
        cast(sum(billed_minutes) as bigint) as billed_minutes,
        cast(sum(cost_usd) as decimal(18, 8)) as cost_usd,
        cast(sum(waste_usd) as decimal(18, 8)) as waste_usd,
        cast(sum(unpriced_count) as bigint) as unpriced_count,
        count(*) filter (where outcome <> 'open' and detail_source is null) as undetailed_count
    from runs
    group by day, repository, workflow, is_default_branch
)
select
    counted.day as day,                                                           -- UTC day on which the runs were created. #not_null
    counted.repository as repository,                                             -- owner/name. #not_null
    counted.workflow as workflow,                                                 -- Name of the workflow. #not_null
    counted.is_default_branch as is_default_branch,                               -- Whether the runs are of the repository's mainline. #not_null
    run_count,                                                                    -- Runs created, whatever became of them.
    success_count,                                                                -- Runs that ended in success.
    failure_count,                                                                -- Runs that ended in failure, time-out or start-up failure.
    cancelled_count,                                                              -- Runs that were cancelled.
    skipped_count,                                                                -- Runs that were skipped.
    other_count,                                                                  -- Runs with another conclusion.
    open_count,                                                                   -- Runs that have not ended.
    success_count / nullif(success_count + failure_count, 0) as success_ratio,    -- Successes among successes and failures, final attempts.
    first_success_count,                                                          -- Runs whose first attempt succeeded.
    first_failure_count,                                                          -- Runs whose first attempt failed.
    flaky_count,                                                                  -- Runs that failed, then passed on the same commit.
    rerun_count,                                                                  -- Runs with more than one attempt.
    duration_count,                                                               -- Runs the percentiles of duration rest on.
    duration_p50_seconds,                                                         -- Median duration.
    duration_p95_seconds,                                                         -- 95th percentile of duration.
    duration_p99_seconds,                                                         -- 99th percentile of duration.
    coalesce(queue_count, 0) as queue_count,                                      -- Jobs that queue_p95_seconds rests on.
    queue_p95_seconds,                                                            -- 95th percentile of its jobs' queue time, all attempts.
    job_seconds,                                                                  -- Execution time of all jobs of all attempts.
    lost_seconds,                                                                 -- Share of that in attempts that failed or were cancelled.
    billed_minutes,                                                               -- Billed minutes of all attempts.
    cost_usd,                                                                     -- USD that their jobs cost, as far as known; NULL if of none.
    waste_usd,                                                                    -- Share of that whose work came to nothing.
    unpriced_count,                                                               -- Ended jobs whose cost is not known; cost_usd lacks them.
    undetailed_count                                                              -- Ended runs whose jobs are not read; cost_usd lacks them, too.
from counted
left join queued
    on queued.day = counted.day
    and queued.repository = counted.repository
    and queued.workflow = counted.workflow
    and queued.is_default_branch = counted.is_default_branch
