"""Applications as they are landed: what tells of operations, versions and health, without manifests or secrets.

Meaning of the fields: argoproj/argo-cd, `pkg/apis/application/v1alpha1/types.go`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from phoenix_metrics.sources.items import as_text

UNSETTLED = "?"
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "labels")
_SPEC = ("project", "destination", "revisionHistoryLimit")
_STATE = ("phase", "startedAt", "finishedAt", "message", "retryCount")
_ENTRY = ("id", "revision", "revisions", "deployStartedAt", "deployedAt", "initiatedBy")
_SYNC = ("revision", "revisions", "dryRun", "prune", "autoHealAttemptsCount", "syncStrategy")
_RESULT = ("revision", "revisions")
_RESOURCE = (
    "group", "version", "kind", "namespace", "name", "status", "hookPhase", "syncPhase", "message", "images",
)  # fmt: skip
_HYDRATION = ("drySHA", "hydratedSHA", "phase", "startedAt", "finishedAt")
_CREDENTIALS = re.compile(r"(https?://)[^/\s\"\\@]+@")
_SOURCE = ("path", "chart", "targetRevision", "ref")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an application is: its name, its own namespace and, where it is known, its project."""

    namespace: str
    name: str
    project: str = ""

    @property
    def text(self) -> str:
        """NAMESPACE/NAME: what an application is told by in logs, and where its uid is missing."""
        return f"{self.namespace}/{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other applications of its server."""
        return self.namespace, self.name


def place_of(application: Mapping[str, Any]) -> Place:
    """Return where an application is, of a whole one or of what a list tells."""
    metadata, spec = application["metadata"], application.get("spec") or {}
    return Place(metadata.get("namespace") or "", metadata["name"], spec.get("project") or "")


def application_payload(application: Mapping[str, Any], instance: str = "argocd") -> str:
    """Return what is kept of an application, as text without credentials."""
    return payload_of(told_of(application, instance))


def payload_of(told: Mapping[str, Any]) -> str:
    """Return what is kept as text, without the credentials that addresses in messages may repeat."""
    return _CREDENTIALS.sub(r"\1", as_text(told))


def told_of(application: Mapping[str, Any], instance: str) -> dict[str, Any]:
    """Return what is kept of an application: identity, rules, history, the operation under way or last seen, health.

    `digest` tells whether two readings say the same, but for when Argo CD last compared it. `probe` is what the cheap
    list's will be while nothing changes; it has a mark after it while health does not tell of the last operation yet.
    """
    status = application.get("status") or {}
    told = {
        "instance": instance,
        "metadata": {"uid": place_of(application).text, **_kept(application.get("metadata"), _METADATA)},
        "spec": _spec(application.get("spec") or {}),
        "operation": _operation(application.get("operation")),
        "status": _status(status),
        **_character(status),
    }
    is_told = is_reconciled(status)
    digest = digest_of({**told, "isReconciled": is_told})
    told["status"]["reconciledAt"] = status.get("reconciledAt")
    return {**told, "digest": digest, "probe": probe_of(application) + ("" if is_told else UNSETTLED)}


def digest_of(told: Mapping[str, Any]) -> str:
    """Return a short hash of what is told."""
    return hashlib.sha256(as_text(told).encode()).hexdigest()[:16]


def probe_of(application: Mapping[str, Any]) -> str:
    """Return a hash of what the cheap list tells of an application and changes with its operations or its health."""
    metadata, status = application.get("metadata") or {}, application.get("status") or {}
    state, health = status.get("operationState") or {}, status.get("health") or {}
    return digest_of(
        {
            "created": metadata.get("creationTimestamp"),
            "requested": bool(application.get("operation")),
            "operation": [state.get(key) for key in ("phase", "startedAt", "finishedAt")],
            "health": [health.get(key) for key in ("status", "lastTransitionTime")],
            "sync": (status.get("sync") or {}).get("status"),
            "images": sorted((status.get("summary") or {}).get("images") or []),
        }
    )


