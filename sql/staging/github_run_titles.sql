/*
The name and file of each workflow as its newest run states them, for workflows that the list of workflows no longer holds.

Grain: workflow_id
Newest: has_title, run_created_at, fetched_at
Touches: repository_id
A run that fails at start-up carries the file's path in place of the title, so a run with a title counts for more. A new title may
set apart namesakes in the repository, so it reaches further than the workflow's own runs.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"workflow_id": "BIGINT", "name": "VARCHAR", "path": "VARCHAR", "created_at": "VARCHAR"}') as run
    from landing.github_runs
),

titled as (
    select
        *,
        split_part(run.path, '@', 1) as path
    from described
)
select
    run.workflow_id as workflow_id,                                                       -- GitHub's id. #not_null
    repository_id,                                                                        -- The repository it belongs to. #not_null
    coalesce(run.name, path) as name,                                                     -- Title, or path where the run has no title.
    path,                                                                                 -- Its file, without the @ref of a reusable call.
    coalesce(run.name <> path, run.name is not null) as has_title,                        -- Whether name is a title. #version
    cast(cast(run.created_at as timestamptz) at time zone 'UTC' as timestamp) as run_created_at,  -- When the run that says so was created, UTC. #version
    fetched_at as first_seen_at,                                                          -- When we first knew of it, UTC. #earliest
    fetched_at                                                                            -- When we read it, UTC. #version
from titled
where run.workflow_id is not null
