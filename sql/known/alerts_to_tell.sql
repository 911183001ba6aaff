/*
Alerts that fire, or ended after a moment.
*/
select *
from marts.alerts
where state in ('firing', 'resolved') and coalesce(ended_at > $after, true)
