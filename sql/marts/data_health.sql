/*
How complete and how fresh the data is, source by source.

Grain: source, subject
A repository that no pass has tried for a day is not measured any more and has no row.
missing_count counts what is known to exist and is not here: stretches of history not read yet, attempts not stored, files set aside.
What goes with the runs (github_releases, github_pull_requests, github_billing, …) has a row only while its newest visit did not go
well: a missing permission is a gap that is stated. A repository or organisation not visited for two days is not measured any more.
*/
with stored as (
    select
        repositories.repository_id,
        min(daily.oldest_at) as oldest_at,
        max(daily.newest_at) as newest_at,
        cast(sum(daily.run_count) as bigint) as run_count,
        cast(sum(daily.open_count) as bigint) as open_count,
        cast(sum(daily.missing_attempt_count) as bigint) as missing_attempt_count,
        cast(sum(daily.detailed_count) as bigint) as detailed_count,
        cast(sum(daily.bulk_count) as bigint) as bulk_count,
        cast(sum(daily.undetailed_count) as bigint) as undetailed_count,
        cast(sum(daily.deleted_count) as bigint) as deleted_count
    from marts.repository_daily as daily
    inner join staging.github_repositories as repositories on repositories.repository = daily.repository
    group by repositories.repository_id
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
    qualify row_number() over (partition by coalesce(cast(known_repository_id as varchar), repository) order by finished_at desc) = 1
),

succeeded as (
    select
        repository_id,
        finished_at,
        complete_since,
        missing_window_count
    from staging.github_syncs
    where state = 'ok'
    qualify row_number() over (partition by repository_id order by finished_at desc) = 1
),

visited as (
    select
        *,
        max(finished_at) filter (where state = 'ok') over of_subject as last_success_at,
        row_number() over (of_subject order by finished_at desc) as visit_rank
    from staging.github_visits
    where finished_at > (select max(finished_at) from staging.github_syncs) - interval 2 days or state = 'ok'
    window of_subject as (partition by loop, coalesce(cast(repository_id as varchar), lower(subject)))
),

gaps as (
    select *
    from visited
    where visit_rank = 1 and state <> 'ok'
)
select
    'github' as source,                                                                             -- Where the data comes from. #not_null
    latest.repository as subject,                                                                   -- What of it: a repository, a landing file. #not_null
    succeeded.finished_at as last_success_at,                                                       -- When ingestion last succeeded in full, UTC.
    latest.finished_at as last_attempt_at,                                                          -- When ingestion last ended, UTC.
    latest.state as state,                                                                          -- How: ok, partial (budget spent), failed, no_access, unavailable, gone, blocked, set_aside.
    stored.oldest_at as oldest_at,                                                                  -- Creation of the oldest run stored, UTC.
    stored.newest_at as newest_at,                                                                  -- Creation of the newest run stored, UTC.
    coalesce(latest.complete_since, succeeded.complete_since) as complete_since,                                                        -- History is whole from here on, UTC.
    coalesce(stored.run_count, 0) as run_count,                                                     -- Runs stored.
    coalesce(stored.open_count, 0) as open_count,                                                   -- Runs that have not ended.
    coalesce(stored.detailed_count, 0) as detailed_count,                                           -- Ended runs whose jobs are here in full.
    coalesce(stored.bulk_count, 0) as bulk_count,                                                   -- Ended runs whose jobs lack runner, queue, steps and cost.
    coalesce(stored.undetailed_count, 0) as undetailed_count,                                       -- Ended runs whose jobs are not read.
    coalesce(stored.deleted_count, 0) as deleted_count,                                             -- Runs stored that the source does not have any more.
    coalesce(stored.missing_attempt_count, 0) + coalesce(latest.missing_window_count, succeeded.missing_window_count, 0) as missing_count,  -- Things known to be missing. #not_null
    latest.request_count as request_count,                                                          -- Requests of the newest pass.
    latest.rate_limit as rate_limit,                                                                -- Requests an hour that the source grants.
    latest.rate_limit_remaining as rate_limit_remaining,                                            -- Requests left after the newest pass.
    latest.note as note                                                                             -- What went wrong, in a sentence.
from latest
left join succeeded on succeeded.repository_id = latest.known_repository_id
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
    0,
    0,
    0,
    0,
    1,
    null,
    null,
    null,
    note
from staging.landing_files
where state = 'set_aside'
union all by name
select
    'github_' || loop as source,
    subject,
    last_success_at,
    finished_at as last_attempt_at,
    state,
    0 as missing_count,
    request_count,
    note
from gaps
