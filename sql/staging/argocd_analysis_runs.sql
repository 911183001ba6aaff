/*
AnalysisRuns of Argo Rollouts: the measurements that promote or abort a version.

Grain: instance, analysis_run_uid
Newest: is_complete, fetched_at
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "application": "VARCHAR", "applicationNamespace": "VARCHAR", "digest": "VARCHAR",
              "analysisRun": {
                "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR", "creationTimestamp": "VARCHAR",
                             "labels": {"rollout-type": "VARCHAR", "rollouts-pod-template-hash": "VARCHAR"},
                             "annotations": {"rollout.argoproj.io/revision": "VARCHAR"}, "ownerReferences": [{"kind": "VARCHAR", "uid": "VARCHAR"}]},
                "status": {"phase": "VARCHAR", "startedAt": "VARCHAR", "completedAt": "VARCHAR", "message": "VARCHAR",
                           "metricResults": [{"phase": "VARCHAR", "dryRun": "BOOLEAN"}]}}}'
        ) as said
    from landing.argocd_analysis_runs
),

told as (
    select
        fetched_at,
        said,
        said.analysisRun.metadata as metadata,
        said.analysisRun.status as status
    from described
    where said.analysisRun.metadata.uid is not null
)
select
    coalesce(said.instance, 'argocd') as instance,                  -- The Argo CD server, by its configured name. #not_null
    metadata.uid as analysis_run_uid,                               -- Kubernetes's id. #not_null
    metadata.namespace as namespace,                                -- Its namespace.
    metadata.name as analysis_run,                                  -- Its name.
    said.application as application,                                -- The Argo CD application it belongs to; NULL outside Argo CD.
    said.applicationNamespace as application_namespace,             -- That one's namespace.
    [owner.uid for owner in metadata.ownerReferences if owner.kind = 'Rollout'][1] as rollout_uid,  -- The Rollout it judges.
    try_cast(metadata.annotations."rollout.argoproj.io/revision" as integer) as rollout_revision,  -- The revision it judges.
    metadata.labels."rollouts-pod-template-hash" as template_hash,  -- The pod template it judges.
    metadata.labels."rollout-type" as rollout_type,                 -- What it is part of: Step, Background, PrePromotion, PostPromotion.
    status.phase as phase,                                          -- Where it is, verbatim: Pending, Running, Successful, Failed, Error, Inconclusive.
    status.message as message,                                      -- Why, verbatim.
    cast(cast(coalesce(status.startedAt, metadata.creationTimestamp) as timestamptz) at time zone 'UTC' as timestamp) as started_at,  -- When it started, UTC.
    cast(cast(status.completedAt as timestamptz) at time zone 'UTC' as timestamp) as completed_at,  -- When it ended, UTC; old versions do not say.
    len([1 for metric in coalesce(status.metricResults, []) if metric.phase in ('Failed', 'Error') and not coalesce(metric.dryRun, false)]) as failed_metric_count,  -- Metrics that failed or could not be measured; dry runs do not count. #not_null
    said.digest as digest,                                          -- What the reading says, hashed; the next is kept only if it differs.
    coalesce(status.phase in ('Successful', 'Failed', 'Error', 'Inconclusive'), false) as is_complete,  -- Whether it has ended. #version
    fetched_at                                                      -- When we read it, UTC. #version
from told
