/*
How the jobs of each run were last read to the end, and for which state of the run.

Grain: run_id
Newest: fetched_at
Touches: run_id
A run whose attempt or updated_at has moved since is read again. Runs whose jobs came by webhook alone have no row until they are verified.
*/
with read as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"run_id": "BIGINT", "run_attempt": "INTEGER", "run_updated_at": "VARCHAR", "source": "VARCHAR", "job_count": "INTEGER"}'
        ) as detail
    from landing.github_run_details
)
select
    detail.run_id as run_id,            -- GitHub's id of the run. #not_null
    repository_id,                      -- The repository that ran it. #not_null
    detail.run_attempt as run_attempt,  -- The latest attempt when its jobs were read. #not_null
    cast(cast(detail.run_updated_at as timestamptz) at time zone 'UTC' as timestamp) as run_updated_at,  -- The run's updated_at then, UTC. #not_null
    detail.source as source,            -- Where the jobs came from. #in(rest, graphql, webhook)
    detail.job_count as job_count,      -- Jobs listed, of all attempts.
    fetched_at                          -- When they were read, UTC. #version
from read
