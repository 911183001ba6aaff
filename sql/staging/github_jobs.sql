/*
Jobs of GitHub Actions runs, as GitHub last described each of them.

Grain: job_id
Newest: status_rank, detail_rank, attempt_rank, fetched_at
Touches: run_id
What GraphQL says of a job lacks its runner, labels, steps and creation; it never replaces what REST or a webhook said.
A job names the attempt it belongs to itself; a re-run of failed jobs may list untouched jobs again under a new id.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "run_id": "BIGINT", "run_attempt": "INTEGER", "name": "VARCHAR", "status": "VARCHAR", "conclusion": "VARCHAR",
              "created_at": "VARCHAR", "started_at": "VARCHAR", "completed_at": "VARCHAR", "labels": ["VARCHAR"], "runner_id": "BIGINT",
              "runner_name": "VARCHAR", "runner_group_name": "VARCHAR", "html_url": "VARCHAR", "source": "VARCHAR",
              "steps": [{"conclusion": "VARCHAR", "started_at": "VARCHAR"}]}'
        ) as job
    from landing.github_jobs
),

timed as (
    select
        *,
        cast(cast(job.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,
        cast(cast(job.started_at as timestamptz) at time zone 'UTC' as timestamp) as started_at,
        cast(cast(job.completed_at as timestamptz) at time zone 'UTC' as timestamp) as completed_at,
        list_min([cast(step.started_at as timestamptz) for step in job.steps if step.conclusion is distinct from 'skipped']) as first_step_at
    from described
)
select
    job.id as job_id,                                                               -- GitHub's id. #not_null
    job.run_id as run_id,                                                           -- The run it belongs to. #not_null
    coalesce(job.run_attempt, 1) as run_attempt,                                    -- The attempt it says it belongs to. #not_null
    repository_id,                                                                  -- The repository that ran it. #not_null
    job.name as name,                                                               -- Full name: callers, base name and matrix.
    job.status as status,                                                           -- Where it is, verbatim.
    job.conclusion as conclusion,                                                   -- How it ended, verbatim; NULL until completed.
    created_at,                                                                     -- When it became eligible to run, UTC; a re-run may list it again with a later time. #earliest
    started_at,                                                                     -- When GitHub says it started, UTC.
    cast(first_step_at at time zone 'UTC' as timestamp) as first_step_at,           -- When its first step began, UTC; NULL without steps.
    completed_at,                                                                   -- When it ended, UTC.
    array_to_string(list_sort(job.labels), ',') as labels,                          -- What it asked for in runs-on, sorted, comma-separated.
    array_to_string(list_sort(list_distinct([lower(label) for label in job.labels])), ',') as label_set,  -- The same in lower case, each once: equal for equal demands.
    nullif(job.runner_id, 0) as runner_id,                                          -- The runner that took it; NULL if none did.
    nullif(job.runner_name, '') as runner_name,                                     -- That runner's name.
    nullif(job.runner_group_name, '') as runner_group,                              -- That runner's group; "GitHub Actions" is GitHub's own.
    job.html_url as html_url,                                                       -- Its page.
    case job.status when 'completed' then 2 when 'in_progress' then 1 else 0 end as status_rank,  -- How far along it is. #version
    -coalesce(job.run_attempt, 1) as attempt_rank,                                  -- A job listed again under its id stays with the attempt that ran it. #version
    case when job.source = 'graphql' then 0 else 1 end as detail_rank,              -- 1 as REST and webhooks give it, 0 as GraphQL does.
    fetched_at                                                                      -- When we read it, UTC. #version
from timed
