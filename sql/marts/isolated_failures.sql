/*
Failures of a job on the mainline between two passes, over the last 30 days of data: suspicions that it is flaky, not proof.

Grain: job_id
The runs of a workflow that one event triggered on the default branch stand in a row by creation. The job failed in a run, and passed in
the run right before and the one right after, both of other commits. A defect that the next commit mended looks the same, so one alone
says little. What a passing execution of the same commit proves stands in marts.job_flakes instead.
*/
with recent_days as (
    select distinct day
    from marts.repository_daily
    where day > (select max(day) - interval 30 days from marts.repository_daily)
),

in_a_row as (
    select
        workflow_id,
        event,
        run_id,
        head_sha,
        html_url,
        row_number() over (partition by workflow_id, event order by created_at, run_id) as place
    from marts.workflow_runs
    where is_default_branch and day in (select day from recent_days)
),

surrounded as (
    select
        middle.run_id,
        before.run_id as run_id_before,
        after.run_id as run_id_after
    from in_a_row as middle
    inner join in_a_row as before
        on before.workflow_id = middle.workflow_id and before.event = middle.event and before.place = middle.place - 1
    inner join in_a_row as after
        on after.workflow_id = middle.workflow_id and after.event = middle.event and after.place = middle.place + 1
    where middle.head_sha <> before.head_sha and middle.head_sha <> after.head_sha
),

executed as (
    select
        run_id,
        job,
        job_id,
        outcome
    from marts.jobs
    where is_executed and is_default_branch and day in (select day from recent_days)
),

failed as (
    select
        executed.run_id,
        executed.job,
        max(executed.job_id) as job_id
    from executed
    left join marts.job_flakes as flakes on flakes.job_id = executed.job_id and flakes.level in ('L1', 'L2')
    where executed.outcome = 'failure' and flakes.job_id is null
    group by executed.run_id, executed.job
),

suspected as (
    select
        failed.job_id,
        failed.job,
        surrounded.run_id_before,
        surrounded.run_id_after
    from failed
    inner join surrounded on surrounded.run_id = failed.run_id
),

neighbours as (
    select
        run_id_before as run_id,
        job
    from suspected
    union
    select
        run_id_after as run_id,
        job
    from suspected
),

passed as (
    select
        executed.run_id,
        executed.job,
        max(executed.job_id) as job_id
    from executed
    inner join neighbours on neighbours.run_id = executed.run_id and neighbours.job = executed.job
    group by executed.run_id, executed.job
    having min(executed.outcome) = 'success' and max(executed.outcome) = 'success'
),

isolated as (
    select
        suspected.job_id,
        passed_before.job_id as job_id_before,
        passed_after.job_id as job_id_after
    from suspected
    inner join passed as passed_before
        on passed_before.run_id = suspected.run_id_before and passed_before.job = suspected.job
    inner join passed as passed_after on passed_after.run_id = suspected.run_id_after and passed_after.job = suspected.job
),

shown as (
    select job_id
    from isolated
    union
    select job_id_before
    from isolated
    union
    select job_id_after
    from isolated
),

pages as (
    select
        jobs.*,
        coalesce(jobs.html_url, in_a_row.html_url) as page
    from marts.jobs as jobs
    inner join shown on shown.job_id = jobs.job_id
    inner join in_a_row on in_a_row.run_id = jobs.run_id
    where jobs.day in (select day from recent_days)
)
select
    pages.repository as repository,                               -- owner/name. #not_null
    pages.workflow as workflow,                                   -- Name of the workflow. #not_null
    pages.workflow_id as workflow_id,                             -- GitHub's id of the workflow. #not_null
    pages.job as job,                                             -- Full name of the job. #not_null
    pages.head_sha as head_sha,                                   -- The commit.
    pages.event as event,                                         -- What triggered the run in which it failed.
    pages.run_id as run_id,                                       -- The run in which it failed. #not_null
    pages.run_attempt as run_attempt,                             -- The attempt in which it failed, the last if it was run again. #not_null
    pages.job_id as job_id,                                       -- The execution that failed. #not_null
    pages.completed_at as failed_at,                              -- When that ended, UTC.
    pages.page as failed_url,                                     -- Its page.
    isolated.job_id_before as passed_job_id_before,               -- The execution that passed before. #not_null
    pages_before.page as passed_url_before,                       -- Its page.
    isolated.job_id_after as passed_job_id_after,                 -- The execution that passed after. #not_null
    pages_after.page as passed_url_after,                         -- Its page.
    pages.day as day                                              -- UTC day on which the run in which it failed was created. #not_null
from isolated
inner join pages on pages.job_id = isolated.job_id
inner join pages as pages_before on pages_before.job_id = isolated.job_id_before
inner join pages as pages_after on pages_after.job_id = isolated.job_id_after
