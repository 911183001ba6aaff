/*
Runs in which a job was decided, that is succeeded or failed, after another run of the same workflow, commit and event had decided it.

Grain: run_id, job
Rebuilt by: head_sha
A job is its full name, matrix included. Attempts of one run are no repetition. Runs are in order of the day on which they were created.
Whoever counts commits may count runs, and leave out those here whose previous_day is among the days counted.
*/
with repeated_commits as (
    select
        workflow_id,
        head_sha,
        coalesce(event, '') as event
    from marts.workflow_runs
    where head_sha is not null
    group by workflow_id, head_sha, coalesce(event, '')
    having count(*) > 1
),

runs as (
    select runs.run_id
    from marts.workflow_runs as runs
    inner join repeated_commits as commits
        on commits.workflow_id = runs.workflow_id
        and commits.head_sha = runs.head_sha
        and commits.event = coalesce(runs.event, '')
),

decided as (
    select
        jobs.workflow_id,
        jobs.head_sha,
        jobs.event,
        jobs.run_id,
        jobs.job,
        jobs.day
    from marts.jobs as jobs
    inner join runs on runs.run_id = jobs.run_id
    where jobs.is_executed and jobs.outcome in ('success', 'failure') and jobs.head_sha is not null
    group by jobs.workflow_id, jobs.head_sha, jobs.event, jobs.run_id, jobs.job, jobs.day
),

in_order as (
    select
        *,
        lag(day) over (partition by workflow_id, head_sha, event, job order by day, run_id) as previous_day
    from decided
)
select
    workflow_id,       -- GitHub's id of the workflow. #not_null
    job,               -- Full name of the job, matrix included. #not_null
    head_sha,          -- The commit. #not_null
    event,             -- What triggered the runs.
    run_id,            -- The run. #not_null
    previous_day,      -- UTC day on which the run before was created. #not_null
    day                -- UTC day on which it was created itself. #not_null
from in_order
where previous_day is not null
