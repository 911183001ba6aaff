/*
Commit statuses, the older form of a check by a third party, on commits of the default branch; each change is one.

Grain: status_id
Newest: fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"head_sha": "VARCHAR",
              "statuses": [{"id": "BIGINT", "context": "VARCHAR", "state": "VARCHAR", "description": "VARCHAR",
                            "creator": {"login": "VARCHAR"}, "created_at": "VARCHAR", "target_url": "VARCHAR"}]}'
        ) as commit
    from landing.github_commit_checks
),

listed as (
    select
        repository_id,
        fetched_at,
        commit.head_sha as head_sha,
        unnest(commit.statuses) as status
    from described
)
select
    status.id as status_id,              -- GitHub's id. #not_null
    repository_id,                       -- The repository the commit is in. #not_null
    head_sha,                            -- The commit it judges. #not_null
    status.context as context,           -- Its name; the newest status of a context holds.
    status.state as state,               -- pending, success, failure or error.
    status.description as description,   -- What its reporter says in a line, such as a coverage.
    status.creator.login as creator,     -- Who reported it.
    cast(cast(status.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was reported, UTC.
    status.target_url as target_url,     -- The reporter's own page.
    fetched_at                           -- When we read it, UTC. #version
from listed
