/*
How complete and how fresh the data is, source by source.

Grain: source, subject
A repository that no pass has tried for a day is not measured any more and has no row.
missing_count counts what is known to exist and is not here: stretches of history not read yet, attempts not stored, files set aside.
*/
with runs as (
    select
        repository_id,
        run_id,
        max(run_attempt) as attempt_count,
        count(*) as stored_count,
        min(created_at) as created_at,
        max_by(case when status = 'completed' then 0 else 1 end, run_attempt) as open_count
    from staging.github_run_attempts
    group by repository_id, run_id
),

stored as (
    select
        repository_id,
        min(created_at) as oldest_at,
        max(created_at) as newest_at,
        count(*) as run_count,
        cast(sum(open_count) as bigint) as open_count,
        cast(sum(attempt_count - stored_count) as bigint) as missing_attempt_count
    from runs
    group by repository_id
),

passed as (
    select
        *,
        max(repository_id) over (partition by repository) as known_repository_id,
        max(finished_at) over () as newest_pass_at
    from staging.github_syncs
),

latest as (
    select *
    from passed
    where finished_at > newest_pass_at - interval 1 day
    qualify row_number() over (partition by repository order by finished_at desc) = 1
),

succeeded as (
    select
        repository,
        finished_at,
        complete_since,
        missing_window_count
    from staging.github_syncs
    where state = 'ok'
)
select
    'github' as source,                                                                             -- Where the data comes from. #not_null
    latest.repository as subject,                                                                   -- What of it: a repository, a landing file. #not_null
    succeeded.finished_at as last_success_at,                                                       -- When ingestion last succeeded in full, UTC.
    latest.finished_at as last_attempt_at,                                                          -- When ingestion last ended, UTC.
    latest.state as state,                                                                          -- How: ok, partial (budget spent), failed, set_aside.
    stored.oldest_at as oldest_at,                                                                  -- Creation of the oldest run stored, UTC.
    stored.newest_at as newest_at,                                                                  -- Creation of the newest run stored, UTC.
    coalesce(latest.complete_since, succeeded.complete_since) as complete_since,                                                        -- History is whole from here on, UTC.
    coalesce(stored.run_count, 0) as run_count,                                                     -- Runs stored.
    coalesce(stored.open_count, 0) as open_count,                                                   -- Runs that have not ended.
    coalesce(stored.missing_attempt_count, 0) + coalesce(latest.missing_window_count, succeeded.missing_window_count, 0) as missing_count,  -- Things known to be missing. #not_null
    latest.request_count as request_count,                                                          -- Requests of the newest pass.
    latest.rate_limit as rate_limit,                                                                -- Requests an hour that the source grants.
    latest.rate_limit_remaining as rate_limit_remaining,                                            -- Requests left after the newest pass.
    latest.note as note                                                                             -- What went wrong, in a sentence.
from latest
left join succeeded on succeeded.repository = latest.repository
left join stored on stored.repository_id = latest.known_repository_id
union all
select
    'landing',
    file,
    null,
    recorded_at,
    'set_aside',
    null,
    null,
    null,
    0,
    0,
    1,
    null,
    null,
    null,
    note
from staging.landing_files
where state = 'set_aside'
