"""Workloads as Kubernetes writes them, and as nodes of an application's tree.

Fields are those of argoproj/argo-rollouts, `pkg/apis/rollouts/v1alpha1`; health is Argo CD's reading of them,
argoproj/argo-cd, `resource_customizations/argoproj.io`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from phoenix_metrics.demo.argocd.workloads import AnalysisRun, ReplicaSet, Workload, identity
from phoenix_metrics.demo.times import written

Json = dict[str, Any]

_STEPS: list[Json] = [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "success-rate"}]}}]
_HASH_LABEL = "rollouts-pod-template-hash"
_REVISION = "rollout.argoproj.io/revision"
_DEPLOYMENT_REVISION = "deployment.kubernetes.io/revision"
_RUN_HEALTH = {"Successful": "Healthy", "Running": "Progressing", "Pending": "Progressing", "Inconclusive": "Unknown"}
_PHASE_OF_HEALTH = {"Suspended": "Paused", "Degraded": "Degraded"}
_HEALTH_OF_PHASE = {"Paused": "Suspended"}


def kind_of(workload: Workload) -> Json:
    """Return group, version and kind of a workload."""
    if workload.is_rollout:
        return {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
    return {"group": "apps", "version": "v1", "kind": "Deployment"}


def health_of(workload: Workload, overall: Mapping[str, Any]) -> Json:
    """Return a workload's health; `overall` is the application's, which is that of its workload under way."""
    if workload.is_rollout:
        phase, message = rollout_phase(workload, overall)
        return {"status": _HEALTH_OF_PHASE.get(phase, phase), **({"message": message} if message else {})}
    if workload.is_settled:
        return {"status": "Healthy"}
    return {key: overall[key] for key in ("status", "message") if key in overall}


def rollout_phase(workload: Workload, overall: Mapping[str, Any]) -> tuple[str, str]:
    """Return a Rollout's phase and message."""
    if workload.is_aborted:
        return "Degraded", f"RolloutAborted: {workload.abort_message}"
    if workload.is_settled:
        return "Healthy", ""
    phase = _PHASE_OF_HEALTH.get(str(overall.get("status")), "Progressing")
    messages = {"Paused": "CanaryPauseStep", "Progressing": "more replicas need to be updated"}
    return phase, messages.get(phase, f"ProgressDeadlineExceeded: {timed_out(workload)}")


def nodes(workloads: Mapping[str, Workload], overall: Mapping[str, Any]) -> Iterator[Json]:
    """Yield the nodes of an application's tree."""
    for service in sorted(workloads):
        workload = workloads[service]
        top = {**kind_of(workload), "namespace": workload.namespace, "name": service, "uid": workload.uid}
        yield {
            **top,
            "resourceVersion": str(workload.changed_at),
            "createdAt": written(workload.created_at),
            "images": [workload.image],
            "info": [{"name": "Revision", "value": f"Rev:{workload.revision}"}],
            "health": health_of(workload, overall),
        }
        yield _service_node(workload)
        for known in workload.replica_sets.values():
            yield from _replica_set_nodes(workload, known, top)
        for run in workload.runs:
            yield _run_node(workload, run, top)


def manifest(workloads: Mapping[str, Workload], overall: Mapping[str, Any], kind: str, name: str) -> Json | None:
    """Return the live object of a kind and name, None where there is none."""
    for service, workload in workloads.items():
        if name == service and kind == kind_of(workload)["kind"]:
            return rollout(workload, overall) if workload.is_rollout else deployment(workload)
        if name == service and kind == "Service":
            return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": workload.namespace}}
        for known in workload.replica_sets.values():
            if kind == "ReplicaSet" and name == f"{service}-{known.template_hash}":
                return replica_set(workload, known)
            if kind == "Pod" and name == _pod_name(workload, known) and known in workload.running():
                return _pod(workload, known)
        for run in workload.runs:
            if kind == "AnalysisRun" and name == run.name:
                return analysis_run(workload, run)
    return None


