/*
The newest attempt to tell each target of each thing that happened to an alert, and of each weekly report.

Grain: target, alert_id, kind
Newest: attempted_at
A target is registered when it is first seen: what ended before is not told there.
*/
with told as (
    select
        fetched_at,
        from_json(
            payload,
            '{"target": "VARCHAR", "alert_id": "VARCHAR", "kind": "VARCHAR", "state": "VARCHAR", "attempt_count": "INTEGER",
              "attempted_at": "VARCHAR", "next_at": "VARCHAR", "error": "VARCHAR"}'
        ) as attempt
    from landing.alert_deliveries
)
select
    attempt.target as target,                -- Where to: kind, host and a fingerprint of the address. #not_null
    attempt.alert_id as alert_id,            -- The episode; of a report its week, such as 2026-W47; empty for the target itself. #not_null
    attempt.kind as kind,                    -- What was to be told. #in(opened, reminder, resolved, report, target)
    attempt.state as state,                  -- How it went. #in(delivered, failed, refused, registered)
    attempt.attempt_count as attempt_count,  -- How often it was tried. #not_null
    cast(cast(attempt.attempted_at as timestamptz) at time zone 'UTC' as timestamp) as attempted_at,  -- When last, UTC. #not_null
    cast(cast(attempt.next_at as timestamptz) at time zone 'UTC' as timestamp) as next_at,  -- Before when it is not tried again, UTC.
    attempt.error as error,                  -- What went wrong, without the address.
    fetched_at                               -- When that was written down, UTC. #version
from told
