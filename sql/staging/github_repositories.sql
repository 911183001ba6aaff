/*
GitHub repositories we were asked to measure, as last described by GitHub.

Grain: repository_id
Newest: fetched_at
Touches: repository_id
*/
with described as (
    select
        repository_id,
        fetched_at,
        payload,
        from_json(
            payload,
            '{"full_name": "VARCHAR", "default_branch": "VARCHAR", "private": "BOOLEAN", "archived": "BOOLEAN", "html_url": "VARCHAR"}'
        ) as repository
    from landing.github_repositories
)
select
    repository_id,                                -- GitHub's id, which survives renames. #not_null
    repository.full_name as repository,           -- owner/name as of today. #not_null
    repository.default_branch as default_branch,  -- Branch that counts as mainline.
    repository.private as is_private,             -- Whether GitHub bills its standard runners.
    repository.archived as is_archived,           -- Whether it is read-only.
    repository.html_url as html_url,              -- Its page.
    md5(payload) as payload_digest,               -- Lets ingestion land a description only when it changed. #version
    fetched_at                                    -- When we read it, UTC. #version
from described
