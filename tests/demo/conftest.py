"""The demo organisation on a real port, behind a clock that tests can turn."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import uvicorn
from starlette.applications import Starlette

from phoenix_metrics.demo.api import app

NOW = datetime(2026, 11, 18, 13, 49, 45, tzinfo=UTC)  # a Wednesday afternoon with runs queued and in progress
REPOSITORY = "/repos/phoenix/platform"


class Visitor:
    """Asks a demo organisation as of `now`, which tests may move."""

    def __init__(self, stack: ExitStack, now: datetime = NOW, **settings: Any) -> None:
        self.now = now
        self.address = stack.enter_context(serving(app(clock=lambda: self.now, **settings)))
        self.session = stack.enter_context(requests.Session())

    def ask(self, path: str, **headers: str) -> requests.Response:
        """Return the server's whole answer."""
        return self.session.get(self.address + path, headers=headers)

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path of the repository."""
        return self._read(self.session.get(self.address + REPOSITORY + path, params=query))

    def all(self, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
        """Return every item of a list, page by page as the links say."""
        answer = self.session.get(self.address + REPOSITORY + path, params={"per_page": 100, **query})
        items = list(self._read(answer)[key])
        while "next" in answer.links:
            answer = self.session.get(answer.links["next"]["url"])
            items += self._read(answer)[key]
        return items

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Return every run that passes the filters."""
        return self.all("/actions/runs", "workflow_runs", **filters)

    def switch(self, *, broken: bool, **wish: Any) -> dict[str, Any]:
        """Break or mend main and return what the server says of itself."""
        return self.session.post(f"{self.address}/_control", json={"break": broken, **wish}).json()

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def _read(self, answer: requests.Response) -> Any:
        """Return the JSON with one address for every server, so that answers of two can be compared."""
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text.replace(self.address, "http://demo"))


@contextmanager
def serving(application: Starlette, port: int | None = None) -> Iterator[str]:
    """Serve an application in a thread and give its address."""
    config = uvicorn.Config(application, port=port or _free_port(), log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    """Start demo organisations of one's own."""
    with ExitStack() as stack:
        yield lambda **settings: Visitor(stack, **settings)


@pytest.fixture(scope="session")
def sixty_days() -> Iterator[Visitor]:
    """One demo organisation with its usual history, for tests that only read it as of NOW."""
    with ExitStack() as stack:
        yield Visitor(stack)


@pytest.fixture(scope="session")
def every_run(sixty_days: Visitor) -> list[dict[str, Any]]:
    """All runs of the sixty days, newest first."""
    return sixty_days.runs()


@pytest.fixture
def free_port() -> int:
    """Find a port that nobody uses."""
    return _free_port()


@pytest.fixture
def served() -> Callable[[Starlette], Any]:
    """Serve an application for the time of a `with` block."""
    return serving
