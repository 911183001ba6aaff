/*
Jobs in versions of workflow files, each by the names under which its runs can show it.

Grain: repository_id, path, fetched_at, job_key, shown_as
Newest: fetched_at
A job is shown by its title, or else by its key; with the values of its matrix behind it, and before the jobs of a workflow that it calls.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"path": "VARCHAR", "jobs": [{"key": "VARCHAR", "calls": "VARCHAR", "shown_as": ["VARCHAR"]}]}') as file
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

shown as (
    select
        *,
        unnest(job.shown_as) as shown_as
    from listed
)
select
    repository_id,                 -- The repository. #not_null
    path,                          -- The file. #not_null
    fetched_at,                    -- When we first saw this version of it, UTC. #not_null
    job.key as job_key,            -- The job's key in the file. #not_null
    shown_as,                      -- A name it is shown by, as a pattern of LIKE with the backslash as escape. #not_null
    job.calls as calls             -- The workflow that it calls; NULL if it has steps of its own.
from shown
