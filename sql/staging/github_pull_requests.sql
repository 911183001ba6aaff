/*
Pull requests, as GitHub last described each of them.

Grain: pull_request_id
Newest: updated_at, fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "number": "INTEGER", "title": "VARCHAR", "state": "VARCHAR", "draft": "BOOLEAN",
              "user": {"login": "VARCHAR", "type": "VARCHAR"}, "labels": ["VARCHAR"], "created_at": "VARCHAR", "updated_at": "VARCHAR",
              "closed_at": "VARCHAR", "merged_at": "VARCHAR", "merge_commit_sha": "VARCHAR", "html_url": "VARCHAR",
              "head": {"ref": "VARCHAR", "sha": "VARCHAR", "repo": {"id": "BIGINT"}}, "base": {"ref": "VARCHAR"}}'
        ) as pull
    from landing.github_pull_requests
)
select
    pull.id as pull_request_id,                  -- GitHub's id. #not_null
    repository_id,                               -- The repository it was proposed to. #not_null
    pull.number as number,                       -- Its number in the repository.
    pull.title as title,                         -- Its title.
    case when pull.merged_at is not null then 'merged' else pull.state end as state,  -- open, closed (without a merge) or merged.
    pull.draft as is_draft,                      -- Whether it is marked as not ready for review.
    pull.user.login as author,                   -- Who opened it; NULL where the account is gone.
    coalesce(pull.user.type = 'Bot', false) as is_by_bot,  -- Whether a bot opened it.
    pull.labels as labels,                       -- Names of its labels.
    pull.base.ref as base_branch,                -- Branch it is to be merged into.
    pull.head.ref as head_branch,                -- Branch it comes from.
    pull.head.sha as head_sha,                   -- Its newest commit.
    pull.head.repo.id as head_repository_id,     -- Where that lives; another repository for a fork, NULL where the fork is gone.
    case when pull.merged_at is not null then pull.merge_commit_sha end as merge_commit_sha,  -- The commit it became on its base branch; NULL unless merged.
    cast(cast(pull.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was opened, UTC. #not_null
    cast(cast(pull.merged_at as timestamptz) at time zone 'UTC' as timestamp) as merged_at,  -- When it was merged, UTC; NULL unless merged.
    cast(cast(pull.closed_at as timestamptz) at time zone 'UTC' as timestamp) as closed_at,  -- When it was merged or closed, UTC; NULL while open.
    cast(cast(pull.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at,  -- When it was last touched, UTC. #version
    pull.html_url as html_url,                   -- Its page.
    fetched_at                                   -- When we read it, UTC. #version
from described
