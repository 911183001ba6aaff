/*
Argo CD's counts of finished operations as they were last read.
*/
select
    namespace,
    application,
    phase,
    is_dry_run,
    total
from staging.argocd_sync_totals
where instance = $instance
qualify row_number() over (partition by namespace, application, phase, is_dry_run order by read_at desc) = 1
