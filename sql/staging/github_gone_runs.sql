/*
Runs that GitHub did not give any more, deleted by people or by retention; what is stored of them stays.

Grain: run_id
Newest: fetched_at
Touches: run_id
*/
with noticed as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"run_id": "BIGINT", "is_gone": "BOOLEAN"}') as run
    from landing.github_gone_runs
)
select
    run.run_id as run_id,        -- GitHub's id of the run. #not_null
    repository_id,               -- The repository that ran it. #not_null
    run.is_gone as is_gone,      -- Whether it is gone; false once GitHub lists it again. #not_null
    fetched_at as noticed_at,    -- When we found it so, UTC. #not_null
    fetched_at                   -- When we looked, UTC. #version
from noticed
