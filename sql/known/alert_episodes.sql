/*
The newest episode of each rule and subject, as the last evaluation left it.
*/
select *
from staging.alert_events
qualify row_number() over (partition by rule, subject order by updated_at desc, started_at desc) = 1
