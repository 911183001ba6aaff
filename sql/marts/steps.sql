/*
Steps of jobs.

Grain: job_id, step_number
Rebuilt by: run_id
Steps of carried-over jobs are left out: they ran in an earlier attempt. GitHub gives no steps for some older jobs.
*/
select
    jobs.repository as repository,                                                       -- owner/name. #not_null
    jobs.workflow as workflow,                                                           -- Name of the workflow.
    jobs.run_id as run_id,                                                               -- The run. #not_null
    jobs.run_attempt as run_attempt,                                                     -- The attempt.
    jobs.job_id as job_id,                                                               -- The job. #not_null
    jobs.job as job,                                                                     -- Full name of the job.
    steps.step_number as step_number,                                                    -- Its place in the job; numbers have gaps. #not_null
    steps.name as step,                                                                  -- Its title.
    steps.conclusion as conclusion,                                                      -- How it ended, verbatim.
    steps.started_at as started_at,                                                      -- When it began, UTC.
    case
        when steps.completed_at >= steps.started_at and steps.conclusion <> 'skipped'
            then (epoch_us(steps.completed_at) - epoch_us(steps.started_at)) / 1000000.0
    end as duration_seconds,                                                             -- How long it took; NULL if skipped or unfinished.
    jobs.day as day                                                                      -- UTC day on which its run was created. #not_null
from staging.github_steps as steps
inner join marts.jobs as jobs on jobs.job_id = steps.job_id
where not jobs.is_carried_over
