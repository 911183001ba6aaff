"""A simulated Argo CD on real HTTP: a cluster that plays a story, a clock to turn, faults on demand.

with argocd_server.serving(Cluster(story), now=datetime(2026, 1, 2, tzinfo=UTC)) as argo_cd:
argo_cd.url                                   # what PHOENIX_ARGOCD_URL would be
argo_cd.wait(minutes=5)                       # or argo_cd.now = ...; the story goes on
argo_cd.faults.append(Fault("/events", status=503, count=2))
argo_cd.cluster.application("shop-production")
"""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phoenix_metrics.demo.argocd.api import Faults, routes
from phoenix_metrics.demo.argocd.cluster import Cluster


@dataclass
class Fault:
    """What happens to the next `count` requests whose path with its query matches `path`, after `skip` went well."""

    path: str = ""  # a regular expression, found anywhere in the path below the server's root, with its query
    status: int | None = None  # answered instead, with `body`; None lets the real answer through
    body: Any = field(default_factory=lambda: {"error": "scripted fault", "code": 14, "message": "scripted fault"})
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0  # seconds before anything is answered
    is_cut: bool = False  # half of the body comes, then the connection is closed
    chunks: int | None = None  # of a stream: so many chunks come, then the connection is closed
    is_ended: bool = False  # with `chunks`: the stream ends properly rather than in the middle
    count: int = 1
    skip: int = 0


@dataclass
class Asked:
    """A request: its path below the server's root, its parameters, its headers in lower case."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """The path with its parameters, in order."""
        shown = "&".join(f"{key}={value}" for key, values in self.query.items() for value in values)
        return f"{self.path}?{shown}" if shown else self.path


@dataclass
class ArgoCD:
    """A server: its cluster and clock, what it was asked, and what goes wrong; tests change it at will."""

    cluster: Cluster
    now: datetime
    root: str = ""
    token: str | None = None
    url: str = ""
    clock_skew: timedelta = timedelta(0)  # how far the answers' Date is ahead of `now`
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    reconciled: Faults = field(default_factory=Faults)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def requests(self) -> list[str]:
        """Every request, as its path below the root and its parameters."""
        return [one.text for one in self.asked]

    @property
    def refreshes(self) -> list[str]:
        """Requests that would have made a real server reconcile; there should be none."""
        return self.reconciled.refreshes

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def application(self) -> Starlette:
        """Return the server's application: the API below its root path, a page everywhere else."""
        known = routes(self.cluster, lambda: self.now, self.root, self.token, self.reconciled)
        return Starlette(routes=[*known, Route("/{path:path}", _page)])

    def meet(self, asked: Asked) -> Fault | None:
        """Write a request down and return what goes wrong with it, if anything."""
        with self.lock:
            self.asked.append(asked)
            for fault in self.faults:
                if not re.search(fault.path, asked.text):
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif fault.count:
                    fault.count -= 1
                    return fault
        return None


@contextmanager
def serving(cluster: Cluster, now: datetime, *, root: str = "", token: str | None = None) -> Iterator[ArgoCD]:
    """Serve a cluster on loopback as of a time that only the test moves."""
    argo_cd = ArgoCD(cluster, now, root.rstrip("/"), token)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        argo_cd.url = f"http://127.0.0.1:{listener.getsockname()[1]}{argo_cd.root}"
        gate = _Gate(argo_cd, argo_cd.application())
        config = uvicorn.Config(gate, log_level="critical", lifespan="off", date_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield argo_cd
        finally:
            server.should_exit = server.force_exit = True  # streams would never end by themselves
            thread.join()


class _Gate:
    """Stands before the server: writes requests down, tells the time and does what the faults say."""

    def __init__(self, argo_cd: ArgoCD, served: ASGIApp) -> None:
        self._argo_cd = argo_cd
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode().lower(): text.decode() for name, text in scope["headers"]}
        path = scope["path"].removeprefix(self._argo_cd.root)
        fault = self._argo_cd.meet(Asked(path, parse_qs(scope["query_string"].decode()), headers))

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._argo_cd.now + self._argo_cd.clock_skew, usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        if fault is None:
            await self._served(scope, receive, dated)
            return
        await asyncio.sleep(fault.delay)
        answer: ASGIApp = self._served
        if fault.status is not None:
            body = fault.body if isinstance(fault.body, str | bytes) else json.dumps(fault.body)
            answer = Response(body, fault.status, fault.headers, media_type=fault.kind)
        try:
            await answer(scope, receive, _Spoiled(fault, dated))
        except _EndedError:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _CutError(Exception):
    """Breaks an answer off; the server then closes the connection."""


class _EndedError(Exception):
    """Ends a stream as if it were complete."""


class _Spoiled:
    """Passes an answer on as far as a fault lets it."""

    def __init__(self, fault: Fault, send: Send) -> None:
        self._fault = fault
        self._send = send
        self._chunks = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            if self._fault.is_cut:
                body = message.get("body", b"")
                await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
                raise _CutError
            if self._fault.chunks is not None and self._chunks >= self._fault.chunks:
                raise _EndedError if self._fault.is_ended else _CutError
            self._chunks += 1
        await self._send(message)


async def _page(_: Any) -> Response:
    return HTMLResponse("<!doctype html><title>Login</title>")
