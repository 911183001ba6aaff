/*
What was told of alerts, and each weekly report that was posted, to whom, and how that went.

Grain: target, alert_id, kind
Messages are sent after a snapshot is published, so that the next one shows how they went. Failed ones are tried again, refused ones are not.
*/
select
    deliveries.target as target,                -- Where to: kind, host and a fingerprint of the address. #not_null
    deliveries.alert_id as alert_id,            -- The episode; of a report its week, such as 2026-W47. #not_null
    alerts.rule as rule,                        -- Its rule; NULL of a report.
    alerts.subject as subject,                  -- Of what it speaks; NULL of a report.
    deliveries.kind as kind,                    -- What was told: that it fires, that it still does, that it is over; or a report. #in(opened, reminder, resolved, report)
    deliveries.state as state,                  -- How the newest attempt went. #in(delivered, failed, refused)
    deliveries.attempt_count as attempt_count,  -- How often it was tried. #not_null
    deliveries.attempted_at as attempted_at,    -- When last, UTC. #not_null
    deliveries.next_at as next_at,              -- Before when it is not tried again, UTC.
    deliveries.error as error                   -- What went wrong, without the address.
from staging.alert_deliveries as deliveries
left join staging.alert_events as alerts on alerts.alert_id = deliveries.alert_id
where deliveries.kind <> 'target'
