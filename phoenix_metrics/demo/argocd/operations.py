"""Operations as Argo CD writes them: what was asked for, and what came of it.

Fields: argoproj/argo-cd, `pkg/apis/application/v1alpha1/types.go`, Operation and OperationState.
"""

from datetime import UTC, datetime

from phoenix_metrics.demo.argocd.actions import Outcome, Rollback, Sync
from phoenix_metrics.demo.argocd.application import (
    Application,
    Desired,
    Json,
    Running,
    revisions_json,
    sources_json,
)
from phoenix_metrics.demo.argocd.versions import Version

_PARTS = ("partial", "self_heal")
_OPTIONS = ["CreateNamespace=true"]
_AUTOMATIC_RETRIES = 5
_NOT_APPLIED = "one or more objects failed to apply, reason: admission webhook denied the request"
_HOOK_FAILED = "one or more synchronization tasks completed unsuccessfully"
_NO_MANIFESTS = "ComparisonError: failed to generate manifest for source 1 of 1: rpc error: code = Unknown"
BLOCKED = "Sync operation blocked by sync window"
RETRYING = "Retrying operation. Attempt #{number}"


def requested(application: Application, sync: Sync, version: Version) -> Running:
    """Return the operation that a Sync asks for."""
    services = _services(application, sync)
    images = dict(application.git.images)
    if sync.kind == "local":
        images |= sync.images or {}
    operation: Json = {
        "initiatedBy": _initiator(sync),
        "retry": _retry(sync.outcome, is_automated=sync.by is None and not sync.is_anonymous),
        "sync": {
            **_sync(application, sync, services),
            **(sources_json(application.sources, is_written=False) if version.tells_sources else {}),
        },
    }
    if sync.is_appset:
        operation["info"] = [{"name": "Reason", "value": "ApplicationSet RollingSync triggered a sync"}]
    elif sync.info:
        operation["info"] = [{"name": name, "value": value} for name, value in sync.info.items()]
    desired = Desired(application.git.revisions, images)
    return Running(operation, desired, sync.kind, sync.outcome, sources_json(application.sources), services)


def rolled_back(application: Application, rollback: Rollback, entry: Json) -> Running:
    """Return the operation that a rollback to a history entry is: its revisions and sources, without hooks."""
    told = {key: entry[key] for key in ("revision", "revisions", "source", "sources") if key in entry}
    operation: Json = {
        "initiatedBy": {"username": rollback.by},
        "retry": {},
        "sync": {**told, "syncOptions": _OPTIONS, "syncStrategy": {"apply": {}}},
    }
    images = application.images_of[rollback.history_id]
    desired = Desired(tuple(entry.get("revisions") or [entry["revision"]]), images)
    sources: Json = {key: entry[key] for key in ("source", "sources") if key in entry}
    return Running(operation, desired, "rollback", rollback.outcome, sources, tuple(images))


def result(application: Application, running: Running, version: Version, phase: str) -> Json:
    """Return the sync result of an attempt: nothing is told of resources before any was applied."""
    told: Json = {**revisions_json(running.desired.revisions), **running.sources}
    if len(running.desired.revisions) > 1:
        told = {"revision": "", **told}
    resources = _resource_results(application, running, version, phase)
    return {**told, **({"resources": resources} if resources else {})}


def message(running: Running, *, is_terminal: bool) -> str:
    """Return what an attempt that ended says of itself; failed attempts before the last have failed alike."""
    outcome = running.outcome
    if is_terminal and outcome.phase == "Succeeded":
        if running.kind == "dry_run":
            return "successfully synced (dry run)"
        return "successfully synced" if running.kind == "rollback" else outcome.message
    text = outcome.message
    if outcome.phase == "Succeeded" or text == Outcome().message:
        text = _failure(outcome)
    if not is_terminal:
        return text
    return f"{text} (retried {running.retry_count} times)." if running.retry_count else text


def waiting(text: str, number: int, at: int) -> str:
    """Return what an operation says between two attempts."""
    clock = datetime.fromtimestamp(at, UTC).strftime("%I:%M%p").lstrip("0")
    return f"{text}. Retrying attempt #{number} at {clock}."


def _failure(outcome: Outcome) -> str:
    if outcome.phase == "Error":
        return _NO_MANIFESTS
    return _HOOK_FAILED if outcome.phase == "Failed" and outcome.applies else _NOT_APPLIED


