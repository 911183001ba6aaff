/*
Events of an Argo CD server that Kubernetes may tell again.
*/
select event_uid
from staging.argocd_events
where instance = $instance and (occurred_at is null or occurred_at >= $since)
