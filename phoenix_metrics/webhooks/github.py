"""GitHub's route: deliveries signed with the secret of the webhook."""

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from phoenix_metrics.webhooks.answers import body_of, object_of, refusal, stored
from phoenix_metrics.webhooks.spool import Spool

BODY_LIMIT = 25 << 20  # GitHub sends no more (its documentation on webhook payloads)
EVENTS = frozenset(
    {
        "workflow_run",
        "workflow_job",
        "deployment",
        "deployment_status",
        "check_run",
        "release",
        "pull_request",
    }
)


async def received(request: Request, spool: Spool, secret: str) -> Response:
    """Answer one delivery; whatever is stored was signed and stands on the disk before the answer goes out."""
    body = await body_of(request, BODY_LIMIT)
    refused = _refused(request, body, secret.encode())
    if body is None or refused is not None:
        return refused or refusal(413, f"a delivery has at most {BODY_LIMIT >> 20} MB")
    event = request.headers["x-github-event"]
    if event not in EVENTS:
        return JSONResponse({"status": "pong" if event == "ping" else "not needed"}, status_code=202)
    return await stored(spool, request.headers["x-github-delivery"], event, body)


def _refused(request: Request, body: bytes | None, key: bytes) -> Response | None:
    """Return why a request is no delivery, or None if it is one; who has not the secret learns nothing else."""
    if body is None:
        return None
    if not _is_signed(key, body, request.headers.get("x-hub-signature-256", "")):
        return refusal(401, "the signature does not fit the secret")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return refusal(415, "set the webhook's content type to application/json")
    has_names = request.headers.get("x-github-delivery") and request.headers.get("x-github-event")
    if not has_names or object_of(body) is None:
        return refusal(400, "not a delivery of GitHub's: id, event or JSON body are missing")
    return None


def _is_signed(key: bytes, body: bytes, signature: str) -> bool:
    """Whether GitHub signed the raw body, compared in constant time (its documentation, "Validating deliveries")."""
    expected = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
