/*
Repositories that were asked for before, by the name they were asked for: where ingestion stands with each and how busy each is.
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
        asked,
        max(repository_id) as repository_id,
        max(finished_at) as tried_at,
        max_by(state, finished_at) as state,
        max(finished_at) filter (where state = 'ok') as synced_at,
        max(described_at) as described_at
    from staging.github_syncs
    group by asked
)
select
    passed.asked as asked,
    passed.repository_id as repository_id,
    repositories.repository as full_name,
    passed.tried_at as tried_at,
    passed.state as state,
    passed.synced_at as synced_at,
    passed.described_at as described_at,
    activity.active_at as active_at
from passed
left join staging.github_repositories as repositories on repositories.repository_id = passed.repository_id
left join activity on activity.repository_id = passed.repository_id
