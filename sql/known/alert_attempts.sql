/*
The newest attempt to tell each target of each thing.
*/
select
    target,
    alert_id,
    kind,
    state,
    attempt_count,
    attempted_at,
    next_at
from staging.alert_deliveries
