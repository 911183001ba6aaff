/*
Self-hosted runners, as GitHub last listed each of them.

Grain: scope, runner_id
Newest: fetched_at
A runner that is gone keeps its row; fetched_at says when it was last listed.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "organization": "VARCHAR", "name": "VARCHAR", "os": "VARCHAR", "status": "VARCHAR", "busy": "BOOLEAN",
              "ephemeral": "BOOLEAN", "version": "VARCHAR", "runner_group_id": "BIGINT", "labels": ["VARCHAR"]}'
        ) as runner
    from landing.github_runners
)
select
    coalesce(runner.organization, cast(repository_id as varchar)) as scope,  -- Whose it is: an organisation's name, or a repository's id. #not_null
    runner.id as runner_id,                      -- GitHub's id. #not_null
    repository_id,                               -- The repository it belongs to; NULL for an organisation's.
    runner.name as name,                         -- Its name.
    runner.os as os,                             -- Its operating system, verbatim.
    runner.status as status,                     -- online or offline when we looked.
    runner.busy as is_busy,                      -- Whether it was running a job when we looked.
    coalesce(runner.ephemeral, false) as is_ephemeral,  -- Whether it runs one job and goes.
    runner.version as version,                   -- Version of the runner's program.
    runner.runner_group_id as runner_group_id,   -- The group it is in; NULL for a repository's.
    array_to_string(list_sort(list_distinct([lower(label) for label in runner.labels])), ',') as label_set,  -- Its labels in lower case, sorted, each once.
    fetched_at as first_seen_at,                 -- When we first knew of it, UTC. #earliest
    fetched_at                                   -- When it was last listed, UTC. #version
from described
