/*
How often a job was decided, that is succeeded or failed, in the runs that were created on a day.

Grain: day, workflow_id, job
Rebuilt by: day
A job is its full name, matrix included, in a workflow. Only executions count, and only those whose commit is known.
*/
select
    day,                                                                   -- UTC day on which the runs were created. #not_null
    workflow_id,                                                           -- GitHub's id of the workflow. #not_null
    job,                                                                   -- Full name of the job, matrix included. #not_null
    count(distinct run_id) as run_count,                                   -- Runs in which it was decided. #not_null
    count(*) as execution_count,                                           -- Executions that succeeded or failed. #not_null
    count(case when outcome = 'success' then 1 end) as success_count       -- Of them: succeeded. #not_null
from marts.jobs
where is_executed and outcome in ('success', 'failure') and head_sha is not null and workflow_id is not null
group by day, workflow_id, job
