/*
Runs of each repository a day, by how completely they are stored.

Grain: day, repository
Rebuilt by: day
*/
with stored as (
    select
        run_id,
        count(*) as attempt_count
    from marts.run_attempts
    group by run_id
)
select
    runs.day as day,                                                        -- UTC day on which the runs were created. #not_null
    runs.repository as repository,                                          -- owner/name. #not_null
    count(*) as run_count,                                                  -- Runs stored.
    count(*) filter (where outcome = 'open' and source_deleted_at is null) as open_count,  -- Runs that have not ended.
    cast(sum(runs.run_attempt - stored.attempt_count) as bigint) as missing_attempt_count,  -- Attempts that are not stored, though a later one is.
    count(*) filter (where outcome <> 'open' and detail_source in ('rest', 'webhook')) as detailed_count,  -- Ended runs whose jobs are here in full.
    count(*) filter (where outcome <> 'open' and detail_source = 'graphql') as bulk_count,  -- Ended runs whose jobs lack runner, queue, steps and cost.
    count(*) filter (where outcome <> 'open' and detail_source is null) as undetailed_count,  -- Ended runs whose jobs are not read.
    count(*) filter (where source_deleted_at is not null) as deleted_count,  -- Runs that GitHub does not have any more.
    min(runs.created_at) as oldest_at,                                      -- Creation of the oldest of them, UTC.
    max(runs.created_at) as newest_at,                                      -- Creation of the newest of them, UTC.
    cast(sum(runs.cost_usd) as decimal(18, 8)) as cost_usd,                 -- USD that their jobs cost, as far as known; NULL if of none.
    cast(sum(runs.waste_usd) as decimal(18, 8)) as waste_usd,               -- Share of that whose work came to nothing.
    cast(sum(runs.unpriced_count) as bigint) as unpriced_count              -- Ended jobs whose cost is not known; cost_usd lacks them.
from marts.workflow_runs as runs
inner join stored on stored.run_id = runs.run_id
group by runs.day, runs.repository
