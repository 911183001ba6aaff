"""What the receiver's routes share: a body read up to a limit, a delivery stored before it is told so, a refusal."""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from phoenix_metrics.webhooks.spool import Spool


async def body_of(request: Request, limit: int) -> bytes | None:
    """Return the body, or None once it is longer than `limit` bytes, without reading the rest."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def object_of(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body is, None if it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def stored(spool: Spool, delivery_id: str, event: str, body: bytes) -> Response:
    """Keep a delivery and acknowledge it, once it stands on the disk."""
    try:
        written, is_new = spool.append(delivery_id, event, body)
        await asyncio.wrap_future(written)
    except OSError as error:
        return refusal(503, f"cannot be stored: {error.strerror or error}; send it again")
    return JSONResponse({"status": "stored" if is_new else "known"}, status_code=202 if is_new else 200)


def refusal(status: int, reason: str) -> Response:
    """Return an answer that says why a delivery is not taken."""
    return JSONResponse({"error": reason}, status_code=status)
