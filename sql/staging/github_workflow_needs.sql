/*
Which job waits for which in versions of workflow files, directly or through others.

Grain: repository_id, path, fetched_at, job_key, needed_key
Newest: fetched_at
Where a job in between is skipped, a job waits for what that one needs; so all of them are here.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"path": "VARCHAR", "jobs": [{"key": "VARCHAR", "needs": ["VARCHAR"], "waits_for": ["VARCHAR"]}]}') as file
    from landing.github_workflow_files
),

listed as (
    select
        repository_id,
        fetched_at,
        file.path as path,
        unnest(file.jobs) as job
    from described
),

needed as (
    select
        *,
        unnest(job.waits_for) as needed_key
    from listed
)
select
    repository_id,                                           -- The repository. #not_null
    path,                                                    -- The file. #not_null
    fetched_at,                                              -- When we first saw this version of it, UTC. #not_null
    job.key as job_key,                                      -- The job that waits, by its key. #not_null
    needed_key,                                              -- The job that must be done before. #not_null
    list_contains(job.needs, needed_key) as is_direct        -- Whether the file names it among the job's needs. #not_null
from needed
