"""The wire: a world on loopback, with rate limits on the world's clock, faults on demand, and a record of requests."""

import hashlib
import json
import math
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.world import graphql
from tests.world.routes import Answer, answer, moved
from tests.world.state import World

PRIMARY = {"message": "API rate limit exceeded for user ID 5.", "documentation_url": "https://docs.github.com/rest"}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
RATE_LIMITED = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 5."}]}
REFUSALS: dict[str, tuple[int, dict[str, Any], bool]] = {  # status, body, whether it says when to come again
    "502": (502, {"message": "Server Error"}, False),
    "504": (504, {"message": "We couldn't respond to your request in time."}, False),
    "primary": (403, PRIMARY, False),
    "secondary": (403, SECONDARY, True),
    "secondary_bare": (403, SECONDARY, False),
    "429": (429, SECONDARY, True),
    "429_bare": (429, SECONDARY, False),
}
SPOILED = ("truncated", "garbled", "reset", "slow")
FAULT_KINDS = (*REFUSALS, *SPOILED, "moved")
PASSING = ("502", "truncated", "garbled", "reset")  # what trying again at once overcomes


@dataclass
class Fault:
    """What happens to `count` requests whose path with its query matches `path`, after `skip` of them went well.

    `kind` is one of FAULT_KINDS; `seconds` are what a slow answer takes or a refusal asks to wait.
    """

    kind: str
    path: str = ""
    count: int = 1
    skip: int = 0
    seconds: float = 1


@dataclass
class Chaos:
    """Faults at random, the same for the same seed: a request's luck depends on its path and how often it came.

    No path meets more than `in_a_row` faults in a row, so trying again ends well.
    """

    seed: int
    rate: float = 0.1
    kinds: tuple[str, ...] = PASSING
    in_a_row: int = 2
    seconds: float = 0.01
    _seen: Counter[str] = field(default_factory=Counter)
    _row: Counter[str] = field(default_factory=Counter)

    def draw(self, path: str) -> Fault | None:
        """Return the fault the next request for a path meets, if any."""
        self._seen[path] += 1
        luck = random.Random(f"{self.seed} {path} {self._seen[path]}")
        if luck.random() >= self.rate or self._row[path] >= self.in_a_row:
            self._row[path] = 0
            return None
        self._row[path] += 1
        return Fault(luck.choice(self.kinds), seconds=self.seconds)


@dataclass
class Limit:
    """So many requests in each window of so many seconds of the world's clock."""

    size: int = 5000
    seconds: int = 3600


@dataclass(frozen=True)
class Request:
    """A request as answered: whose, what, how, when by the world's clock, and which budget it cost, if any."""

    credential: str
    method: str
    target: str
    kind: str
    status: int
    at: datetime
    cost: str | None
    fault: str | None


