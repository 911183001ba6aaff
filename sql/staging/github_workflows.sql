/*
GitHub Actions workflows, as the repository's list of workflows last described them.

Grain: workflow_id
Newest: fetched_at
Touches: repository_id
A new title may set apart namesakes in the repository, so it reaches further than the workflow's own runs.
*/
with described as (
    select
        repository_id,
        fetched_at,
        payload,
        from_json(payload, '{"id": "BIGINT", "name": "VARCHAR", "path": "VARCHAR", "state": "VARCHAR", "created_at": "VARCHAR"}') as workflow
    from landing.github_workflows
)
select
    workflow.id as workflow_id,      -- GitHub's id. #not_null
    repository_id,                   -- The repository it belongs to. #not_null
    workflow.name as name,           -- Its title; GitHub gives the path when it has none.
    workflow.path as path,           -- Its file.
    workflow.state as state,         -- active, deleted, disabled_manually, …
    cast(cast(workflow.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When its file was added, UTC.
    md5(payload) as payload_digest,  -- Lets ingestion land a description only when it changed. #version
    fetched_at as first_seen_at,     -- When we first knew of it, UTC. #earliest
    fetched_at                       -- When we read it, UTC. #version
from described
