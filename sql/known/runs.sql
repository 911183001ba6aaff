/*
Runs of a repository that ingestion may meet again: created in the windows it will list, or not finished.
*/
with windows as (
    select
        unnest($starts) as window_start,
        unnest($ends) as window_end
),

unfinished_jobs as (
    select distinct run_id
    from staging.github_jobs
    where status_rank < 2 and repository_id = $repository_id
)
select
    attempts.run_id as run_id,
    attempts.run_attempt as run_attempt,
    attempts.status as status,
    attempts.conclusion as conclusion,
    attempts.updated_at as updated_at,
    attempts.run_started_at as started_at,
    attempts.run_id in (select run_id from unfinished_jobs) as has_open_jobs,
    count(*) over (partition by attempts.run_id) = attempts.run_attempt as has_all_attempts
from staging.github_run_attempts as attempts
where attempts.repository_id = $repository_id
    and (
        attempts.status_rank < 2
        or attempts.run_id in (select run_id from unfinished_jobs)
        or exists (select 1 from windows where attempts.created_at between windows.window_start and windows.window_end)
    )
qualify row_number() over (partition by attempts.run_id order by attempts.run_attempt desc) = 1
