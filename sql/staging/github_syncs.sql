/*
The newest pass of ingestion over each repository, one row for each way it can end.

Grain: repository, state
Newest: finished_at
*/
with passed as (
    select
        fetched_at,
        from_json(
            payload,
            '{"repository": "VARCHAR", "repository_id": "BIGINT", "state": "VARCHAR", "note": "VARCHAR", "finished_at": "VARCHAR",
              "complete_since": "VARCHAR", "missing_window_count": "INTEGER", "reconciled_to": "VARCHAR", "request_count": "INTEGER",
              "rate_limit": "INTEGER", "rate_limit_remaining": "INTEGER"}'
        ) as sync
    from landing.github_syncs
)
select
    sync.repository as repository,                                                               -- The name it was asked for, owner/name. #not_null
    sync.state as state,                                                                         -- ok, partial (budget spent) or failed. #in(ok, partial, failed)
    sync.repository_id as repository_id,                                                         -- GitHub's id; NULL where GitHub did not answer.
    sync.note as note,                                                                           -- What went wrong, in a sentence.
    cast(cast(sync.finished_at as timestamptz) at time zone 'UTC' as timestamp) as finished_at,  -- When the pass ended, UTC. #not_null
    cast(cast(sync.complete_since as timestamptz) at time zone 'UTC' as timestamp) as complete_since,  -- History is whole from here on, UTC.
    sync.missing_window_count as missing_window_count,                                           -- Stretches of the wanted history still to be read.
    cast(cast(sync.reconciled_to as timestamptz) at time zone 'UTC' as timestamp) as reconciled_to,  -- Newest run when re-runs were last looked for, UTC.
    sync.request_count as request_count,                                                         -- Requests this pass made.
    sync.rate_limit as rate_limit,                                                               -- Requests an hour that GitHub grants.
    sync.rate_limit_remaining as rate_limit_remaining,                                           -- Requests left at the end of the pass.
    fetched_at                                                                                   -- When it was written down, UTC. #version
from passed