def rollout(workload: Workload, overall: Mapping[str, Any]) -> Json:
    """Return a Rollout's live object."""
    phase, message = rollout_phase(workload, overall)
    status: Json = {
        "phase": phase,
        "observedGeneration": str(workload.revision),
        "currentPodHash": workload.current,
        "currentStepIndex": len(_STEPS) if workload.is_settled else 0,
        "conditions": _conditions(workload, phase),
        "canary": _canary(workload),
        "blueGreen": {},
        "replicas": 2,
        "updatedReplicas": 0 if workload.is_aborted else 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    told = {"message": message, "stableRS": workload.stable}
    status |= {key: text for key, text in told.items() if text}
    if workload.aborted_at is not None:
        status |= {"abort": True, "abortedAt": written(workload.aborted_at)}
    if phase == "Paused":
        pause = {"reason": "CanaryPauseStep", "startTime": written(workload.changed_at)}
        status |= {"pauseConditions": [pause], "controllerPause": True}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": workload.service,
            "namespace": workload.namespace,
            "uid": workload.uid,
            "generation": workload.revision,
            "creationTimestamp": written(workload.created_at),
            "annotations": {_REVISION: str(workload.revision)},
        },
        "spec": {
            "replicas": 2,
            "strategy": {"canary": {"steps": _STEPS}},
            "selector": {"matchLabels": {"app": workload.service}},
            "template": _template(workload.service, workload.image),
        },
        "status": status,
    }


def deployment(workload: Workload) -> Json:
    """Return a Deployment's live object."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": workload.service,
            "namespace": workload.namespace,
            "uid": workload.uid,
            "generation": workload.revision,
            "creationTimestamp": written(workload.created_at),
            "annotations": {_DEPLOYMENT_REVISION: str(workload.revision)},
        },
        "spec": {"replicas": 2, "template": _template(workload.service, workload.image)},
        "status": {"observedGeneration": workload.revision, "replicas": 2, "readyReplicas": 2},
    }


def replica_set(workload: Workload, known: ReplicaSet) -> Json:
    """Return the live object of one template's ReplicaSet."""
    revision, label = _REVISION, _HASH_LABEL
    if not workload.is_rollout:
        revision, label = _DEPLOYMENT_REVISION, "pod-template-hash"
    annotations = {revision: str(known.revision)}
    if known.older_revisions:
        annotations[f"{revision}-history"] = ",".join(map(str, known.older_revisions))
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{workload.service}-{known.template_hash}",
            "namespace": workload.namespace,
            "uid": known.uid,
            "creationTimestamp": written(known.created_at),
            "labels": {"app": workload.service, label: known.template_hash},
            "annotations": annotations,
            "ownerReferences": [_owner(workload)],
        },
        "spec": {
            "replicas": 2 if known in workload.running() else 0,
            "template": _template(workload.service, known.image),
        },
        "status": {"replicas": 2 if known in workload.running() else 0},
    }


def analysis_run(workload: Workload, run: AnalysisRun) -> Json:
    """Return the live object of an AnalysisRun."""
    result: Json = {"name": "success-rate", "phase": run.phase, "count": 1}
    result |= {"Failed": {"failed": 1}, "Error": {"error": 1}, "Inconclusive": {"inconclusive": 1}}.get(run.phase, {})
    status: Json = {"phase": run.phase, "startedAt": written(run.started_at), "metricResults": [result]}
    if run.completed_at is not None:
        status["completedAt"] = written(run.completed_at)
    if run.message:
        status["message"] = run.message
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": run.name,
            "namespace": workload.namespace,
            "uid": run.uid,
            "creationTimestamp": written(run.started_at),
            "labels": {_HASH_LABEL: run.template_hash, "rollout-type": "Step", "step-index": "1"},
            "annotations": {_REVISION: str(run.revision)},
            "ownerReferences": [_owner(workload)],
        },
        "spec": {"metrics": [{"name": "success-rate", "provider": {"prometheus": {"query": "up"}}}]},
        "status": status,
    }


