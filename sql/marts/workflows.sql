/*
Workflows and the name each is shown by.

Grain: workflow_id
The name is today's title, so a renamed workflow keeps its history; two workflows of one repository with the same title are told
apart by their file.
*/
with known as (
    select
        coalesce(listed.workflow_id, seen.workflow_id) as workflow_id,
        coalesce(listed.repository_id, seen.repository_id) as repository_id,
        coalesce(listed.path, seen.path) as path,
        listed.state as state,
        coalesce(nullif(listed.name, listed.path), seen.name, listed.path, 'unknown') as name,
        least(listed.first_seen_at, seen.first_seen_at) as first_seen_at
    from staging.github_workflows as listed
    full join staging.github_run_titles as seen on seen.workflow_id = listed.workflow_id
),

named as (
    select
        known.*,
        count(*) over (partition by repository_id, name) as namesake_count
    from known
)
select
    named.workflow_id as workflow_id,                                                             -- GitHub's id. #not_null
    repositories.repository as repository,                                                        -- owner/name. #not_null
    case
        when namesake_count = 1 then name
        else name || ' (' || coalesce(path, cast(named.workflow_id as varchar)) || ')'
    end as workflow,                                                                              -- Name shown. #not_null
    path,                                                                                         -- Its file.
    state,                                                                                        -- active, deleted, …, as last listed; NULL if never listed.
    first_seen_at                                                                                 -- When we first knew of it, UTC.
from named
inner join staging.github_repositories as repositories on repositories.repository_id = named.repository_id
