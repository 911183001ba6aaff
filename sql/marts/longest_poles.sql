/*
Jobs that make a workflow take as long as it takes, and what could be gained at them at most, over the last 28 days.

Grain: workflow_id, job_base
Covers runs that succeeded, by the day they were created, as of the newest pass of ingestion; the members of a matrix are one job here.
A run cannot become shorter than it would be without any execution of the job on its path, nor than its other jobs take that were there
before; saving_seconds_mean is that bound, so removing the job, or caching all it does, gains that at most. More runners gain
queue_seconds_mean at most, summed over the jobs of a workflow. A mean over all runs counts 0 where the job is not on the path.
*/
with clock as (
    select cast(max(finished_at) as date) as newest_day
    from staging.github_syncs
),

recent as (
    select daily.*
    from marts.critical_path_daily as daily
    cross join clock
    where daily.day > clock.newest_day - 28
),

days as (
    select
        day,
        workflow_id,
        max(run_count) as run_count,
        sum(execution_seconds + queue_seconds + handover_seconds + unexplained_seconds) as duration_seconds
    from recent
    group by day, workflow_id
),

totals as (
    select
        workflow_id,
        sum(run_count) as run_count,
        sum(duration_seconds) as duration_seconds
    from days
    group by workflow_id
),

poles as (
    select
        workflow_id,
        job_base,
        sum(path_count) as path_count,
        sum(execution_seconds) as execution_seconds,
        sum(queue_seconds) as queue_seconds,
        sum(handover_seconds) as handover_seconds,
        sum(unexplained_seconds) as unexplained_seconds,
        sum(saving_seconds) as saving_seconds
    from recent
    group by workflow_id, job_base
)
select
    poles.workflow_id as workflow_id,                                             -- GitHub's id of the workflow. #not_null
    workflows.repository as repository,                                           -- owner/name. #not_null
    workflows.workflow as workflow,                                               -- Name of the workflow. #not_null
    poles.job_base as job_base,                                                   -- Name of the job without its matrix. #not_null
    row_number() over (
        partition by poles.workflow_id
        order by poles.execution_seconds desc, poles.job_base
    ) as pole_rank,                                                               -- 1 for the job whose execution makes up most of the workflow's duration.
    cast(totals.run_count as bigint) as run_count,                                -- Runs of the workflow looked at.
    cast(poles.path_count as bigint) as path_count,                               -- Runs of them whose critical path the job is on.
    poles.path_count / totals.run_count as path_ratio,                            -- Share of the runs.
    totals.duration_seconds / totals.run_count as duration_seconds_mean,          -- Mean duration of those runs.
    poles.execution_seconds / poles.path_count as execution_seconds_mean,         -- Mean execution of the job where it is on the path.
    poles.execution_seconds / nullif(totals.duration_seconds, 0) as duration_ratio,  -- Its execution on the path as a share of the duration of all runs.
    poles.saving_seconds / totals.run_count as saving_seconds_mean,               -- Gained a run at most without its execution, over all runs.
    poles.queue_seconds / totals.run_count as queue_seconds_mean,                 -- Gained a run at most if it never waited for a runner, over all runs.
    poles.handover_seconds / totals.run_count as handover_seconds_mean,           -- What GitHub took to create it, over all runs.
    poles.unexplained_seconds / totals.run_count as unexplained_seconds_mean,     -- Time before it that no job explains, over all runs.
    poles.unexplained_seconds / nullif(totals.duration_seconds, 0) as unexplained_ratio  -- The same as a share of the duration of all runs.
from poles
inner join totals on totals.workflow_id = poles.workflow_id
inner join marts.workflows as workflows on workflows.workflow_id = poles.workflow_id
