/*
Executions of jobs that failed although the same commit passed the same job, each with the execution that proves it.

Grain: job_id
Rebuilt by: head_sha
Level tells how strong the proof is. L1: the job passed in another attempt of the same run, earlier or later. L2: in another run of the
same workflow, commit and event. L2x: only in a run that another event triggered; a hint, because a pull request tests its commit merged
with a branch that moves. A job is its full name, matrix included. Only executions count: what was carried over, skipped or cancelled,
or never got a runner, proves nothing. Where an attempt has several jobs of one name, it passed that job only if all of them passed.
*/
with failed_runs as (
    select distinct run_id
    from marts.jobs
    where is_executed and outcome = 'failure'
),

failed_commits as (
    select
        runs.workflow_id,
        runs.head_sha
    from marts.workflow_runs as runs
    inner join failed_runs on failed_runs.run_id = runs.run_id
    where runs.head_sha is not null
    group by runs.workflow_id, runs.head_sha
),

rebuilt_commits as (  -- the others were tried once
    select
        runs.workflow_id,
        runs.head_sha
    from marts.workflow_runs as runs
    inner join failed_commits on failed_commits.workflow_id = runs.workflow_id and failed_commits.head_sha = runs.head_sha
    group by runs.workflow_id, runs.head_sha
    having count(*) > 1 or max(runs.run_attempt) > 1
),

rebuilt_runs as (
    select
        runs.run_id,
        runs.html_url
    from marts.workflow_runs as runs
    inner join rebuilt_commits on rebuilt_commits.workflow_id = runs.workflow_id and rebuilt_commits.head_sha = runs.head_sha
),

executed as (
    select
        jobs.*,
        coalesce(jobs.html_url, rebuilt_runs.html_url || '/attempts/' || cast(jobs.run_attempt as varchar)) as page
    from marts.jobs as jobs
    inner join rebuilt_runs on rebuilt_runs.run_id = jobs.run_id
    where jobs.is_executed
),

passed as (
    select
        workflow_id,
        job,
        head_sha,
        event,
        run_id,
        max(job_id) as job_id
    from executed
    group by workflow_id, job, head_sha, event, run_id, run_attempt
    having min(outcome) = 'success' and max(outcome) = 'success'
),

passed_in_run as (
    select
        run_id,
        job,
        max(job_id) as job_id
    from passed
    group by run_id, job
),

passed_in_event as (
    select
        workflow_id,
        job,
        head_sha,
        event,
        max(job_id) as job_id
    from passed
    group by workflow_id, job, head_sha, event
),

passed_anywhere as (
    select
        workflow_id,
        job,
        head_sha,
        max(job_id) as job_id
    from passed
    group by workflow_id, job, head_sha
),

proven as (
    select
        failed.*,
        case
            when passed_in_run.job_id is not null then 'L1'
            when passed_in_event.job_id is not null then 'L2'
            else 'L2x'
        end as level,
        coalesce(passed_in_run.job_id, passed_in_event.job_id, passed_anywhere.job_id) as passed_job_id
    from executed as failed
    inner join passed_anywhere
        on passed_anywhere.workflow_id = failed.workflow_id
        and passed_anywhere.job = failed.job
        and passed_anywhere.head_sha = failed.head_sha
    left join passed_in_run on passed_in_run.run_id = failed.run_id and passed_in_run.job = failed.job
    left join passed_in_event
        on passed_in_event.workflow_id = failed.workflow_id
        and passed_in_event.job = failed.job
        and passed_in_event.head_sha = failed.head_sha
        and passed_in_event.event = failed.event
    where failed.outcome = 'failure'
)
select
    proven.repository as repository,                              -- owner/name. #not_null
    proven.workflow as workflow,                                  -- Name of the workflow. #not_null
    proven.workflow_id as workflow_id,                            -- GitHub's id of the workflow. #not_null
    proven.job as job,                                            -- Full name of the job. #not_null
    proven.job_base as job_base,                                  -- Name without its matrix.
    proven.matrix as matrix,                                      -- Matrix values, as shown in the name.
    proven.head_sha as head_sha,                                  -- The commit. #not_null
    proven.event as event,                                        -- What triggered the run in which it failed.
    proven.is_default_branch as is_default_branch,                -- Whether that run is of the repository's mainline.
    level,                                                        -- How strong the proof is. #in(L1, L2, L2x)
    proven.run_id as run_id,                                      -- The run in which it failed. #not_null
    proven.run_attempt as run_attempt,                            -- The attempt in which it failed. #not_null
    proven.job_id as job_id,                                      -- The execution that failed. #not_null
    proven.completed_at as failed_at,                             -- When that ended, UTC.
    proven.page as failed_url,                                    -- Its page.
    passed.event as passed_event,                                 -- What triggered the run in which it passed.
    passed.run_id as passed_run_id,                               -- The run in which it passed. #not_null
    passed.run_attempt as passed_run_attempt,                     -- The attempt in which it passed. #not_null
    passed.job_id as passed_job_id,                               -- The execution that passed: of several the newest. #not_null
    passed.completed_at as passed_at,                             -- When that ended, UTC.
    passed.page as passed_url,                                    -- Its page.
    proven.duration_seconds as lost_seconds,                      -- Execution time of what failed.
    proven.billed_minutes as lost_minutes,                        -- Billed minutes of that.
    proven.cost_usd as lost_usd,                                  -- What these cost; NULL while they are not priced.
    proven.day as day                                             -- UTC day on which the run in which it failed was created. #not_null
from proven
inner join executed as passed on passed.job_id = proven.passed_job_id
