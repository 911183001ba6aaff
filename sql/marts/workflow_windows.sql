/*
Failure ratio and duration of each workflow over the last hour, day and week, exact, as of the newest pass of ingestion.

Grain: repository, workflow, time_window
Counts final attempts by the time they ended. The ratio is failure / (success + failure) and is NULL when nothing was decided.
*/
with clock as (
    select max(finished_at) as as_of
    from staging.github_syncs
),

windows as (
    select
        '1h' as time_window,
        1 as hours
    union all
    select
        '24h',
        24
    union all
    select
        '7d',
        168
),

known as (
    select distinct  -- a repository made anew under its old name has the old one's workflows too
        repository,
        workflow
    from marts.workflows
),

recent as (
    select
        repository,
        workflow,
        outcome,
        duration_seconds,
        (epoch_us(clock.as_of) - epoch_us(completed_at)) / 1000000.0 as age_seconds
    from marts.workflow_runs
    cross join clock
    where outcome in ('success', 'failure')
        and completed_at > clock.as_of - interval 7 days
),

measured as (
    select
        repository,
        workflow,
        time_window,
        count(*) as run_count,
        count(*) filter (where outcome = 'failure') as failure_count,
        count(duration_seconds) as duration_count,
        quantile_cont(duration_seconds, 0.5) as duration_p50_seconds,
        quantile_cont(duration_seconds, 0.95) as duration_p95_seconds,
        quantile_cont(duration_seconds, 0.99) as duration_p99_seconds
    from recent
    inner join windows on recent.age_seconds < windows.hours * 3600
    group by repository, workflow, time_window
)
select
    known.repository as repository,                                             -- owner/name. #not_null
    known.workflow as workflow,                                                 -- Name of the workflow. #not_null
    windows.time_window as time_window,                                         -- How far back: 1h, 24h, 7d. #in(1h, 24h, 7d)
    coalesce(run_count, 0) as run_count,                                        -- Successes and failures.
    coalesce(failure_count, 0) as failure_count,                                -- Failures.
    failure_count / run_count as failure_ratio,                                 -- Failures among successes and failures; NULL if none.
    coalesce(duration_count, 0) as duration_count,                              -- Runs the percentiles rest on.
    duration_p50_seconds,                                                       -- Median duration.
    duration_p95_seconds,                                                       -- 95th percentile of duration.
    duration_p99_seconds                                                        -- 99th percentile of duration.
from known
cross join windows
left join measured
    on measured.repository = known.repository
    and measured.workflow = known.workflow
    and measured.time_window = windows.time_window
