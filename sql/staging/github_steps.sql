/*
Steps of GitHub Actions jobs, as GitHub last described each of them.

Grain: job_id, step_number
Newest: status_rank, fetched_at
Touches: run_id
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "run_id": "BIGINT", "status": "VARCHAR",
              "steps": [{"number": "INTEGER", "name": "VARCHAR", "status": "VARCHAR", "conclusion": "VARCHAR",
                         "started_at": "VARCHAR", "completed_at": "VARCHAR"}]}'
        ) as job
    from landing.github_jobs
),

listed as (
    select
        repository_id,
        fetched_at,
        job.id as job_id,
        job.run_id as run_id,
        job.status as job_status,
        unnest(job.steps) as step
    from described
)
select
    job_id,                                                                                       -- The job it belongs to. #not_null
    step.number as step_number,                                                                   -- Its place in the job; numbers have gaps. #not_null
    run_id,                                                                                       -- The run it belongs to. #not_null
    repository_id,                                                                                -- The repository that ran it. #not_null
    step.name as name,                                                                            -- Its title.
    step.status as status,                                                                        -- Where it is, verbatim.
    step.conclusion as conclusion,                                                                -- How it ended, verbatim.
    cast(cast(step.started_at as timestamptz) at time zone 'UTC' as timestamp) as started_at,     -- When it began, UTC.
    cast(cast(step.completed_at as timestamptz) at time zone 'UTC' as timestamp) as completed_at,  -- When it ended, UTC.
    case job_status when 'completed' then 2 when 'in_progress' then 1 else 0 end as status_rank,  -- How far along its job is. #version
    fetched_at                                                                                    -- When we read it, UTC. #version
from listed
where step.number is not null
