"""Argo CD's route: what its notifications tell of an operation that ended, with a secret; see deploy/argocd."""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from phoenix_metrics.webhooks.answers import body_of, object_of, refusal, stored
from phoenix_metrics.webhooks.spool import Spool

BODY_LIMIT = 4 << 20  # etcd keeps no Application of more than 1.5 MB
EVENT = "argocd_notification"
DEFAULT_INSTANCE = "argocd"
_KEPT = ("name", "namespace", "uid", "project", "operationState")
_INSTANCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


async def received(request: Request, spool: Spool, secret: str, instances: Collection[str]) -> Response:
    """Answer one notification; whatever is stored came with the secret and stands on the disk before the answer does.

    `instances` are the names of servers that are taken; where none is configured, any name is.
    """
    if not _knows_secret(request.headers.get("authorization", ""), secret.encode()):
        return refusal(401, "the bearer token is not PHOENIX_ARGOCD_WEBHOOK_SECRET")
    instance = request.path_params.get("instance", DEFAULT_INSTANCE)
    if instance not in instances and (instances or not _INSTANCE.fullmatch(instance)):
        known = ", ".join(sorted(instances)) or "names of letters, digits, - and _"
        return refusal(404, f"no Argo CD server goes by this name; known here: {known}")
    body = await body_of(request, BODY_LIMIT)
    if body is None:
        return refusal(413, f"a notification has at most {BODY_LIMIT >> 20} MB")
    told = object_of(body)
    delivery_id = _delivery_id(instance, told) if told is not None else None
    if told is None or delivery_id is None:
        return refusal(400, "not a notification as deploy/argocd/notifications.yaml makes it: use its template")
    kept = {"instance": instance, **{key: told.get(key) for key in _KEPT}}
    _leave_out_manifests(kept["operationState"])
    return await stored(spool, delivery_id, EVENT, json.dumps(kept).encode())


def _leave_out_manifests(state: dict[str, Any]) -> None:
    """Keep of a local sync's manifests, which may hold secrets, no more than that there were some."""
    operation = state.get("operation")
    sync = operation.get("sync") if isinstance(operation, dict) else None
    if isinstance(sync, dict) and sync.get("manifests"):
        sync["manifests"] = [""]


def _knows_secret(authorization: str, secret: bytes) -> bool:
    """Whether a header brings the secret, compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    is_equal = hmac.compare_digest(given.strip().encode("utf-8", "replace"), secret)
    return is_equal and scheme.lower() == "bearer"


def _delivery_id(instance: str, told: Mapping[str, Any]) -> str | None:
    """Return what a notification that is sent again has in common with the first, None if it is none at all."""
    state = told.get("operationState")
    if not isinstance(state, dict):
        return None
    named = [told.get("name"), told.get("uid"), state.get("startedAt"), state.get("phase")]
    if not all(isinstance(one, str) and one for one in named):
        return None
    key = [instance, *named[1:], state.get("finishedAt"), state.get("retryCount")]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()
