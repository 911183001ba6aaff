/*
Duration of settled attempts of workflow runs, as a cumulative histogram.

Grain: repository, workflow, upper_bound_seconds
Counts successful and failed attempts seen settled within 6 hours of their end. The infinite bound holds them all.
Of the last 24 hours each bucket names its newest run, as an example.
*/
with bounds as (
    select
        cast(above_seconds as double) as above_seconds,
        cast(upper_bound_seconds as double) as upper_bound_seconds
    from seeds.histogram_bounds
    where histogram = 'workflow_run_duration'
),

known as (
    select distinct  -- a repository made anew under its old name has the old one's workflows too
        repository,
        workflow
    from marts.workflows
),

filled as (
    select
        repository,
        workflow,
        upper_bound_seconds,
        count(*) as attempt_count,
        sum(duration_seconds) as duration_seconds
    from marts.run_attempts
    inner join bounds on duration_seconds > above_seconds and duration_seconds <= upper_bound_seconds
    where outcome in ('success', 'failure') and not is_late
    group by repository, workflow, upper_bound_seconds
),

clock as (
    select max(finished_at) as as_of
    from staging.github_syncs
),

examples as (
    select
        repository,
        workflow,
        upper_bound_seconds,
        run_id,
        duration_seconds,
        completed_at
    from marts.run_attempts
    cross join clock
    inner join bounds on duration_seconds > above_seconds and duration_seconds <= upper_bound_seconds
    where outcome in ('success', 'failure') and not is_late and completed_at > clock.as_of - interval 24 hours
    qualify row_number() over (
        partition by repository, workflow, upper_bound_seconds order by completed_at desc, run_id desc, run_attempt desc
    ) = 1
)
select
    known.repository as repository,                                               -- owner/name. #not_null
    known.workflow as workflow,                                                   -- Name of the workflow. #not_null
    bounds.upper_bound_seconds as upper_bound_seconds,                            -- Upper bound of the bucket, inclusive. #not_null
    cast(sum(coalesce(attempt_count, 0)) over below as bigint) as attempt_count,  -- Attempts at or below the bound. #counter
    sum(coalesce(filled.duration_seconds, 0)) over below as duration_seconds_sum, -- Their durations summed. #counter
    examples.run_id as exemplar_run_id,                                           -- The newest run of the last 24 hours between this bound and the one below.
    examples.duration_seconds as exemplar_seconds,                                -- Its duration.
    examples.completed_at as exemplar_at                                          -- When it ended, UTC.
from known
cross join bounds
left join filled
    on filled.repository = known.repository
    and filled.workflow = known.workflow
    and filled.upper_bound_seconds = bounds.upper_bound_seconds
left join examples
    on examples.repository = known.repository
    and examples.workflow = known.workflow
    and examples.upper_bound_seconds = bounds.upper_bound_seconds
window below as (
    partition by known.repository, known.workflow
    order by bounds.upper_bound_seconds
    rows between unbounded preceding and current row
)