@dataclass(frozen=True)
class _Asked:
    method: str
    target: str
    credential: str
    if_none_match: str | None
    body: bytes

    @property
    def path(self) -> str:
        return re.sub("^/api(/v3)?(?=/)", "", urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass
class _Reply:
    """An answer on its way out: its body, and what it costs of which budget."""

    kind: str
    resource: str
    status: int
    body: bytes
    headers: dict[str, str]
    is_free: bool = False

    @classmethod
    def of(cls, kind: str, found: Answer, resource: str = "core", *, is_free: bool = False) -> "_Reply":
        body = found.payload if isinstance(found.payload, bytes) else json.dumps(found.payload).encode()
        return cls(kind, resource, found.status, body, dict(found.headers), is_free)


def _limits() -> dict[str, Limit]:
    return {"core": Limit(), "graphql": Limit()}


@dataclass
class WorldServer:
    """A world as served: its limits, its faults, and what it was asked; tests change all of it at will.

    `overdrawn` counts requests made after a credential's limit was exhausted. Route kinds, as counted: org_repos,
    repository, workflows, runs, runs_created, runs_status, run, attempt, jobs, attempt_jobs, job, artifacts, graphql,
    rate_limit, other.
    """

    world: World
    url: str = ""
    tokens: set[str] = field(default_factory=set)  # those accepted; none means all
    limits: dict[str, Limit] = field(default_factory=_limits)
    sends_rate_headers: bool = True  # GitHub Enterprise Server does not
    faults: list[Fault] = field(default_factory=list)
    chaos: Chaos | None = None
    latency: float = 0.0  # seconds that every answer takes
    graphql_batch: int = 100  # a query for more suites is answered with 502
    broken_suites: set[str] = field(default_factory=set)  # node ids that fail below their node
    extra: dict[str, Any] = field(default_factory=dict)  # Answers, or functions of match and query, by path pattern
    requests: list[Request] = field(default_factory=list)
    overdrawn: int = 0
    under_way: int = 0
    busiest: int = 0  # the most requests under way at once
    response_seconds: float = 0.0  # summed over all answers
    used: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # by credential, resource and window

    @property
    def faults_served(self) -> Counter[str]:
        """How many requests met which kind of fault."""
        return Counter(request.fault for request in self.requests if request.fault)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """How many requests there were, by credential and route kind."""
        return Counter((request.credential, request.kind) for request in self.requests)

    def counted(self, kind: str | None = None, *, status: int | None = None, target: str = "") -> int:
        """Return how many requests were of a kind, had a status, and a target that matches."""
        return sum(
            1
            for request in self.requests
            if kind in (None, request.kind) and status in (None, request.status) and re.search(target, request.target)
        )

    def per_hour(self, resource: str = "core") -> Counter[datetime]:
        """Return how many requests took from a budget in each hour of the world's clock."""
        return Counter(
            request.at.replace(minute=0, second=0, microsecond=0)
            for request in self.requests
            if request.cost == resource
        )

    def budget(self, credential: str, resource: str = "core") -> dict[str, int]:
        """Return what x-ratelimit headers say."""
        limit = self.limits[resource]
        used = min(self.used[credential, resource, self._window(limit)], limit.size)
        reset = (self._window(limit) + 1) * limit.seconds
        return {"limit": limit.size, "remaining": limit.size - used, "used": used, "reset": reset}

    def _window(self, limit: Limit) -> int:
        return int(self.world.now.timestamp()) // limit.seconds

    def meet_fault(self, target: str) -> Fault | None:
        """Return the fault a request meets: a scripted one, or one of chance."""
        for fault in self.faults:
            if fault.count > 0 and re.search(fault.path, target):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.count -= 1
                return fault
        return self.chaos.draw(target) if self.chaos else None

    def respond(self, asked: _Asked, fault: Fault | None) -> _Reply:
        """Answer a request, take its cost off the budget and write it down."""
        reply = self._answer(asked)
        is_limited = self._refuse_beyond_limit(asked, reply)
        if not is_limited:
            fault = self._refuse_by_fault(asked, reply, fault)
            self._tag(asked, reply)
        if reply.status == 304 and fault and fault.kind in ("truncated", "garbled"):
            fault = None  # there is no body to spoil
        is_free = is_limited or reply.is_free or reply.status in (304, 401)
        if not is_free:
            self.used[asked.credential, reply.resource, self._window(self.limits[reply.resource])] += 1
        reply.headers = {**self._headers(asked, reply), **reply.headers}
        cost, kind = None if is_free else reply.resource, fault.kind if fault else None
        self.requests.append(
            Request(asked.credential, asked.method, asked.target, reply.kind, reply.status, self.world.now, cost, kind)
        )
        return reply

    def _answer(self, asked: _Asked) -> _Reply:
        if self.tokens and asked.credential not in self.tokens:
            return _Reply.of("other", Answer(401, {"message": "Bad credentials", "status": "401"}))
        if asked.path == "/rate_limit":
            resources = {name: self.budget(asked.credential, name) for name in self.limits}
            payload = {"resources": resources, "rate": resources["core"]}
            return _Reply.of("rate_limit", Answer(200, payload), is_free=True)
        if asked.path == "/graphql" and asked.method == "POST":
            return _Reply.of("graphql", self._graphql(asked), "graphql")
        for pattern, found in self.extra.items():
            if match := re.fullmatch(pattern, asked.path):
                return _Reply.of("other", found(match, asked.query) if callable(found) else found)
        return _Reply.of(*answer(self.world, asked.path, asked.query))

    def _graphql(self, asked: _Asked) -> Answer:
        budget = self.budget(asked.credential, "graphql")
        del budget["reset"]
        suite_count, found = graphql.answer(self.world, asked.body, self.broken_suites, budget)
        return found if suite_count <= self.graphql_batch else Answer(*REFUSALS["502"][:2])

    def _refuse_beyond_limit(self, asked: _Asked, reply: _Reply) -> bool:
        if reply.is_free or reply.status == 401 or self.budget(asked.credential, reply.resource)["remaining"]:
            return False
        self.overdrawn += 1
        is_graphql = reply.resource == "graphql"
        reply.status, reply.headers = 200 if is_graphql else 403, {}
        reply.body = json.dumps(RATE_LIMITED if is_graphql else PRIMARY).encode()
        return True

    def _refuse_by_fault(self, asked: _Asked, reply: _Reply, fault: Fault | None) -> Fault | None:
        """Put a fault's refusal in place of the answer; returns the fault, or None where it does not apply."""
        if fault is None or fault.kind in SPOILED:
            return fault
        if fault.kind == "moved":
            if not (match := re.fullmatch("/repos/([^/]+/[^/]+)(/.*)?", asked.path)):
                return None
            number = self.world.by_name.get(match[1].lower())
            found = moved(self.world, number, match[2] or "", asked.query) if number else None
        else:
            found = _refusal(fault, self.world.now)
        if found is None:
            return None
        refused = _Reply.of(reply.kind, found, reply.resource)
        reply.status, reply.body, reply.headers = refused.status, refused.body, refused.headers
        reply.is_free = fault.kind not in ("502", "504", "moved")
        return fault

    def _tag(self, asked: _Asked, reply: _Reply) -> None:
        """Give the answer its ETag, which is bound to the token, and empty it where the asker has it."""
        if asked.method != "GET" or reply.status != 200 or reply.kind == "rate_limit":
            return
        tag = f'W/"{hashlib.sha1(reply.body + asked.credential.encode()).hexdigest()}"'
        reply.headers["ETag"] = tag
        if asked.if_none_match == tag:
            reply.status, reply.body = 304, b""

    def _headers(self, asked: _Asked, reply: _Reply) -> dict[str, str]:
        common = {
            "Date": format_datetime(self.world.now.astimezone(UTC).replace(microsecond=0), usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Request-Id": f"{len(self.requests):X}",
        }
        if not self.sends_rate_headers:
            return common
        budget = self.budget(asked.credential, reply.resource)
        return {
            **common,
            **{f"x-ratelimit-{name}": str(value) for name, value in budget.items()},
            "x-ratelimit-resource": reply.resource,
        }


def _refusal(fault: Fault, now: datetime) -> Answer:
    status, payload, has_retry_after = REFUSALS[fault.kind]
    headers = {"Retry-After": str(math.ceil(fault.seconds))} if has_retry_after else {}
    if fault.kind == "primary":
        reset = math.ceil(now.timestamp() + fault.seconds)
        headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    return Answer(status, payload, headers)


@contextmanager
def serving(world: World, **settings: Any) -> Iterator[WorldServer]:
    """Serve a world on loopback while the block runs; `settings` are WorldServer's."""
    served = WorldServer(world, **settings)

    class Handler(_Handler):
        wire = served

    server = _Server(("127.0.0.1", 0), Handler)
    served.url = world.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    wire: WorldServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.meet(b"")

    def do_POST(self) -> None:
        self.meet(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def meet(self, body: bytes) -> None:
        """Answer one request, as slowly and as badly as it is to be."""
        wire, began = self.wire, time.monotonic()
        credential = self.headers.get("Authorization", "").split(" ")[-1] or "anonymous"
        asked = _Asked(self.command, self.path, credential, self.headers.get("If-None-Match"), body)
        with wire.world.lock:
            wire.under_way += 1
            wire.busiest = max(wire.busiest, wire.under_way)
            fault = wire.meet_fault(self.path)
        time.sleep(wire.latency + (fault.seconds if fault and fault.kind == "slow" else 0))
        with wire.world.lock:
            reply = wire.respond(asked, fault)
            met = wire.requests[-1].fault
            wire.under_way -= 1
            wire.response_seconds += time.monotonic() - began
        self.send(reply, met)

    def send(self, reply: _Reply, fault: str | None) -> None:
        """Write the answer, or what a fault leaves of it."""
        if fault == "reset":
            return self.reset()
        body = reply.body[: len(reply.body) // 2] + b"\0<html>" if fault == "garbled" else reply.body
        self.send_response_only(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "truncated" else body)
        self.wfile.flush()
        if fault == "truncated":
            self.close_connection = True
        return None

    def reset(self) -> None:
        """Break the connection off without a word."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
