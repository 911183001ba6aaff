-- Runs that were still at work when the next run of their workflow and branch was created, if that one is new or changed.
-- Those that ended before are left out of the row, so a run may be named for one after the next: that does no harm.
with of_changed as (
    select
        run_id,
        workflow_id,
        created_at
    from staging.github_run_attempts
    where run_id in (select run_id from changed)
),

at_work as (  -- when the oldest of these was created, or since
    select run_id
    from staging.github_jobs
    where completed_at >= (select min(created_at) - interval 5 seconds from of_changed)
    union
    select run_id
    from of_changed
),

series as (
    select
        run_id,
        created_at,
        lag(run_id) over of_branch as earlier_run_id
    from (
        select
            run_id,
            repository_id,
            workflow_id,
            event,
            head_branch,
            head_repository_id,
            created_at
        from staging.github_run_attempts
        where
            run_id in (select run_id from at_work)
            and workflow_id in (select workflow_id from of_changed)
            and created_at >= (select min(created_at) - interval 35 days from of_changed)
        qualify row_number() over (partition by run_id order by run_attempt desc) = 1
    )
    window of_branch as (
        partition by repository_id, workflow_id, event, head_branch, head_repository_id order by created_at, run_id
    )
)
select series.earlier_run_id
from series
inner join staging.github_jobs as jobs on jobs.run_id = series.earlier_run_id
where series.run_id in (select run_id from changed) and jobs.completed_at >= series.created_at - interval 5 seconds
