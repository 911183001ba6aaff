"""A repository's webhook as GitHub keeps it: what it is, what it delivered, and what is delivered once more."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.endpoints import Endpoint, Question, not_found
from phoenix_metrics.demo.happenings import Happening
from phoenix_metrics.demo.paging import Listing
from phoenix_metrics.demo.repositories import Repository
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.webhook_payloads import told_of_all
from phoenix_metrics.demo.world import World

KEPT_SECONDS = 3 * DAY  # GitHub's memory of deliveries
TIMEOUT_SECONDS = 10
EVENTS = ("pull_request", "release", "workflow_job", "workflow_run")
_HOOKS = 410_000_000  # added to a repository's id to give its webhook's
_ERA = 1_577_836_800  # 2020-01-01
_PER_SECOND = 2**20  # numbers of deliveries, which ascend over restarts, too

Parcel = Callable[[httpx.AsyncClient], Awaitable[None]]  # something that waits to be posted


@dataclass(frozen=True)
class Target:
    """Where a webhook delivers to, what signs it, and the API root of the addresses in its payloads."""

    url: str
    secret: str = field(repr=False)
    api: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered in how many seconds; for one that did not answer, what GitHub says of that."""

    status_code: int
    status: str
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the delivery arrived."""
        return self.status_code // 100 == 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver something; all attempts at it share a guid."""

    number: int
    guid: str
    happening: Happening
    delivered_at: int
    is_redelivery: bool
    answer: Answer


class Webhook:
    """Delivers what happens in one repository, each thing once unless it is asked for again, and remembers how it went.

    What is asked for again is handed to `post`; `clock` gives seconds since 1970.
    """

    def __init__(self, world: World, target: Target, post: Callable[[Parcel], None], clock: Callable[[], int]) -> None:
        self.repository = world.repository
        self.id = world.repository.id + _HOOKS
        self._world = world
        self._target = target
        self._post = post
        self._clock = clock
        self._number = 0
        self._log: deque[Delivery] = deque()  # oldest first

    async def deliver(self, client: httpx.AsyncClient, happening: Happening, *, is_redelivery: bool = False) -> None:
        """Post something that happened and remember how that went."""
        body, began = self._body(happening), time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answered = await client.post(self._target.url, content=body, headers=self._headers(happening, body))
            is_good = answered.is_success
            status = "OK" if is_good else f"Invalid HTTP Response: {answered.status_code}"
            told = answered.status_code, status, time.monotonic() - began, dict(answered.headers), answered.text
            answer = Answer(*told)
        except TimeoutError:
            answer = Answer(504, "timed out", time.monotonic() - began)
        except httpx.HTTPError:
            answer = Answer(502, "failed to connect to host", time.monotonic() - began)
        self._remember(happening, answer, is_redelivery=is_redelivery)

    def _headers(self, happening: Happening, body: bytes) -> dict[str, str]:
        secret = self._target.secret.encode()
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": f"GitHub-Hookshot/{happening.key[:7]}",
            "X-GitHub-Delivery": guid_of(self.repository, happening),
            "X-GitHub-Event": happening.event,
            "X-GitHub-Hook-ID": str(self.id),
            "X-GitHub-Hook-Installation-Target-ID": str(self.repository.id),
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature": f"sha1={hmac.new(secret, body, hashlib.sha1).hexdigest()}",
            "X-Hub-Signature-256": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}",
        }

    def _body(self, happening: Happening) -> bytes:
        return json.dumps(self._payload(happening), separators=(",", ":")).encode()

    def _payload(self, happening: Happening) -> dict[str, Any]:
        common = told_of_all(self._world, happening.by, happening.at, self._target.api)
        return {"action": happening.action, **common, **happening.told(self._target.api)}

    def _remember(self, happening: Happening, answer: Answer, *, is_redelivery: bool) -> None:
        now = self._clock()
        self._number = max(self._number + 1, (now - _ERA) * _PER_SECOND)
        self._log.append(
            Delivery(self._number, guid_of(self.repository, happening), happening, now, is_redelivery, answer)
        )
        while self._log[0].delivered_at <= now - KEPT_SECONDS:
            self._log.popleft()

    def listed(self, question: Question) -> Listing:
        """Answer with the repository's webhooks: this one."""
        return Listing([self], lambda _: self._described(question.place))

    def shown(self, question: Question) -> dict[str, Any]:
        """Answer with the webhook."""
        self._check(question)
        return self._described(question.place)

    def deliveries(self, question: Question) -> Listing:
        """Answer with the deliveries, newest first; GitHub pages through them by a cursor."""
        self._check(question)
        asked = question.query.get("status")
        kept = [one for one in reversed(self._log) if one.delivered_at > question.now - KEPT_SECONDS]
        found = [one for one in kept if asked is None or one.answer.is_good == (asked == "success")]
        return Listing(found, partial(_item, self.repository), cursor_of=lambda delivery: str(delivery.number))

    def delivery(self, question: Question) -> dict[str, Any]:
        """Answer with one delivery, with what was sent and what came back."""
        found = self._known(question)
        body = self._body(found.happening)
        return {
            **_item(self.repository, found),
            "url": self._target.url,
            "request": {"headers": self._headers(found.happening, body), "payload": json.loads(body)},
            "response": {"headers": dict(found.answer.headers), "payload": found.answer.body},
        }

    def deliver_again(self, question: Question) -> dict[str, Any]:
        """Have something delivered once more."""
        self._post(partial(self.deliver, happening=self._known(question).happening, is_redelivery=True))
        return {}

    def _known(self, question: Question) -> Delivery:
        self._check(question)
        number = question.number("delivery_id")
        found = next((one for one in self._log if one.number == number), None)
        if found is None:
            raise not_found()
        return found

    def _check(self, question: Question) -> None:
        if question.number("hook_id") != self.id:
            raise not_found()

    def _described(self, place: Place) -> dict[str, Any]:
        url = f"{place.url}/hooks/{self.id}"
        last = self._log[-1].answer if self._log else None
        told = {"code": last.status_code, "status": "active", "message": last.status} if last else _UNUSED
        return {
            "type": "Repository",
            "id": self.id,
            "name": "web",
            "active": True,
            "events": list(EVENTS),
            "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": self._target.url},
            "updated_at": FOUNDED_AT,
            "created_at": FOUNDED_AT,
            "url": url,
            "test_url": f"{url}/test",
            "ping_url": f"{url}/pings",
            "deliveries_url": f"{url}/deliveries",
            "last_response": told,
        }


