/*
Repositories that are measured, newest first, how busy each is, and how the last visits of one side loop to it ended.
*/
with activity as (
    select
        repository_id,
        max(greatest(run_started_at, updated_at)) as active_at
    from staging.github_run_attempts
    group by repository_id
),

passed as (
    select
        repository_id,
        max(finished_at) as finished_at
    from staging.github_syncs
    where repository_id is not null
    group by repository_id
),

visited as (
    select
        repository_id,
        max(finished_at) as tried_at,
        max_by(state, finished_at) as state,
        max_by(cursor, finished_at) filter (where cursor is not null) as cursor,
        max_by(etag, finished_at) filter (where state = 'ok') as etag,
        max_by(etag_scope, finished_at) filter (where state = 'ok') as etag_scope
    from staging.github_visits
    where loop = $loop
    group by repository_id
)
select
    repositories.repository_id as repository_id,
    repositories.repository as full_name,
    repositories.default_branch as default_branch,
    repositories.is_private as is_private,
    activity.active_at as active_at,
    visited.tried_at as tried_at,
    visited.state as state,
    visited.cursor as cursor,
    visited.etag as etag,
    visited.etag_scope as etag_scope
from staging.github_repositories as repositories
inner join passed on passed.repository_id = repositories.repository_id
left join activity on activity.repository_id = repositories.repository_id
left join visited on visited.repository_id = repositories.repository_id
where passed.finished_at > (select max(finished_at) from passed) - interval 1 day
order by passed.finished_at desc, repositories.repository_id
