/*
Artifacts that need not be read again although they may be listed again: those after the last visit's cursor, and a week of others,
among which there may be copies of new ones.
*/
with visited as (
    select
        repository_id,
        max(try_cast(cursor as bigint)) as newest_id
    from staging.github_visits
    where loop = 'reports'
    group by repository_id
)
select
    artifacts.repository_id as repository_id,
    artifacts.artifact_id as artifact_id,
    artifacts.run_id as run_id,
    artifacts.digest as digest,
    artifacts.state as state
from staging.github_artifacts as artifacts
left join visited on visited.repository_id = artifacts.repository_id
where artifacts.state <> 'failed'
    and (
        artifacts.artifact_id > coalesce(visited.newest_id, 0)
        or artifacts.created_at > (select max(created_at) from staging.github_artifacts) - interval 7 days
    )
