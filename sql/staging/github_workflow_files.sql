/*
Versions of the workflow files on default branches, each as it was when it was first seen there.

Grain: repository_id, path, fetched_at
Newest: fetched_at
A version without a blob says that the file was gone. What the file says is in github_workflow_crons, github_workflow_jobs and
github_workflow_needs.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"path": "VARCHAR", "sha": "VARCHAR", "size": "BIGINT", "reader": "VARCHAR", "not_before": "VARCHAR", "name": "VARCHAR",
              "note": "VARCHAR", "schedule": [{"cron": "VARCHAR"}], "jobs": [{"key": "VARCHAR"}]}'
        ) as file
    from landing.github_workflow_files
)
select
    repository_id,                        -- The repository. #not_null
    file.path as path,                    -- The file. #not_null
    fetched_at,                           -- When we first saw this version, UTC. #not_null
    file.sha as sha,                      -- Its blob; NULL if the file was gone.
    file.size as size_bytes,              -- How large it is.
    file.name as name,                    -- The title in it.
    file.note as note,                    -- What of it could not be read, in a sentence.
    coalesce(len(file.schedule), 0) as cron_count,  -- Cron expressions in it.
    coalesce(len(file.jobs), 0) as job_count,       -- Jobs in it.
    cast(cast(file.not_before as timestamptz) at time zone 'UTC' as timestamp) as not_before_at,  -- When the folder was read the last time before, without this version, UTC; NULL if it was never read.
    file.reader as reader                 -- What read it.
from described
where file.path is not null
