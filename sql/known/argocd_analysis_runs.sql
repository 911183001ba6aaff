/*
AnalysisRuns of a server; one that began over a day before the newest is not waited for, whatever it said.
*/
select
    analysis_run_uid,
    digest,
    phase,
    coalesce(application_namespace, '') as application_namespace,
    application,
    is_complete
    or coalesce(started_at, fetched_at) < (select max(fetched_at) from staging.argocd_analysis_runs) - interval 1 day as is_ended
from staging.argocd_analysis_runs
where instance = $instance