def is_reconciled(status: Mapping[str, Any]) -> bool:
    """Whether Argo CD has compared an application after its last operation: only then its health tells of it."""
    finished_at, compared_at = (status.get("operationState") or {}).get("finishedAt"), status.get("reconciledAt")
    return not finished_at or (compared_at is not None and moment(compared_at) > moment(finished_at))


def moment(text: str) -> datetime:
    """Return a time that Argo CD or Kubernetes tells, aware."""
    return datetime.fromisoformat(text)


def source_fingerprint(source: Mapping[str, Any]) -> str:
    """Return what tells two sources apart but for their target revision, hashed: overrides may hold secrets."""
    told = {key: value for key, value in source.items() if key != "targetRevision"}
    return hashlib.sha256(as_text(told).encode()).hexdigest()[:16]


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return {**_kept(spec, _SPEC), **_sources(spec), "automated": automated}


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "history": [_entry(entry) for entry in status.get("history") or []],
        "operationState": _state(status.get("operationState")),
        "sync": _kept(status.get("sync"), ("status", "revision", "revisions")),
        "health": status.get("health"),
        "images": sorted((status.get("summary") or {}).get("images") or []),
        "conditions": [_kept(one, ("type", "message")) for one in status.get("conditions") or []],
    }


def _character(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what kind of application it is: of applications, hydrated, with Argo Rollouts."""
    hydrator = status.get("sourceHydrator") or {}
    current, last = hydrator.get("currentOperation") or {}, hydrator.get("lastSuccessfulOperation") or {}
    kinds = [(one.get("group"), one.get("kind")) for one in status.get("resources") or []]
    return {
        "isAppOfApps": bool((status.get("summary") or {}).get("isAppOfApps")),
        "hydrator": {
            "currentOperation": _kept(current, _HYDRATION) or None,
            "lastSuccessfulOperation": _kept(last, ("drySHA", "hydratedSHA")),
        }
        if hydrator
        else None,
        "rolloutCount": kinds.count(("argoproj.io", "Rollout")),
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**_kept(entry, _ENTRY), **_sources(entry)}


def _state(state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return an operation's state; one that waits for a retry, or failed early, has no result."""
    if not state:
        return None
    result = state.get("syncResult")
    kept = {**_kept(result, _RESULT), **_sources(result), "resources": _resources(result)} if result else None
    return {**_kept(state, _STATE), "operation": _operation(state.get("operation")), "syncResult": kept}


def _operation(operation: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what was asked for: by whom, and how. Of a local sync's manifests only that there were some."""
    if not operation:
        return None
    sync = operation.get("sync") or {}
    return {
        "initiatedBy": operation.get("initiatedBy"),
        "info": operation.get("info") or [],
        "retryLimit": (operation.get("retry") or {}).get("limit"),
        "sync": {
            **_kept(sync, _SYNC),
            **_sources(sync),
            "resourceCount": len(sync.get("resources") or []),
            "isLocal": bool(sync.get("manifests")),
        },
    }


def _resources(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_kept(resource, _RESOURCE) for resource in result.get("resources") or []]


def _sources(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sources in their order; where there are several, the single one is a shell without an address."""
    several, single = holder.get("sources"), holder.get("source")
    is_shell = single is not None and not single.get("repoURL")
    found = several or ([single] if single and not is_shell else [])
    return {"sources": [_source(one) for one in found], "isMultiSource": bool(several) or is_shell}


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    address = _without_user(source.get("repoURL") or "")
    return {**_kept(source, _SOURCE), "repoURL": address, "fingerprint": source_fingerprint(source)}


def _without_user(address: str) -> str:
    """Return a repository's address without the user and password that some people write into it."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if parts.scheme.startswith("http") else address


def _kept(source: Mapping[str, Any] | None, keys: Iterable[str]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source} if source else {}
