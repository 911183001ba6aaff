"""Delivery: sending alerts and reports to Slack and to webhooks, each target by itself, and how each attempt went.

Whoever calls writes each attempt down as soon as it has ended, before the next message is sent. So a message is sent
again only if the process dies in the moment between a target's answer and that file, or if a target takes a message and
its answer does not arrive; a webhook's `Idempotency-Key` is then the same. Otherwise it is sent once.

A target that does not answer, or answers 408, 429 or 5xx, is left alone until its back-off is over (1 minute, doubled
up to an hour, or what `Retry-After` says), and goes on with the same message. Any other answer than 2xx refuses that
message for good.

Why not Apprise, which speaks to a hundred services: what it says of a service is true or false. Whether to try again
and when needs the status and `Retry-After`, and its generic JSON is not Alertmanager's body, which receivers know.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from phoenix_metrics.alerts.messages import Message, slack_body, webhook_body
from phoenix_metrics.settings import Settings

TIMEOUT_SECONDS = 10.0
MESSAGES_A_PASS = 20  # to one target; the rest goes on at the next pass
SHORTEST_BACK_OFF, LONGEST_BACK_OFF = timedelta(minutes=1), timedelta(hours=1)
TEMPORARY = (408, 429)  # and 5xx
SHORTEST_SECRET = 8  # letters of a part of an address that may be one
_DOUBLINGS = 6

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and these are secrets


@dataclass(frozen=True)
class Target:
    """Where alerts are told. The name tells targets apart and gives no secret away; an address is one."""

    kind: Literal["slack", "webhook"]
    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Its kind, its host and a fingerprint of its address: another address is another target."""
        host = urlsplit(self.url).hostname or "unknown"
        return f"{self.kind} {host} {hashlib.sha256(self.url.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Post:
    """One thing to send to one target, about an episode of an alert or a report, whose week then stands for its id.

    The key is the same however often it is tried.
    """

    alert_id: str
    kind: str
    key: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One attempt to tell a target of something: delivered, failed for now, or refused for good."""

    target: str
    alert_id: str
    kind: str
    state: Literal["delivered", "failed", "refused", "registered"]
    attempt_count: int
    attempted_at: datetime
    next_at: datetime | None = None
    error: str | None = None


def targets_of(settings: Settings) -> list[Target]:
    """Return where alerts are told."""
    targets = []
    if settings.slack_webhook is not None:
        targets.append(Target("slack", settings.slack_webhook.get_secret_value()))
    urls = settings.alert_webhooks.get_secret_value().split(",") if settings.alert_webhooks else []
    targets += [Target("webhook", url.strip()) for url in urls if url.strip()]
    return list(dict.fromkeys(targets))


def posts_of(target: Target, messages: Iterable[Message], settings: Settings) -> list[Post]:
    """Return messages as a target takes them."""
    body = slack_body if target.kind == "slack" else webhook_body
    return [
        Post(one.alert.alert_id, one.kind, one.key, body(one, settings.dashboard_address, settings.owners))
        for one in messages
    ]


def deliver(
    due: Mapping[Target, Sequence[Post]],
    record: Callable[[Attempt], None],
    clock: Callable[[], datetime],
    attempt_counts: Mapping[tuple[str, str, str], int] | None = None,
) -> list[Attempt]:
    """Send what is due, target beside target, each target's in its order, and record every attempt as it ends.

    A target that fails keeps the rest for the next time. `attempt_counts` says how often each target was tried before
    with an alert and what happened to it.
    """

    def deliver_to(target: Target) -> list[Attempt]:
        done = []
        for post in due[target][:MESSAGES_A_PASS]:
            before = (attempt_counts or {}).get((target.name, post.alert_id, post.kind), 0)
            done.append(_attempt(target, post, clock, before + 1))
            record(done[-1])
            if done[-1].state == "failed":
                break
        return done

    with ThreadPoolExecutor(max(len(due), 1), thread_name_prefix="alerts") as pool:
        return [attempt for done in pool.map(deliver_to, due) for attempt in done]


def _attempt(target: Target, post: Post, clock: Callable[[], datetime], count: int) -> Attempt:
    error, is_temporary, wait = _send(target, post, clock)
    now = clock()
    state: Literal["delivered", "failed", "refused"] = "delivered"
    if error is not None:
        state = "failed" if is_temporary else "refused"
    next_at = now + (wait if wait is not None else _back_off(count)) if state == "failed" else None
    return Attempt(target.name, post.alert_id, post.kind, state, count, now, next_at, error)


def _back_off(count: int) -> timedelta:
    doubled: int = 2 ** min(count - 1, _DOUBLINGS)
    return min(SHORTEST_BACK_OFF * doubled, LONGEST_BACK_OFF)


def _send(target: Target, post: Post, clock: Callable[[], datetime]) -> tuple[str | None, bool, timedelta | None]:
    """Send one thing; return what went wrong, whether it may go well later, and when the target wants to be asked."""
    try:
        answer = httpx.post(
            target.url,
            json=post.body,
            headers={"Idempotency-Key": post.key, "User-Agent": "phoenix-metrics"},
            timeout=TIMEOUT_SECONDS,
        )
    except httpx.TimeoutException:
        return f"no answer within {TIMEOUT_SECONDS:.0f} s", True, None
    except httpx.HTTPError as error:
        return _without_secret(f"{type(error).__name__}: {error}", target), True, None
    except (httpx.InvalidURL, ValueError) as error:
        return f"the address cannot be used ({type(error).__name__})", False, None
    if answer.is_success:
        return None, False, None
    said = " ".join(answer.text.split())[:200]
    error_text = _without_secret(f"HTTP {answer.status_code}" + (f": {said}" if said else ""), target)
    is_temporary = answer.status_code in TEMPORARY or answer.is_server_error
    return error_text, is_temporary, _retry_after(answer, clock()) if is_temporary else None


def _without_secret(text: str, target: Target) -> str:
    parts = urlsplit(target.url)
    long = [part for part in parts.path.split("/") if len(part) >= SHORTEST_SECRET]
    secrets = [target.url, parts.path.strip("/"), *long, parts.query, parts.username or "", parts.password or ""]
    for secret in (one for one in secrets if one):
        text = text.replace(secret, "…")
    return text


def _retry_after(answer: httpx.Response, now: datetime) -> timedelta | None:
    """Return how long a target wants to be left alone, at most for a day; None if it does not say."""
    text = answer.headers.get("Retry-After", "")
    try:
        wait = timedelta(seconds=int(text)) if text.isdigit() else parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), timedelta(days=1))
