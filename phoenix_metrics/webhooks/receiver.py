"""The receiver: checks a delivery's signature, keeps it durably, acknowledges it. It never opens the store."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

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


def receiver(spool: Spool, secret: str) -> Starlette:
    """Return the application: POST /github for deliveries, GET /healthz for how many there were."""
    key = secret.encode()
    counts: Counter[str] = Counter()

    async def github(request: Request) -> Response:
        answer = await _receive(request, spool, key)
        counts[str(answer.status_code)] += 1
        return answer

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "answers": dict(counts)})

    return Starlette(routes=[Route("/github", github, methods=["POST"]), Route("/healthz", healthz)])


async def _receive(request: Request, spool: Spool, key: bytes) -> Response:
    """Answer one delivery; whatever is stored was signed and stands on the disk before the answer goes out."""
    body = await _body(request)
    refusal = _refused(request, body, key)
    if body is None or refusal is not None:
        return refusal or _refusal(413, f"a delivery has at most {BODY_LIMIT >> 20} MB")
    event = request.headers["x-github-event"]
    if event not in EVENTS:
        return JSONResponse({"status": "pong" if event == "ping" else "not needed"}, status_code=202)
    try:
        written, is_new = spool.append(request.headers["x-github-delivery"], event, body)
        await asyncio.wrap_future(written)
    except OSError as error:
        return _refusal(503, f"cannot be stored: {error.strerror or error}; send it again")
    return JSONResponse({"status": "stored" if is_new else "known"}, status_code=202 if is_new else 200)


def _refused(request: Request, body: bytes | None, key: bytes) -> Response | None:
    """Return why a request is no delivery, or None if it is one; who has not the secret learns nothing else."""
    if body is None:
        return None
    if not _is_signed(key, body, request.headers.get("x-hub-signature-256", "")):
        return _refusal(401, "the signature does not fit the secret")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return _refusal(415, "set the webhook's content type to application/json")
    has_names = request.headers.get("x-github-delivery") and request.headers.get("x-github-event")
    if not has_names or not _is_object(body):
        return _refusal(400, "not a delivery of GitHub's: id, event or JSON body are missing")
    return None


async def _body(request: Request) -> bytes | None:
    """Return the body, or None once it is too long, without reading the rest."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


def _is_signed(key: bytes, body: bytes, signature: str) -> bool:
    """Whether GitHub signed the raw body, compared in constant time (its documentation, "Validating deliveries")."""
    expected = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
