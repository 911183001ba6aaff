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
            '{"repository": "VARCHAR", "asked": "VARCHAR", "repository_id": "BIGINT", "state": "VARCHAR", "note": "VARCHAR", "finished_at": "VARCHAR",
              "complete_since": "VARCHAR", "missing_window_count": "INTEGER", "reconciled_to": "VARCHAR",
              "deep_reconciled_to": "VARCHAR", "described_at": "VARCHAR", "listings": "VARCHAR", "listings_scope": "VARCHAR", "request_count": "INTEGER",
              "rate_limit": "INTEGER", "rate_limit_remaining": "INTEGER"}'
        ) as sync
    from landing.github_syncs
)
select
    sync.repository as repository,                                                               -- Its name, owner/name. #not_null
    sync.state as state,                                                                         -- How it ended; partial is for a spent budget. #in(ok, partial, failed, no_access, unavailable, gone, blocked)
    coalesce(sync.asked, sync.repository) as asked,                                              -- The name it was asked for; another than its own after a rename.
    sync.repository_id as repository_id,                                                         -- GitHub's id; NULL where GitHub did not answer.
    sync.note as note,                                                                           -- What went wrong, in a sentence.
    cast(cast(sync.finished_at as timestamptz) at time zone 'UTC' as timestamp) as finished_at,  -- When the pass ended, UTC. #not_null
    cast(cast(sync.complete_since as timestamptz) at time zone 'UTC' as timestamp) as complete_since,  -- History is whole from here on, UTC.
    sync.missing_window_count as missing_window_count,                                           -- Stretches of the wanted history still to be read.
    cast(cast(sync.reconciled_to as timestamptz) at time zone 'UTC' as timestamp) as reconciled_to,  -- Newest run when re-runs were last looked for, UTC.
    cast(cast(sync.deep_reconciled_to as timestamptz) at time zone 'UTC' as timestamp) as deep_reconciled_to,  -- The same for the weekly look further back, UTC.
    cast(cast(sync.described_at as timestamptz) at time zone 'UTC' as timestamp) as described_at,  -- When its description and workflows were last asked for, UTC.
    sync.listings as listings,                                                                   -- Short lists with their ETags, as JSON, for conditional requests.
    sync.listings_scope as listings_scope,                                                       -- The credential that those ETags belong to.
    sync.request_count as request_count,                                                         -- Requests this pass made.
    sync.rate_limit as rate_limit,                                                               -- Requests an hour that GitHub grants.
    sync.rate_limit_remaining as rate_limit_remaining,                                           -- Requests left at the end of the pass.
    fetched_at                                                                                   -- When it was written down, UTC. #version
from passed
