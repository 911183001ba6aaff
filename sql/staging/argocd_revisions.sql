/*
Commits that Argo CD deployed, as it tells of them: who, when, and whether one takes back another.

Grain: repo_url, revision
Newest: is_known, fetched_at
A revision that Argo CD could not tell of has a row without a time of its commit.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "repoURL": "VARCHAR", "revision": "VARCHAR", "author": "VARCHAR", "date": "VARCHAR", "message": "VARCHAR"}'
        ) as commit
    from landing.argocd_revisions
)
select
    commit.repoURL as repo_url,                                                              -- The repository of the manifests. #not_null
    commit.revision as revision,                                                             -- The commit there. #not_null
    nullif(commit.author, '') as author,                                                     -- Who wrote it, verbatim.
    cast(cast(commit.date as timestamptz) at time zone 'UTC' as timestamp) as committed_at,  -- When, UTC; NULL where Argo CD could not tell.
    nullif(trim(split_part(commit.message, chr(10), 1)), '') as message,                     -- The first line of its message.
    nullif(regexp_extract(commit.message, 'This reverts commit ([0-9a-f]{7,64})', 1), '') as reverted_sha,  -- The commit it takes back, if its message says so.
    coalesce(regexp_matches(commit.message, '^Revert "|This reverts commit [0-9a-f]{7,64}'), false) as is_revert,  -- Whether its message says that it takes back another. #not_null
    commit.date is not null as is_known,                                                     -- Whether Argo CD could tell of it. #version
    fetched_at                                                                               -- When we read it, UTC. #version
from described
where commit.repoURL is not null and commit.revision is not null
