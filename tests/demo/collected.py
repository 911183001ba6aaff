"""Nine days of a demo organisation, collected by our own collectors and published, beside the truth of them.

`DEMO_SEEDS=1-20` collects twenty histories rather than one, and `DEMO_SCENES=all` each of them with each scene, too,
from the eighth day on.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import requests
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.defs.context import visit_pull_requests, visit_workflow_files
from phoenix_metrics.defs.intake import connected
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.demo.api import app
from phoenix_metrics.demo.control import Control
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.scenes import SceneLog, SceneName
from phoenix_metrics.demo.truth.operations import Life, Player
from phoenix_metrics.demo.truth.story import tables
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.warehouse.rules import Rules
from tests.conftest import publish_landing
from tests.demo.conftest import _free_port as free_port


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)


START = FOUNDED * DAY
DAYS = 8
PACE = 0.3
REPOSITORIES = 3  # the platform, which is delivered, and two that are not
EVENTFUL = 98  # a seed whose nine days have rollbacks of two kinds, a job that hangs and a hook that fails
SEEDS = _range(os.environ.get("DEMO_SEEDS", f"{EVENTFUL}-{EVENTFUL}"))
GITHUB_READ_AT = [START + day * DAY + 15 * HOUR for day in (2, 5)]
EVENTS_READ = 50 * 60  # Kubernetes keeps an event for an hour
RUNNING = 400  # seconds into a run of CI, when some of its jobs are done and some are not

SCENE_AT = START + 7 * DAY + 9 * HOUR  # a Monday
SCENES = [None, *SceneName] if os.environ.get("DEMO_SCENES") == "all" else [None]
HISTORIES = [(seed, scene) for seed in SEEDS for scene in SCENES]

NIGHTLY_OF_PLATFORM = ("phoenix/platform", "nightly.yml", "0 2 * * *", "UTC", 30)  # as settings tell it

Row = dict[str, Any]


class Organisation:
    """One history from its founding to an afternoon on which a run is under way, perhaps with a scene of its own."""

    def __init__(self, seed: int, scene: SceneName | None = None) -> None:
        self.seed, self.scene = seed, scene
        organization = Organization(seed, DAYS + 2, PACE, REPOSITORIES)
        world = organization.platform
        living = LivingCluster(world.universe, world, DAYS + 2)
        control = Control(SceneLog(), organization.breakages, organization.worlds, living, START)
        if scene is not None:
            living.live_until(SCENE_AT)
            control.grant(wish(scene), SCENE_AT)
        after = START + DAYS * DAY + 13 * HOUR
        pushes = [run.trigger.at for run in world.day(FOUNDED + DAYS) if run.trigger.at >= after]
        self.now = min(pushes, default=after) + RUNNING
        self.truth = tables(organization.worlds, living, self.now)
        self.lives = Player(living.told).play(self.now)


@dataclass(frozen=True)
class Collected:
    """A home with a published snapshot, and the history that was collected into it."""

    home: Path
    organisation: Organisation

    @property
    def truth(self) -> dict[str, list[Row]]:
        """What really happened, table by table."""
        return self.organisation.truth


def wish(scene: SceneName) -> bytes:
    """Return what is posted to have a scene."""
    rate = {"runs_per_minute": 1} if scene.scene.breaks_main else {}  # a day's runs are many even so
    return json.dumps({"scene": scene, **rate}).encode()


class Clock:
    """The time of the server and of the collectors."""

    def __init__(self) -> None:
        self.now = _time(START)

    def __call__(self) -> datetime:
        return self.now


def collect(home: Path, organisation: Organisation, moments: Sequence[int], *, with_files: bool = True) -> Collected:
    """Collect a history by passes at moments and at its end, and publish it.

    Without workflow files settings tell the schedule of one repository.
    """
    clock = Clock()
    with serving(organisation.seed, clock) as address:
        settings = settings_of(address, home)
        posted = wish(organisation.scene) if organisation.scene else None
        turns = [SCENE_AT] if posted else []
        for at in sorted({*moments, *GITHUB_READ_AT, *turns, organisation.now}):
            clock.now = _time(at)
            if at in turns:
                requests.post(f"{address}/_control", posted, timeout=60).raise_for_status()
            read(settings, clock, with_github=at in (*GITHUB_READ_AT, organisation.now), with_files=with_files)
    publish_landing(home, Rules() if with_files else Rules(schedules=[NIGHTLY_OF_PLATFORM]))
    return Collected(home, organisation)


def read(settings: Settings, clock: Clock, *, with_github: bool, with_files: bool = True) -> None:
    """Make one pass over Argo CD, and one over GitHub that also looks for late re-runs and what goes with the runs."""
    assert [(one.state, one.note) for one in sync_argocd(settings, clock)] == [("ok", None)]
    if with_github:
        done = sync_github(settings, Poll(reconcile=True, deep=True), clock=clock)
        assert {one.state for one in done} == {"ok"}
        with connected(settings, clock) as connections:
            visited = visit_pull_requests(settings, connections.client_for, clock)
            if with_files:
                visited += visit_workflow_files(settings, connections.client_for, clock)
        assert {(one.state, one.note) for one in visited} == {("ok", None)}


def settings_of(address: str, home: Path) -> Settings:
    """Return settings that measure a demo organisation."""
    return load_settings(
        {
            "PHOENIX_HOME": str(home),
            "PHOENIX_CONFIG": str(CHECKOUT / "phoenix_metrics" / "demo" / "phoenix.toml"),
            "PHOENIX_GITHUB_API_URL": address,
            "PHOENIX_GITHUB_ORGANIZATIONS": "phoenix",
            "PHOENIX_GITHUB_TOKEN": "demo",
            "PHOENIX_GITHUB_SINCE": "2025-01-06",
            "PHOENIX_ARGOCD_URL": f"{address}/argo-cd",
            "PHOENIX_ARGOCD_TOKEN": "demo",
            "PHOENIX_ARGOCD_METRICS_URL": f"{address}/argo-cd/metrics",
        }
    )


def telling_moments(organisation: Organisation) -> list[int]:
    """Return few moments at which all can be seen: each end while its events are kept, each health before the next."""
    chosen = [START]
    spans = _spans(organisation.lives.values(), organisation.now)
    for first, last in sorted(spans, key=lambda span: span[1]):
        if first <= last and chosen[-1] < first:
            chosen.append(last)
    return chosen


def _spans(lives: Iterable[Life], now: int) -> Iterator[tuple[int, int]]:
    """Yield from when to when something of each operation can be seen: its end, and each health before the next."""
    for life in lives:
        ended = [one for one in life.operations if one.finished_at is not None]
        for number, operation in enumerate(ended):
            end = (operation.finished_at or 0) + 1
            later = ended[number + 1 :]
            asked_next = later[0].started_at - 2 if later else now
            changes = [at for at, _ in life.health if end <= at <= asked_next]
            yield end, min(asked_next, end + EVENTS_READ, *(at - 1 for at in changes if at > end))
            yield from ((at, min(asked_next, *(one - 1 for one in changes if one > at), now)) for at in changes)


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@contextmanager
def serving(
    seed: int,
    clock: Callable[[], datetime],
    *,
    days: int = DAYS + 2,
    pace: float = PACE,
    repositories: int = REPOSITORIES,
) -> Iterator[str]:
    """Serve a history whose answers carry the date of its own clock."""
    application = app(seed=seed, days=days, pace=pace, repositories=repositories, clock=clock)
    config = uvicorn.Config(
        _dated(application, clock), port=free_port(), log_level="error", lifespan="off", date_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()


def _dated(application: ASGIApp, clock: Callable[[], datetime]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(clock(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", []), (b"date", date)]
            await send(message)

        await application(scope, receive, send_dated)

    return answer
