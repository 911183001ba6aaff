"""Applications as they are landed: what tells of operations, versions and health, without manifests or secrets.

Meaning of the fields: argoproj/argo-cd, `pkg/apis/application/v1alpha1/types.go`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from phoenix_metrics.sources.items import as_text

_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "labels")
_SPEC = ("project", "destination", "revisionHistoryLimit")
_STATE = ("phase", "startedAt", "finishedAt", "message", "retryCount")
_ENTRY = ("id", "revision", "revisions", "deployStartedAt", "deployedAt", "initiatedBy")
_SYNC = ("revision", "revisions", "dryRun", "prune", "autoHealAttemptsCount", "syncStrategy")
_RESULT = ("revision", "revisions")
_RESOURCE = (
    "group", "version", "kind", "namespace", "name", "status", "hookPhase", "syncPhase", "message", "images",
)  # fmt: skip
_SOURCE = ("path", "chart", "targetRevision", "ref")


def application_payload(application: Mapping[str, Any]) -> str:
    """Return what is kept of an application: identity, rules, history, the operation under way or last seen, health."""
    spec, status = application.get("spec") or {}, application.get("status") or {}
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return as_text(
        {
            "metadata": _kept(application.get("metadata"), _METADATA),
            "spec": {**_kept(spec, _SPEC), **_sources(spec), "automated": automated},
            "operation": _operation(application.get("operation")),
            "status": {
                "history": [_entry(entry) for entry in status.get("history") or []],
                "operationState": _state(status.get("operationState")),
                "sync": _kept(status.get("sync"), ("status", "revision", "revisions")),
                "health": status.get("health"),
                "images": sorted((status.get("summary") or {}).get("images") or []),
                "conditions": [_kept(one, ("type", "message")) for one in status.get("conditions") or []],
                "reconciledAt": status.get("reconciledAt"),
            },
        }
    )


def source_fingerprint(source: Mapping[str, Any]) -> str:
    """Return what tells two sources apart but for their target revision, hashed: overrides may hold secrets."""
    told = {key: value for key, value in source.items() if key != "targetRevision"}
    return hashlib.sha256(as_text(told).encode()).hexdigest()[:16]


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
    address = _without_credentials(source.get("repoURL") or "")
    return {**_kept(source, _SOURCE), "repoURL": address, "fingerprint": source_fingerprint(source)}


def _without_credentials(address: str) -> str:
    """Return a repository's address without the user and password that some people write into it."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if parts.scheme.startswith("http") else address


def _kept(source: Mapping[str, Any] | None, keys: Iterable[str]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source} if source else {}
