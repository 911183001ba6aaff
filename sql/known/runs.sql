/*
Runs of a repository that ingestion may meet again: created in the windows it will list, not finished, or, of the last 66 days,
without their jobs. (An older run without its jobs stands in a window that was not read to the end, and is listed again.)
*/
with windows as (
    select
        unnest($starts) as window_start,
        unnest($ends) as window_end
),

attempts as (
    select *
    from staging.github_run_attempts
    where repository_id = $repository_id
),

details as (
    select *
    from staging.github_run_details
    where repository_id = $repository_id
),

open_jobs as (
    select distinct run_id
    from staging.github_jobs
    where status_rank < 2 and repository_id = $repository_id
),

wanted as (
    select run_id
    from attempts
    where status_rank < 2
        or run_id in (select run_id from open_jobs)
        or exists (select 1 from windows where attempts.created_at between windows.window_start and windows.window_end)
    union
    select attempts.run_id
    from attempts
    left join details on details.run_id = attempts.run_id
    where attempts.created_at > (select max(created_at) from attempts) - interval 66 day
        and (details.run_id is null or details.run_attempt < attempts.run_attempt
            or (details.run_attempt = attempts.run_attempt and details.run_updated_at <> attempts.updated_at))
),

runs as (
    select
        run_id,
        max(run_attempt) as run_attempt,
        list(run_attempt) filter (where status_rank = 2) as settled_attempts
    from attempts
    where run_id in (select run_id from wanted)
    group by run_id
),

jobs as (
    select
        run_id,
        run_attempt,
        count(*) as job_count
    from staging.github_jobs
    where run_id in (select run_id from wanted)
    group by run_id, run_attempt
)
select
    runs.run_id as run_id,
    runs.run_attempt as run_attempt,
    latest.status as status,
    latest.conclusion as conclusion,
    latest.created_at as created_at,
    latest.run_started_at as started_at,
    latest.updated_at as updated_at,
    latest.check_suite_node_id as suite_node_id,
    runs.settled_attempts as settled_attempts,
    coalesce(jobs.job_count, 0) as job_count,
    runs.run_id in (select run_id from open_jobs) as has_open_jobs,
    coalesce(gone.is_gone, false) as is_gone,
    details.run_attempt as detail_attempt,
    details.run_updated_at as detail_updated_at,
    details.fetched_at as detail_read_at
from runs
inner join attempts as latest on latest.run_id = runs.run_id and latest.run_attempt = runs.run_attempt
left join jobs on jobs.run_id = runs.run_id and jobs.run_attempt = runs.run_attempt
left join staging.github_gone_runs as gone on gone.run_id = runs.run_id
left join details on details.run_id = runs.run_id
