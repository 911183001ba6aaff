/*
How far each repository and each Argo CD server is read, and whether it has gone silent.

Grain: source, subject
A repository whose newest run is over 2 days old is polled once an hour, over 14 days old every 6 hours: it counts as read until that
pause is over, so that quiet repositories make no source stale. One that refuses us for good (gone, blocked, no_access, unavailable) goes
silent like any other, but what rests on its whole source goes on without it. As of the evaluation: the moment at which a pass loaded
what it had fetched, or the end of the newest pass where none is told.
*/
with clock as (
    select max(moment) as as_of
    from (
        select max(evaluated_at) as moment from seeds.evaluation_clock
        union all
        select max(finished_at) from staging.github_syncs
        union all
        select max(finished_at) from staging.argocd_syncs
    ) as moments
),

measured as (
    select
        health.source,
        health.subject,
        health.state,
        health.last_success_at,
        health.last_attempt_at,
        health.rate_limit,
        health.rate_limit_remaining,
        clock.as_of,
        case
            when health.source <> 'github' or health.newest_at > clock.as_of - interval 2 days then 0
            when health.newest_at > clock.as_of - interval 14 days then 3600
            else 21600
        end as pause_seconds
    from marts.data_health as health
    cross join clock
    where health.source in ('github', 'argocd') and health.state <> 'set_aside'
),

aged as (
    select
        *,
        (epoch_us(as_of) - epoch_us(last_success_at)) / 1000000.0 - pause_seconds as behind_seconds
    from measured
)
select
    aged.source as source,                                                      -- github or argocd. #not_null #in(github, argocd)
    aged.subject as subject,                                                    -- A repository or a server of Argo CD. #not_null
    aged.as_of as as_of,                                                        -- As of when, UTC.
    aged.state as state,                                                        -- How its newest pass ended.
    aged.last_attempt_at as last_attempt_at,                                    -- When its newest pass ended, UTC.
    aged.last_success_at as last_success_at,                                    -- When it was last read in full, UTC; NULL if never.
    aged.pause_seconds as pause_seconds,                                        -- Pause between two passes that it has by design. #not_null
    case when aged.behind_seconds > 0 then aged.behind_seconds else 0 * aged.behind_seconds end as silent_seconds,  -- Time since it was last read in full, less that pause; NULL if it never was.
    coalesce(aged.behind_seconds > rules.threshold, true) as is_stale,          -- Whether that is longer than CICDSourceStale allows, or it never was read. #not_null
    coalesce(aged.state in ('gone', 'blocked', 'no_access', 'unavailable'), false) as is_refused,  -- Whether it refuses us until somebody changes something. #not_null
    aged.rate_limit as rate_limit,                                              -- Requests an hour that it grants.
    aged.rate_limit_remaining as rate_limit_remaining                           -- Requests left after its newest pass.
from aged
inner join seeds.alert_rules as rules on rules.rule = 'CICDSourceStale'
