/*
Attempts of runs that failed although the same commit passed the same workflow, each with the attempt that proves it.

Grain: run_id, run_attempt
Rebuilt by: head_sha
Level tells how strong the proof is. L1: another attempt of the same run passed, earlier or later. L2: another run of the same workflow,
commit and event passed. L2x: only a run that another event triggered passed; a hint, because a pull request tests its commit merged
with a branch that moves. Cancelled attempts and start-up failures prove nothing either way.
*/
with failed_commits as (
    select distinct
        workflow_id,
        head_sha
    from marts.run_attempts
    where outcome = 'failure' and conclusion <> 'startup_failure' and head_sha is not null
),

tried as (
    select
        attempts.*,
        case
            when contains(html_url, '/attempts/') then html_url
            else html_url || '/attempts/' || cast(run_attempt as varchar)
        end as page
    from marts.run_attempts as attempts
    inner join failed_commits
        on failed_commits.workflow_id = attempts.workflow_id and failed_commits.head_sha = attempts.head_sha
    where attempts.outcome in ('success', 'failure') and attempts.conclusion <> 'startup_failure'
),

passed as (
    select *
    from tried
    where outcome = 'success'
),

passed_in_run as (
    select
        run_id,
        max(run_attempt) as run_attempt
    from passed
    group by run_id
),

passed_in_event as (
    select
        workflow_id,
        head_sha,
        event,
        max(run_id) as run_id
    from passed
    group by workflow_id, head_sha, event
),

passed_anywhere as (
    select
        workflow_id,
        head_sha,
        max(run_id) as run_id
    from passed
    group by workflow_id, head_sha
),

proven as (
    select
        tried.*,
        case
            when passed_in_run.run_id is not null then 'L1'
            when passed_in_event.run_id is not null then 'L2'
            else 'L2x'
        end as level,
        coalesce(passed_in_run.run_id, passed_in_event.run_id, passed_anywhere.run_id) as passed_run_id
    from tried
    inner join passed_anywhere
        on passed_anywhere.workflow_id = tried.workflow_id and passed_anywhere.head_sha = tried.head_sha
    left join passed_in_run on passed_in_run.run_id = tried.run_id
    left join passed_in_event
        on passed_in_event.workflow_id = tried.workflow_id
        and passed_in_event.head_sha = tried.head_sha
        and passed_in_event.event = tried.event
    where tried.outcome = 'failure'
)
select
    proven.repository as repository,                              -- owner/name. #not_null
    proven.workflow as workflow,                                  -- Name of the workflow. #not_null
    proven.workflow_id as workflow_id,                            -- GitHub's id of the workflow. #not_null
    proven.head_sha as head_sha,                                  -- The commit. #not_null
    proven.event as event,                                        -- What triggered the run that failed.
    proven.is_default_branch as is_default_branch,                -- Whether that run is of the repository's mainline. #not_null
    level,                                                        -- How strong the proof is. #in(L1, L2, L2x)
    proven.run_id as run_id,                                      -- The run that failed. #not_null
    proven.run_attempt as run_attempt,                            -- Its attempt that failed. #not_null
    proven.completed_at as failed_at,                             -- When that ended, UTC.
    proven.page as failed_url,  -- Its page.
    passed.event as passed_event,                                 -- What triggered the run that passed.
    passed.run_id as passed_run_id,                               -- The run that passed: of several the newest. #not_null
    passed.run_attempt as passed_run_attempt,                     -- Its attempt that passed: of several the last. #not_null
    passed.completed_at as passed_at,                             -- When that ended, UTC.
    passed.page as passed_url,  -- Its page.
    proven.job_seconds as lost_seconds,                           -- Execution time of the jobs of the attempt that failed.
    proven.billed_minutes as lost_minutes,                        -- Billed minutes of that attempt.
    proven.cost_usd as lost_usd,                                  -- What these cost; NULL while they are not priced.
    proven.day as day                                             -- UTC day on which the run that failed was created. #not_null
from proven
inner join passed_in_run as latest on latest.run_id = proven.passed_run_id
inner join passed on passed.run_id = latest.run_id and passed.run_attempt = latest.run_attempt