def _conditions(workload: Workload, phase: str) -> list[Json]:
    at = written(workload.changed_at)
    progressing = ("True", "ReplicaSetUpdated", f'ReplicaSet "{workload.service}-{workload.current}" is progressing.')
    if workload.is_aborted:
        progressing = ("False", "RolloutAborted", workload.abort_message)
    elif phase == "Degraded":
        progressing = ("False", "ProgressDeadlineExceeded", timed_out(workload))
    elif workload.is_retrying:
        progressing = ("Unknown", "RolloutRetry", "Retrying Rollout after abort")
    elif phase == "Paused":
        progressing = ("Unknown", "RolloutPaused", "Rollout is paused")
    elif workload.is_settled:
        name = f"{workload.service}-{workload.current}"
        progressing = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    available = ("True", "AvailableReason", "Rollout has minimum availability")
    told = {"Available": available, "Progressing": progressing}
    return [
        {"type": kind, "status": status, "reason": reason, "message": message}
        | {"lastTransitionTime": at, "lastUpdateTime": at}
        for kind, (status, reason, message) in told.items()
    ]


def _canary(workload: Workload) -> Json:
    run = next((run for run in reversed(workload.runs) if run.revision == workload.revision), None)
    if run is None:
        return {}
    told = {"name": run.name, "status": run.phase, "message": run.message}
    return {"currentStepAnalysisRunStatus": {key: text for key, text in told.items() if text}}


def _service_node(workload: Workload) -> Json:
    return {
        "version": "v1",
        "kind": "Service",
        "namespace": workload.namespace,
        "name": workload.service,
        "uid": identity(workload.uid, "Service"),
        "resourceVersion": str(workload.created_at),
        "createdAt": written(workload.created_at),
        "health": {"status": "Healthy"},
    }


def _replica_set_nodes(workload: Workload, known: ReplicaSet, parent: Json) -> Iterator[Json]:
    place = {"namespace": workload.namespace, "name": f"{workload.service}-{known.template_hash}", "uid": known.uid}
    itself = {"group": "apps", "version": "v1", "kind": "ReplicaSet", **place}
    yield {
        **itself,
        "parentRefs": [parent],
        "resourceVersion": str(known.revision),
        "createdAt": written(known.created_at),
        "images": [known.image],
        "info": [{"name": "Revision", "value": f"Rev:{known.revision}"}],
        "health": {"status": "Healthy"},
    }
    if known in workload.running():
        yield {
            "version": "v1",
            "kind": "Pod",
            "namespace": workload.namespace,
            "name": _pod_name(workload, known),
            "uid": identity(known.uid, "Pod"),
            "parentRefs": [itself],
            "createdAt": written(known.created_at),
            "images": [known.image],
            "health": {"status": "Healthy"},
        }


def _run_node(workload: Workload, run: AnalysisRun, parent: Json) -> Json:
    health = {"status": _RUN_HEALTH.get(run.phase, "Degraded"), **({"message": run.message} if run.message else {})}
    return {
        "group": "argoproj.io",
        "version": "v1alpha1",
        "kind": "AnalysisRun",
        "namespace": workload.namespace,
        "name": run.name,
        "uid": run.uid,
        "parentRefs": [parent],
        "resourceVersion": str(run.completed_at or run.started_at),
        "createdAt": written(run.started_at),
        "health": health,
    }


def _pod_name(workload: Workload, known: ReplicaSet) -> str:
    return f"{workload.service}-{known.template_hash}-{known.uid[:5]}"


def _pod(workload: Workload, known: ReplicaSet) -> Json:
    metadata = {"name": _pod_name(workload, known), "namespace": workload.namespace, "uid": identity(known.uid, "Pod")}
    spec = _template(workload.service, known.image)["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def _template(service: str, image: str) -> Json:
    containers = [{"name": service, "image": image}]
    return {"metadata": {"labels": {"app": service}}, "spec": {"containers": containers}}


def _owner(workload: Workload) -> Json:
    kind = kind_of(workload)
    return {
        "apiVersion": f"{kind['group']}/{kind['version']}",
        "kind": kind["kind"],
        "name": workload.service,
        "uid": workload.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def timed_out(workload: Workload) -> str:
    """Return what is said of a Rollout that does not get on before its deadline."""
    return f'ReplicaSet "{workload.service}-{workload.current}" has timed out progressing.'
