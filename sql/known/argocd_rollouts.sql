/*
Argo Rollouts of a server as they were last read.
*/
select
    rollout_uid,
    digest,
    coalesce(application_namespace, '') as application_namespace,
    application
from staging.argocd_rollouts
where instance = $instance
qualify row_number() over (partition by rollout_uid order by fetched_at desc, rollout_revision desc, abort_key desc) = 1
