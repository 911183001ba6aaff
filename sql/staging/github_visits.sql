/*
The newest visit of each side loop of ingestion to each subject, one row for each way it can end.

Grain: loop, subject, state
Newest: finished_at
A side loop brings what goes with the runs: releases, pull requests, reports, billing and so on.
*/
with visited as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"loop": "VARCHAR", "subject": "VARCHAR", "state": "VARCHAR", "note": "VARCHAR", "cursor": "VARCHAR",
              "etag": "VARCHAR", "etag_scope": "VARCHAR", "request_count": "INTEGER", "finished_at": "VARCHAR"}'
        ) as visit
    from landing.github_visits
)
select
    visit.loop as loop,                          -- What was fetched: releases, pull_requests, reports, … #not_null
    visit.subject as subject,                    -- Of what: a repository's or an organisation's name. #not_null
    visit.state as state,                        -- How it ended. #in(ok, partial, failed, no_access, unavailable, gone, blocked)
    repository_id,                               -- GitHub's id of the repository; NULL for an organisation.
    visit.note as note,                          -- What went wrong, in a sentence.
    visit.cursor as cursor,                      -- Where the next visit goes on, in the loop's own words.
    visit.etag as etag,                          -- The ETag of the list that was read, for asking whether it changed.
    visit.etag_scope as etag_scope,              -- The fingerprint of the credential that this ETag is good for.
    visit.request_count as request_count,        -- Requests it made.
    cast(cast(visit.finished_at as timestamptz) at time zone 'UTC' as timestamp) as finished_at,  -- When it ended, UTC. #not_null
    fetched_at                                   -- When it was written down, UTC. #version
from visited
