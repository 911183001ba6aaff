/*
The newest pass of ingestion over each Argo CD server, one row for each way it can end.

Grain: instance, state
Newest: finished_at
*/
with passed as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "url": "VARCHAR", "version": "VARCHAR", "state": "VARCHAR", "note": "VARCHAR", "started_at": "VARCHAR",
              "finished_at": "VARCHAR", "is_sweep": "BOOLEAN", "application_count": "INTEGER", "changed_count": "INTEGER", "request_count": "INTEGER",
              "refused_count": "INTEGER", "clock_skew_seconds": "DOUBLE", "watched_since": "VARCHAR", "swept_at": "VARCHAR", "events_read_to": "VARCHAR"}'
        ) as sync
    from landing.argocd_syncs
)
select
    sync.instance as instance,                                                                   -- The Argo CD server, by its configured name. #not_null
    sync.state as state,                                                                         -- How it ended; partial is for applications that could not be read. #in(ok, partial, failed, no_access)
    sync.url as url,                                                                             -- Its address.
    sync.version as version,                                                                     -- Argo CD's version there; NULL where it did not answer.
    sync.note as note,                                                                           -- What went wrong, in a sentence.
    cast(cast(sync.started_at as timestamptz) at time zone 'UTC' as timestamp) as started_at,    -- When the pass began, UTC.
    cast(cast(sync.finished_at as timestamptz) at time zone 'UTC' as timestamp) as finished_at,  -- When it ended, UTC. #not_null
    coalesce(sync.is_sweep, false) as is_sweep,                                                  -- Whether it read all histories. #not_null
    sync.application_count as application_count,                                                 -- Applications that it saw.
    sync.changed_count as changed_count,                                                         -- Of those, how many said something new.
    sync.request_count as request_count,                                                         -- Requests it made.
    sync.refused_count as refused_count,                                                         -- Applications that it was refused.
    sync.clock_skew_seconds as clock_skew_seconds,                                               -- How far the server's clock is ahead of ours.
    cast(cast(sync.watched_since as timestamptz) at time zone 'UTC' as timestamp) as watched_since,  -- Since when the stream of changes is read without a gap, UTC; NULL when it is not.
    cast(cast(sync.swept_at as timestamptz) at time zone 'UTC' as timestamp) as swept_at,        -- When all histories were last read to the end, UTC.
    cast(cast(sync.events_read_to as timestamptz) at time zone 'UTC' as timestamp) as events_read_to,  -- Kubernetes's events are read up to here, UTC.
    fetched_at                                                                                   -- When it was written down, UTC. #version
from passed
where sync.instance is not null and sync.finished_at is not null
