/*
Cron expressions in versions of workflow files.

Grain: repository_id, path, fetched_at, cron, timezone
Newest: fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"path": "VARCHAR", "schedule": [{"cron": "VARCHAR", "timezone": "VARCHAR"}]}') as file
    from landing.github_workflow_files
),

listed as (
    select
        repository_id,
        fetched_at,
        file.path as path,
        unnest(file.schedule) as entry
    from described
)
select
    repository_id,                 -- The repository. #not_null
    path,                          -- The file. #not_null
    fetched_at,                    -- When we first saw this version of it, UTC. #not_null
    entry.cron as cron,            -- When it starts the workflow. #not_null
    entry.timezone as timezone     -- In which time zone. #not_null
from listed