def _initiator(sync: Sync) -> Json:
    if sync.is_anonymous:
        return {}
    if sync.is_appset:
        return {"automated": True, "username": "applicationset-controller"}
    return {"username": sync.by} if sync.by else {"automated": True}


def _retry(outcome: Outcome, *, is_automated: bool) -> Json:
    """Return a limit that allows for the attempts that fail, and for no more where the last one fails."""
    is_bounded = outcome.phase != "Succeeded" or not is_automated
    limit = outcome.failed_attempts if is_bounded else max(outcome.failed_attempts, _AUTOMATIC_RETRIES)
    return {"limit": limit} if limit else {}


def _sync(application: Application, sync: Sync, services: tuple[str, ...]) -> Json:
    told: Json = {"syncOptions": _OPTIONS, **revisions_json(application.git.revisions)}
    if sync.by is None and not sync.outcome.prune_skipped:
        told["prune"] = True
    if sync.by is not None:
        told["syncStrategy"] = {"hook": {}}
    if sync.kind == "dry_run":
        told["dryRun"] = True
    if sync.kind == "local":
        told["manifests"] = [f'{{"kind":"ConfigMap","metadata":{{"name":"{application.name}"}}}}']
    if sync.kind in _PARTS:
        told["resources"] = [_resource(application, service) for service in services]
    if sync.kind == "self_heal":
        told["autoHealAttemptsCount"] = 1
    return told


def _resource(application: Application, service: str) -> Json:
    group, kind = ("argoproj.io", "Rollout") if service in application.created.rollouts else ("apps", "Deployment")
    return {"group": group, "kind": kind, "name": service, "namespace": application.destination_namespace}


def _services(application: Application, sync: Sync) -> tuple[str, ...]:
    """Return the services an operation applies; a part is what is named, else what differs from Git."""
    known = application.git.images
    if sync.kind not in _PARTS:
        return tuple({**known, **(sync.images or {})}) if sync.kind == "local" else tuple(known)
    if sync.images:
        return tuple(service for service in sync.images if service in known)
    live = application.workloads
    drifted = [name for name, image in known.items() if name not in live or live[name].image != image]
    return tuple(drifted or list(known)[:1])


def _resource_results(application: Application, running: Running, version: Version, phase: str) -> list[Json]:
    if running.kind == "dry_run":
        return []
    is_refused = phase in ("Failed", "Error") and not running.is_applied
    if not is_refused and not running.is_applied:
        return []
    results = []
    for service in running.services:
        image = running.desired.images.get(service)
        if image is not None:
            results.append(_applied(_resource(application, service), image, version, is_refused=is_refused))
            results += [] if is_refused or running.kind in _PARTS else [_unchanged(application, service)]
    if phase == "Failed" and running.is_applied and running.outcome.phase == "Failed":
        results.append(_failed_hook(application, running))
    if running.outcome.prune_skipped and not is_refused:
        results.append(_skipped(application))
    return results


def _applied(resource: Json, image: str, version: Version, *, is_refused: bool) -> Json:
    told = ("SyncFailed", "Failed", "admission webhook denied the request")
    if not is_refused:
        told = ("Synced", "Running", f"{resource['kind'].lower()}.{resource['group']}/{resource['name']} configured")
    status, hook_phase, text = told
    images = {"images": [image]} if version.tells_images else {}
    kind_version = "v1" if resource["group"] == "apps" else "v1alpha1"
    shown = {**resource, "version": kind_version, "status": status, "message": text, "hookPhase": hook_phase}
    return {**shown, "syncPhase": "Sync", **images}


def _unchanged(application: Application, service: str) -> Json:
    return {
        **_plain(application, "Service", service),
        "status": "Synced",
        "message": f"service/{service} unchanged",
        "hookPhase": "Running",
        "syncPhase": "Sync",
    }


def _failed_hook(application: Application, running: Running) -> Json:
    return {
        **_plain(application, "Job", f"smoke-test-{running.desired.revisions[0][:7]}-postsync-{running.started_at}"),
        "group": "batch",
        "hookType": "PostSync",
        "hookPhase": "Failed",
        "syncPhase": "PostSync",
        "message": "Job has reached the specified backoff limit",
    }


def _skipped(application: Application) -> Json:
    return {
        **_plain(application, "ConfigMap", "retired-settings"),
        "status": "PruneSkipped",
        "message": "ignored (requires pruning)",
        "syncPhase": "Sync",
    }


def _plain(application: Application, kind: str, name: str) -> Json:
    return {"group": "", "version": "v1", "kind": kind, "namespace": application.destination_namespace, "name": name}