class Hooks:
    """The webhooks of all repositories, behind their addresses."""

    def __init__(self, webhooks: Iterable[Webhook]) -> None:
        self._of_repository = {webhook.repository: webhook for webhook in webhooks}

    def reading(self) -> dict[str, Endpoint]:
        """Return what can be read, by the address under a repository."""
        return {
            "/hooks": lambda question: self._of(question).listed(question),
            "/hooks/{hook_id}": lambda question: self._of(question).shown(question),
            "/hooks/{hook_id}/deliveries": lambda question: self._of(question).deliveries(question),
            "/hooks/{hook_id}/deliveries/{delivery_id}": lambda question: self._of(question).delivery(question),
        }

    def doing(self) -> dict[str, Endpoint]:
        """Return what can be asked for, by the address under a repository."""
        path = "/hooks/{hook_id}/deliveries/{delivery_id}/attempts"
        return {path: lambda question: self._of(question).deliver_again(question)}

    def _of(self, question: Question) -> Webhook:
        return self._of_repository[question.world.repository]


_UNUSED = {"code": None, "status": "unused", "message": None}


def guid_of(repository: Repository, happening: Happening) -> str:
    """Return the id of a delivery, which is the same whenever and however often it is sent."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{repository.web}/{happening.event}/{happening.key}"))


def _item(repository: Repository, delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.number,
        "guid": delivery.guid,
        "delivered_at": written(delivery.delivered_at),
        "redelivery": delivery.is_redelivery,
        "duration": round(delivery.answer.seconds, 2),
        "status": delivery.answer.status,
        "status_code": delivery.answer.status_code,
        "event": delivery.happening.event,
        "action": delivery.happening.action,
        "installation_id": None,
        "repository_id": repository.id,
        "throttled_at": None,
    }
