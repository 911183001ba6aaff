/*
Releases that are published, as GitHub last described each of them.

Grain: release_id
Newest: changed_at, fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "tag_name": "VARCHAR", "tag_sha": "VARCHAR", "target_commitish": "VARCHAR", "name": "VARCHAR",
              "prerelease": "BOOLEAN", "created_at": "VARCHAR", "published_at": "VARCHAR", "updated_at": "VARCHAR",
              "author": {"login": "VARCHAR"}, "html_url": "VARCHAR"}'
        ) as release
    from landing.github_releases
),

timed as (
    select
        *,
        cast(cast(release.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,
        cast(cast(release.published_at as timestamptz) at time zone 'UTC' as timestamp) as published_at,
        cast(cast(release.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at
    from described
)
select
    release.id as release_id,                        -- GitHub's id. #not_null
    repository_id,                                   -- The repository it belongs to. #not_null
    release.tag_name as tag,                         -- Its tag.
    release.tag_sha as commit_sha,                   -- The commit that the tag stood for when we looked; NULL if the tag was gone.
    release.target_commitish as target,              -- Branch or commit that the tag was made from, if it had to be made.
    coalesce(nullif(release.name, ''), release.tag_name) as name,  -- Its title, or the tag where it has none.
    release.prerelease as is_prerelease,             -- Whether it is marked as not ready for production.
    release.author.login as author,                  -- Who published it.
    created_at,                                      -- When its commit or draft was created, UTC; not when it came out.
    published_at,                                    -- When it came out, UTC. #not_null
    greatest(published_at, updated_at) as changed_at,  -- When it was last changed, UTC. #version
    release.html_url as html_url,                    -- Its page.
    fetched_at                                       -- When we read it, UTC. #version
from timed
