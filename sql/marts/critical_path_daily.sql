/*
What the critical paths of the runs that were created on a day and succeeded were made of, by job.

Grain: day, workflow_id, job_base
Rebuilt by: day
The members of a matrix are one job here. A run cannot become shorter than it would be without any execution of the job on its path,
nor than its other jobs take that were there before: saving_seconds sums that bound.
*/
with paths as (
    select
        day,
        workflow_id,
        run_id,
        job_base,
        sum(execution_seconds) as execution_seconds,
        sum(queue_seconds) as queue_seconds,
        sum(handover_seconds) as handover_seconds,
        sum(unexplained_seconds) as unexplained_seconds,
        least(sum(execution_seconds), max(margin_seconds)) as saving_seconds
    from marts.critical_path_jobs
    where outcome = 'success' and workflow_id is not null
    group by day, workflow_id, run_id, job_base
),

runs as (
    select
        day,
        workflow_id,
        count(*) as run_count
    from marts.critical_path_jobs
    where outcome = 'success' and position = 1
    group by day, workflow_id
)
select
    paths.day as day,                                              -- UTC day on which the runs were created. #not_null
    paths.workflow_id as workflow_id,                              -- GitHub's id of the workflow. #not_null
    paths.job_base as job_base,                                    -- Name of the job without its matrix.
    max(runs.run_count) as run_count,                              -- Runs of the workflow, whether the job is on their path or not. #not_null
    count(*) as path_count,                                        -- Runs of them whose path the job is on. #not_null
    sum(paths.execution_seconds) as execution_seconds,             -- Execution of the job on these paths. #not_null
    sum(paths.queue_seconds) as queue_seconds,                     -- Its waits for a runner there. #not_null
    sum(paths.handover_seconds) as handover_seconds,               -- What GitHub took to create it there. #not_null
    sum(paths.unexplained_seconds) as unexplained_seconds,         -- Time before it there that no job explains. #not_null
    sum(paths.saving_seconds) as saving_seconds                    -- Gained at most without its execution. #not_null
from paths
inner join runs on runs.day = paths.day and runs.workflow_id = paths.workflow_id
group by paths.day, paths.workflow_id, paths.job_base
