/*
ReplicaSets of Argo Rollouts: which images a pod template's hash stands for.

Grain: instance, replica_set_uid
Newest: rollout_revision, fetched_at
An old one that is used again gets the new revision.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "application": "VARCHAR", "applicationNamespace": "VARCHAR", "images": ["VARCHAR"],
              "replicaSet": {"metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR", "creationTimestamp": "VARCHAR",
                             "labels": {"rollouts-pod-template-hash": "VARCHAR"},
                             "annotations": {"rollout.argoproj.io/revision": "VARCHAR", "rollout.argoproj.io/revision-history": "VARCHAR"},
                             "ownerReferences": [{"kind": "VARCHAR", "uid": "VARCHAR"}]}}}'
        ) as said
    from landing.argocd_replica_sets
)
select
    coalesce(said.instance, 'argocd') as instance,                                      -- The Argo CD server, by its configured name. #not_null
    said.replicaSet.metadata.uid as replica_set_uid,                                    -- Kubernetes's id. #not_null
    said.replicaSet.metadata.namespace as namespace,                                    -- Its namespace.
    said.replicaSet.metadata.name as replica_set,                                       -- Its name.
    said.application as application,                                                    -- The Argo CD application it belongs to; NULL outside Argo CD.
    said.applicationNamespace as application_namespace,                                 -- That one's namespace.
    [owner.uid for owner in said.replicaSet.metadata.ownerReferences if owner.kind = 'Rollout'][1] as rollout_uid,  -- The Rollout that made it.
    said.replicaSet.metadata.labels."rollouts-pod-template-hash" as template_hash,      -- The hash of its pod template.
    coalesce(try_cast(said.replicaSet.metadata.annotations."rollout.argoproj.io/revision" as integer), 0) as rollout_revision,  -- The newest revision it stood for; 0 where it does not say. #not_null
    nullif(said.replicaSet.metadata.annotations."rollout.argoproj.io/revision-history", '') is not null as is_reused,  -- Whether it stood for an older revision before. #not_null
    nullif(array_to_string(list_sort(list_distinct(said.images)), ' '), '') as images,  -- Its images, sorted, joined with blanks.
    cast(cast(said.replicaSet.metadata.creationTimestamp as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was created, UTC.
    fetched_at                                                                          -- When we read it, UTC. #version
from described
where said.replicaSet.metadata.uid is not null
