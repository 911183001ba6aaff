/*
Where ingestion stands with an Argo CD server: how the last pass ended, when all was last read, up to when events are.
*/
select
    max_by(state, finished_at) as state,
    max(swept_at) as swept_at,
    max(events_read_to) as events_read_to
from staging.argocd_syncs
where instance = $instance
