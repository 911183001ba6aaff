/*
Time that settled attempts of workflow runs spent in each state, by their result, as a cumulative histogram.

Grain: repository, workflow, run_state, result, upper_bound_seconds
Counts attempts seen settled within 6 hours of their end, by OpenTelemetry's conventions: pending from the attempt's start until the
first of its jobs began to run, executing from there to the end of the last. An attempt none of whose jobs is known to have run is in
neither. The infinite bound holds them all. Results that have not come up yet have no rows, save success.
*/
with results (conclusion, result) as (
    values
        ('success', 'success'),
        ('failure', 'failure'),
        ('timed_out', 'timeout'),
        ('startup_failure', 'error'),
        ('cancelled', 'cancellation'),
        ('skipped', 'skip')
),

bounds as (
    select
        cast(above_seconds as double) as above_seconds,
        cast(upper_bound_seconds as double) as upper_bound_seconds
    from seeds.histogram_bounds
    where histogram = 'workflow_run_duration'
),

attempts as (
    select
        repository,
        workflow,
        coalesce(results.result, attempts.conclusion, 'unknown') as result,
        (epoch_us(execution_started_at) - epoch_us(started_at)) / 1000000.0 as wait_seconds,
        (epoch_us(completed_at) - epoch_us(execution_started_at)) / 1000000.0 as run_seconds
    from marts.run_attempts as attempts
    left join results on results.conclusion = attempts.conclusion
    where outcome <> 'open' and not is_late and execution_started_at is not null
),

spans as (
    select
        repository,
        workflow,
        'pending' as run_state,
        '' as result,
        greatest(wait_seconds, 0) as seconds
    from attempts
    where wait_seconds >= -5  -- the granularity of GitHub's clocks
    union all
    select
        repository,
        workflow,
        'executing' as run_state,
        result,
        run_seconds as seconds
    from attempts
    where run_seconds >= 0
),

filled as (
    select
        repository,
        workflow,
        run_state,
        result,
        upper_bound_seconds,
        count(*) as attempt_count,
        sum(seconds) as seconds
    from spans
    inner join bounds on seconds > above_seconds and seconds <= upper_bound_seconds
    group by repository, workflow, run_state, result, upper_bound_seconds
),

known (run_state, result) as (
    values ('pending', ''), ('executing', 'success')
),

expected as (
    select
        workflows.repository,
        workflows.workflow,
        known.run_state,
        known.result
    from marts.workflows as workflows
    cross join known
    union
    select
        repository,
        workflow,
        run_state,
        result
    from filled
)
select
    expected.repository as repository,                                            -- owner/name. #not_null
    expected.workflow as workflow,                                                -- Name of the workflow. #not_null
    expected.run_state as run_state,                                              -- Which part of the attempt. #not_null #in(pending, executing)
    expected.result as result,                                                    -- How it ended, as the conventions say it, else GitHub's conclusion; empty while pending. #not_null
    bounds.upper_bound_seconds as upper_bound_seconds,                            -- Upper bound of the bucket, inclusive. #not_null
    cast(sum(coalesce(attempt_count, 0)) over below as bigint) as attempt_count,  -- Attempts at or below the bound. #counter
    sum(coalesce(filled.seconds, 0)) over below as duration_seconds_sum           -- Their seconds in that state summed. #counter
from expected
cross join bounds
left join filled
    on filled.repository = expected.repository
    and filled.workflow = expected.workflow
    and filled.run_state = expected.run_state
    and filled.result = expected.result
    and filled.upper_bound_seconds = bounds.upper_bound_seconds
window below as (
    partition by expected.repository, expected.workflow, expected.run_state, expected.result
    order by bounds.upper_bound_seconds
    rows between unbounded preceding and current row
)
