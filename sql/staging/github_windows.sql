/*
Windows of run creation time that were listed to their last page, with all jobs of their runs.

Grain: repository_id, window_start
Newest: window_end, fetched_at
What no window covers has not been read yet; ingestion goes on from there.
*/
with read as (
    select
        repository_id,
        fetched_at,
        from_json(payload, '{"window_start": "VARCHAR", "window_end": "VARCHAR", "run_count": "INTEGER"}') as listed
    from landing.github_windows
)
select
    repository_id,                                                                             -- The repository that was listed. #not_null
    cast(cast(listed.window_start as timestamptz) at time zone 'UTC' as timestamp) as window_start,  -- First second of the window, UTC. #not_null
    cast(cast(listed.window_end as timestamptz) at time zone 'UTC' as timestamp) as window_end,  -- Last second of the window, UTC. #not_null
    listed.run_count as run_count,                                                             -- Runs that GitHub listed in it.
    fetched_at                                                                                 -- When it was read to the end, UTC. #version
from read
