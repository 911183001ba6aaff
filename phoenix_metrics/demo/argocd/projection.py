"""What `fields` leaves of an answer: a fixed whitelist on the list, any path on a stream.

argoproj/argo-cd, `pkg/apiclient/application/forwarder_overwrite.go` and argoproj/pkg, `grpc/http/forwarders.go`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

_LISTED = (
    "metadata.name",
    "metadata.namespace",
    "metadata.annotations",
    "metadata.labels",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec",
    "status.summary",
    "status.sync.status",
    "status.health",
    "status.resources",
    "status.sourceHydrator",
    "operation.sync",
    "status.operationState.phase",
    "status.operationState.startedAt",
    "status.operationState.finishedAt",
    "status.operationState.operation.sync",
)
_LISTED_SINCE_3_5 = (
    "spec.destination",
    "spec.project",
    "spec.source",
    "spec.sources",
    "spec.sourceHydrator",
    "spec.syncPolicy",
    "status.sync.revision",
)
_TOLD_AS = {"status.operationState.operation.sync": "status.operationState.syncResult"}  # Argo CD's own mistake


def asked(values: Iterable[str]) -> tuple[str, ...]:
    """Return the names in one or several `fields` parameters."""
    return tuple(name for value in values for name in value.split(",") if name)


def listed(application: Mapping[str, Any], names: tuple[str, ...], *, lists_more: bool) -> Json:
    """Return what the list tells of an application; names it does not know are left out without a word.

    What it calls `status.operationState.operation.sync` is the result of the operation.
    """
    known = _LISTED + (_LISTED_SINCE_3_5 if lists_more else ())
    if names and names[0].startswith("-"):
        left_out = {name.removeprefix("-").removeprefix("items.") for name in names}
        wanted = [path for path in known if path not in left_out]
    else:
        wanted = [path for path in known if f"items.{path}" in names]
    told: Json = {}
    for path in wanted:
        value = _at(application, _TOLD_AS.get(path, path))
        if value is not None:
            _put(told, path, value)
    return told


def projected(value: Any, names: tuple[str, ...]) -> Any:
    """Return what any dotted paths leave of an answer; lists are passed through, a leading minus leaves out."""
    if not names:
        return value
    if names[0].startswith("-"):
        return _without(value, {name.removeprefix("-") for name in names}, "")
    return _only(value, set(names), "")


def _only(value: Any, names: set[str], path: str) -> Any:
    if path in names:
        return value
    if isinstance(value, Mapping):
        found = {key: _only(inner, names, _below(path, key)) for key, inner in value.items()}
        return {key: inner for key, inner in found.items() if inner is not None} or None
    if isinstance(value, list) and any(name.startswith(f"{path}.") for name in names):
        return [kept for kept in (_only(inner, names, path) for inner in value) if kept is not None]
    return None


def _without(value: Any, names: set[str], path: str) -> Any:
    if isinstance(value, Mapping):
        below = {key: _below(path, key) for key in value}
        return {key: _without(inner, names, below[key]) for key, inner in value.items() if below[key] not in names}
    if isinstance(value, list):
        return [_without(inner, names, path) for inner in value]
    return value


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _put(told: Json, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        told = told.setdefault(part, {})
    if isinstance(told.get(last), dict) and isinstance(value, dict):
        value = {**told[last], **value}
    told[last] = value
