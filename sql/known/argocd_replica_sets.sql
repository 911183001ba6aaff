/*
ReplicaSets of Argo Rollouts of a server, with the newest revision each stood for.
*/
select
    replica_set_uid,
    rollout_revision
from staging.argocd_replica_sets
where instance = $instance
