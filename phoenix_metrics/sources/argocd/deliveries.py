"""What Argo CD's notifications and its stream of changes say, as the same objects that polling lands."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from phoenix_metrics.sources.argocd.applications import moment, payload_of, told_of
from phoenix_metrics.sources.items import Batch, Item, as_text

DELETED = "DELETED"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def delivered_items(event: str, payload: Mapping[str, Any]) -> Batch:
    """Return what a delivery of one of EVENTS says.

    Raises KeyError, TypeError, AttributeError or ValueError where it is not as it should be.
    """
    return [_ITEMS[event](payload)]


def change_payload(kind: str, told: Mapping[str, Any]) -> str:
    """Return a change that a stream told as it is delivered: its kind, and what is kept of the application."""
    head = as_text({"instance": told["instance"], "kind": kind})
    return f'{head[:-1]},"application":{payload_of(told)}}}'


def _notification(payload: Mapping[str, Any]) -> Item:
    """Return the operation that a notification tells of, as far as it is kept."""
    metadata = {key: _text(payload[key]) for key in ("name", "namespace", "uid")}
    state = payload["operationState"]
    _text(state["phase"])
    _check_time(state["startedAt"])
    if state.get("finishedAt") is not None:
        _check_time(state["finishedAt"])
    spec = {"project": _text(payload.get("project") or "")}
    told = told_of({"metadata": metadata, "spec": spec, "status": {"operationState": state}}, payload["instance"])
    kept = {
        "instance": told["instance"],
        "metadata": told["metadata"],
        "spec": spec,
        "status": {"operationState": told["status"]["operationState"]},
    }
    return Item("argocd_notifications", None, payload_of(kept))


def _change(payload: Mapping[str, Any]) -> Item:
    application = payload["application"]
    metadata = application["metadata"]
    if payload["kind"] != DELETED:
        _text(metadata["name"])
        return Item("argocd_applications", None, payload_of(application))
    sighting = {
        "instance": payload["instance"],
        "namespace": metadata.get("namespace") or "",
        "application": _text(metadata["name"]),
        "uid": metadata.get("uid"),
        "state": "deleted",
        "note": None,
    }
    return Item("argocd_sightings", None, as_text(sighting))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.50} is not a text")
    return value


def _check_time(value: object) -> None:
    """Raise ValueError or TypeError for what SQL could not read as a time: what is landed is never changed again."""
    if not _TIME.fullmatch(_text(value)):
        raise ValueError(f"{value!r:.50} is not a time")
    moment(_text(value))


_ITEMS: Mapping[str, Callable[[Mapping[str, Any]], Item]] = {
    "argocd_notification": _notification,
    "argocd_change": _change,
}
EVENTS = frozenset(_ITEMS)
