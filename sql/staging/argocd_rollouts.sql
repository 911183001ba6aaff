/*
Argo Rollouts at each of their revisions, and once more for each time one was aborted.

Grain: instance, rollout_uid, rollout_revision, abort_key
Newest: generation, fetched_at
A retry clears the abort; the row that has it stays.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"instance": "VARCHAR", "application": "VARCHAR", "applicationNamespace": "VARCHAR", "images": ["VARCHAR"], "digest": "VARCHAR",
              "rollout": {
                "metadata": {"name": "VARCHAR", "namespace": "VARCHAR", "uid": "VARCHAR", "creationTimestamp": "VARCHAR", "generation": "BIGINT",
                             "annotations": {"rollout.argoproj.io/revision": "VARCHAR"}},
                "spec": {"strategy": "VARCHAR"},
                "status": {"observedGeneration": "VARCHAR", "phase": "VARCHAR", "message": "VARCHAR", "abort": "BOOLEAN", "abortedAt": "VARCHAR",
                           "currentPodHash": "VARCHAR", "stableRS": "VARCHAR", "currentStepIndex": "INTEGER",
                           "pauseConditions": [{"reason": "VARCHAR", "startTime": "VARCHAR"}],
                           "conditions": [{"type": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR"}],
                           "canary": {"stableRS": "VARCHAR", "currentStepAnalysisRunStatus": {"name": "VARCHAR", "status": "VARCHAR", "message": "VARCHAR"},
                                      "currentBackgroundAnalysisRunStatus": {"name": "VARCHAR", "status": "VARCHAR", "message": "VARCHAR"}},
                           "blueGreen": {"prePromotionAnalysisRunStatus": {"name": "VARCHAR", "status": "VARCHAR", "message": "VARCHAR"},
                                         "postPromotionAnalysisRunStatus": {"name": "VARCHAR", "status": "VARCHAR", "message": "VARCHAR"}},
                           "duration": {"rolloutStartedAt": "VARCHAR", "completionStatus": "VARCHAR"}}}}'
        ) as said
    from landing.argocd_rollouts
),

told as (
    select
        fetched_at,
        said,
        said.rollout.metadata as metadata,
        said.rollout.status as status,
        coalesce(said.rollout.status.abort, false) as is_aborted,
        [condition for condition in said.rollout.status.conditions if condition.type = 'Progressing'][1] as progressing,
        [
            analysis for analysis in [
                said.rollout.status.canary.currentStepAnalysisRunStatus,
                said.rollout.status.canary.currentBackgroundAnalysisRunStatus,
                said.rollout.status.blueGreen.prePromotionAnalysisRunStatus,
                said.rollout.status.blueGreen.postPromotionAnalysisRunStatus
            ] if analysis.name is not null
        ] as analyses
    from described
    where said.rollout.metadata.uid is not null
),

judged as (
    select
        *,
        -- of several analyses the one that went wrong is told
        coalesce([one for one in analyses if one.status in ('Failed', 'Error', 'Inconclusive')][1], analyses[1]) as analysis
    from told
)
select
    coalesce(said.instance, 'argocd') as instance,                                             -- The Argo CD server, by its configured name. #not_null
    metadata.uid as rollout_uid,                                                               -- Kubernetes's id of the Rollout. #not_null
    coalesce(try_cast(metadata.annotations."rollout.argoproj.io/revision" as integer), 0) as rollout_revision,  -- Counts its versions, also those it goes back to; 0 where it does not say. #not_null
    case when is_aborted then coalesce(status.abortedAt, 'aborted') else '' end as abort_key,  -- When it was aborted, as text; empty while it is not. #not_null
    metadata.namespace as namespace,                                                           -- The Rollout's namespace.
    metadata.name as rollout,                                                                  -- Its name.
    said.application as application,                                                           -- The Argo CD application it belongs to; NULL outside Argo CD.
    said.applicationNamespace as application_namespace,                                        -- That one's namespace.
    said.rollout.spec.strategy as strategy,                                                    -- canary or blueGreen.
    status.phase as phase,                                                                     -- Where it is, verbatim; NULL before Argo Rollouts 1.0.
    status.message as message,                                                                 -- Why, verbatim.
    status.observedGeneration is null or status.observedGeneration = cast(metadata.generation as varchar) as is_observed,  -- Whether the phase is about the newest version. #not_null
    is_aborted,                                                                                -- Whether it went back to the stable version. #not_null
    case when is_aborted then cast(cast(status.abortedAt as timestamptz) at time zone 'UTC' as timestamp) end as aborted_at,  -- When, UTC.
    nullif(status.currentPodHash, '') as current_hash,                                         -- The pod template it goes to.
    coalesce(nullif(status.stableRS, ''), nullif(status.canary.stableRS, '')) as stable_hash,                  -- The pod template that is stable; NULL before the first.
    status.currentStepIndex as step_index,                                                     -- The step of the canary it is at.
    coalesce(len(status.pauseConditions), 0) > 0 or coalesce(status.phase = 'Paused', false) as is_paused,  -- Whether it waits. #not_null
    status.pauseConditions[1].reason as pause_reason,                                          -- For what, verbatim.
    progressing.reason as progressing_reason,                                                  -- What its condition Progressing gives as reason, verbatim.
    progressing.message as progressing_message,                                                -- And says, verbatim.
    analysis.name as analysis_name,                                                            -- The AnalysisRun under way; one that went wrong before others.
    analysis.status as analysis_status,                                                        -- How that one stands, verbatim.
    analysis.message as analysis_message,                                                      -- Why, verbatim.
    nullif(array_to_string(list_sort(list_distinct(said.images)), ' '), '') as images,         -- Images of its template, sorted, joined with blanks.
    cast(cast(metadata.creationTimestamp as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When the Rollout was created, UTC.
    status.duration.completionStatus as completion_status,                                     -- How the revision ended, where Argo Rollouts says: Promoted, Aborted, RolledBack, …
    said.digest as digest,                                                                     -- What the reading says, hashed; the next is kept only if it differs.
    coalesce(metadata.generation, 0) as generation,                                            -- Counts the changes of its spec. #version
    coalesce(cast(cast(status.duration.rolloutStartedAt as timestamptz) at time zone 'UTC' as timestamp), fetched_at) as started_at,  -- When the revision began, UTC; when we first saw it so, where Argo Rollouts does not say. #earliest
    fetched_at as first_seen_at,                                                               -- When we first read it so, UTC. #earliest
    fetched_at                                                                                 -- When we read it, UTC. #version
from judged
