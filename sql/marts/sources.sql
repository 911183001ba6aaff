/*
Sources as a whole: how fresh each is, how much of it is missing, and how many requests are left.

Grain: source
GitHub is its repositories and Argo CD its servers; the one that lags most counts, so that it is not hidden by the others. One that is read
seldom by design counts as read until that pause is over. What goes with the runs, such as releases, has its own cadence and may be a
gap that is known and accepted, and the gaps of single applications count at their server: neither is a source here. Landing files that
were set aside are missing, but nothing that could succeed again.
*/
with missing as (
    select
        source,
        cast(sum(missing_count) as bigint) as missing_count
    from marts.data_health
    where not starts_with(source, 'github_') and not starts_with(source, 'argocd_')
    group by source
),

asked as (
    select
        *,
        max(last_attempt_at) filter (where rate_limit_remaining is not null) over (partition by source) as newest_answer_at
    from marts.source_freshness
),

read as (
    select
        source,
        min(last_success_at + pause_seconds * interval 1 second) as last_success_at,
        bool_or(last_success_at is null) as is_never_read,
        max(silent_seconds) as silent_seconds,
        bool_or(is_stale) as is_stale,
        count(*) as subject_count,
        count(*) filter (where is_stale) as stale_count,
        max_by(subject, coalesce(silent_seconds, 1e18)) as most_silent,
        min(rate_limit_remaining) filter (where last_attempt_at = newest_answer_at) as rate_limit_remaining,
        min_by(rate_limit, rate_limit_remaining) filter (where last_attempt_at = newest_answer_at) as rate_limit
    from asked
    group by source
)
select
    missing.source as source,                                              -- github, argocd, landing or cost. #not_null
    case when not read.is_never_read then read.last_success_at end as last_success_at,  -- When it was last read in full, UTC: the oldest such time among its repositories or servers, of those that are read seldom by design the end of that pause; NULL if one never was.
    case when not read.is_never_read then read.silent_seconds end as silent_seconds,  -- How long the one that lags most has been silent; NULL if it never was read in full.
    coalesce(read.is_stale, false) as is_stale,                            -- Whether one is silent for longer than CICDSourceStale allows. #not_null
    coalesce(read.subject_count, 0) as subject_count,                      -- Its repositories or servers.
    coalesce(read.stale_count, 0) as stale_count,                          -- Those that are silent for too long.
    read.most_silent as most_silent,                                       -- The one that lags most.
    missing.missing_count as missing_count,                                -- Things known to be missing. #not_null
    read.rate_limit as rate_limit,                                         -- Requests an hour that it grants.
    read.rate_limit_remaining as rate_limit_remaining                      -- Requests left after the newest pass.
from missing
left join read on read.source = missing.source
