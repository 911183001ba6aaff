"""GitHub's manners on the wire: the hourly budget, ETags bound to the token, and counts of what was asked."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from phoenix_metrics.demo.universe import HOUR

_DOCUMENTATION = "https://docs.github.com/rest"
_LIMITS = f"{_DOCUMENTATION}/using-the-rest-api/rate-limits-for-the-rest-api"
_SEARCH_LIMIT = 30


class RefusalError(Exception):
    """A request that is answered with an error: its status and GitHub's message."""

    def __init__(self, status: int, message: str, documentation: str = _DOCUMENTATION) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "documentation_url": documentation, "status": str(status)}


@dataclass(frozen=True)
class Moved:
    """An answer that sends the caller elsewhere."""

    location: str


@dataclass
class Budget:
    """The requests of one token in its current hour."""

    limit: int
    reset_at: int
    used: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left until the reset."""
        return self.used >= self.limit

    def shown(self) -> dict[str, int]:
        """Return the budget as `/rate_limit` shows it."""
        remaining = max(self.limit - self.used, 0)
        return {"limit": self.limit, "used": self.used, "remaining": remaining, "reset": self.reset_at}


@dataclass
class Desk:
    """What the server remembers of its callers."""

    hourly_limit: int
    requests: Counter[str] = field(default_factory=Counter)
    _budgets: dict[str, Budget] = field(default_factory=dict)

    def budget(self, token: str, now: int) -> Budget:
        """Return the budget of a token; a new hour begins with the first request after the old one."""
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._budgets.get(key)
        if known is None or known.reset_at <= now:
            known = self._budgets[key] = Budget(self.hourly_limit, now + HOUR)
        return known


def answer(  # noqa: PLR0917  # what an answer is made of
    payload: Any, headers: Mapping[str, str], token: str, known_etag: str | None, budget: Budget, status: int = 200
) -> Response:
    """Return the payload at the price of one request, or 304 for free where the caller has it already."""
    if isinstance(payload, Moved):
        budget.used += 1
        return Response(status_code=302, headers={"location": payload.location, **budget_headers(budget)})
    body = json.dumps(payload, separators=(",", ":")).encode()
    etag = f'W/"{hashlib.sha256(body + token.encode()).hexdigest()}"'
    if known_etag == etag:
        return Response(status_code=304, headers={"etag": etag, **budget_headers(budget)})
    budget.used += 1
    return Response(body, status, {"etag": etag, **headers, **budget_headers(budget)}, "application/json")


def refuse(error: RefusalError, headers: Mapping[str, str]) -> Response:
    """Return GitHub's answer to a request that is refused."""
    return Response(json.dumps(error.body), error.status, headers, "application/json")


def is_bad(token: str) -> bool:
    """Tell whether this is the token that is always refused: the word "bad"."""
    return token.endswith(" bad")


def bad_credentials() -> RefusalError:
    """Return GitHub's refusal of a token it does not know."""
    return RefusalError(401, "Bad credentials")


def spent() -> RefusalError:
    """Return GitHub's refusal of a token whose budget is spent."""
    return RefusalError(403, "API rate limit exceeded for user ID 410201.", _LIMITS)


def points_spent() -> dict[str, Any]:
    """Return GraphQL's refusal, with status 200, of a token whose points are spent."""
    return {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 410201."}]}


def rate_limit(budget: Budget, points: Budget) -> dict[str, Any]:
    """Return what `/rate_limit` answers; `points` are GraphQL's, and nothing is ever searched here."""
    unspent = Budget(_SEARCH_LIMIT, budget.reset_at).shown()
    resources = {"core": budget.shown(), "graphql": points.shown(), "search": unspent}
    return {"resources": resources, "rate": budget.shown()}


def budget_headers(budget: Budget, resource: str = "core") -> dict[str, str]:
    """Return the headers that tell the caller what is left."""
    shown = {f"x-ratelimit-{name}": str(value) for name, value in budget.shown().items()}
    return {**shown, "x-ratelimit-resource": resource}
