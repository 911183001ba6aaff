"""`phoenix watch`: the stream of a served cluster ends up in the spool, whatever breaks off in between."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from phoenix_metrics.defs.deliveries import drain
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.sources.argocd.applications import place_of, told_of
from phoenix_metrics.watch import Follower
from phoenix_metrics.webhooks.spool import Spool, folder, read_segment
from phoenix_metrics.webhooks.watched import only_watcher, watched_since
from tests import argocd_server
from tests.argocd_server import ArgoCD, Fault
from tests.conftest import publish_landing, rows
from tests.demo.argocd_story import CHART, ROOT, SHOP, T0, eventful

TOKEN = "very-secret"
BEGIN = 5  # seconds of the story, when three applications exist and nothing has happened to them
STREAM = "/stream/applications"
PATIENCE_SECONDS = 20.0

Told = dict[tuple[str, str], list[str]]  # of each application, what was told of it: digests, or DELETED


@dataclass
class Watch:
    """A follower at work: what it reads, where it writes, what it said."""

    server: ArgoCD
    settings: Settings
    spool: Spool
    said: list[str] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    @property
    def home(self) -> Path:
        return self.settings.home

    def go_on(self, seconds: int) -> None:
        """Let the story go on up to a second of it, and wait until the spool has the latest of each application."""
        expected = latest(happened(seconds))
        self.server.now = datetime.fromtimestamp(T0 + seconds, UTC)
        until(lambda: latest(spooled(self.home)) == expected)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def spooled(home: Path) -> Told:
    """Return what the spool holds, in the order in which it came."""
    told: Told = defaultdict(list)
    for path in sorted(path for path in folder(home).glob("*.*") if path.suffix in (".open", ".ready")):
        for delivery in read_segment(path).deliveries:
            assert delivery.event == "argocd_change"
            application = delivery.payload["application"]
            is_deleted = delivery.payload["kind"] == "DELETED"
            told[place_of(application).key].append("DELETED" if is_deleted else application["digest"])
    return told


def happened(seconds: int) -> Told:
    """Return what a follower that misses nothing is told up to a second of the story: each state once."""
    cluster = Cluster(eventful())
    told: Told = defaultdict(list)
    seen = 0
    for now in range(T0, T0 + seconds + 1):
        cluster.advance(now)
        for change in cluster.changes(seen):
            seen = change.version
            key = place_of(change.application).key
            digest = "DELETED" if change.kind == "DELETED" else told_of(change.application, "argocd")["digest"]
            if now <= T0 + BEGIN:
                told[key] = []  # a stream begins with the present state
            if told[key][-1:] != [digest]:
                told[key].append(digest)
    return told


def latest(told: Told) -> dict[tuple[str, str], str]:
    return {key: digests[-1] for key, digests in told.items()}


def ended(seconds: int) -> list[tuple[str, str]]:
    """Return application and start of every operation that ended up to a second of the story."""
    cluster = Cluster(eventful())
    cluster.advance(T0 + seconds)
    bodies = [one.body for one in cluster.notifications]
    return sorted((one["metadata"]["name"], one["status"]["operationState"]["startedAt"]) for one in bodies)


def is_part(told: list[str], of: list[str]) -> bool:
    """Whether what was told comes in this order in something longer, each of it no oftener than there."""
    rest = iter(of)
    return all(one in rest for one in told)


def no_space() -> None:
    """Fail as a full disk does, once the stream is at rest."""
    time.sleep(0.3)
    raise OSError(28, "No space left on device")


@contextmanager
def watching(server: ArgoCD, home: Path) -> Iterator[Watch]:
    """Follow a server in a thread, with pauses too short to wait for; it ends with its stream."""
    environ = {"PHOENIX_HOME": str(home), "PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": TOKEN}
    settings = load_settings(environ)
    with only_watcher(settings.home):
        watch = Watch(server, settings, Spool(settings.home))
        [configured] = settings.argocd_servers
        follower = Follower(configured, settings.home, watch.spool, lambda _: watch.stop.wait(0.05), watch.said.append)
        Thread(target=follower.follow, daemon=True).start()
        try:
            watch.go_on(BEGIN)
            yield watch
        finally:
            watch.stop.set()
            watch.spool.close()


@contextmanager
def command(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `phoenix watch`, in an environment of its own, while the block lasts."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("PHOENIX_", "DAGSTER_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "phoenix_metrics.cli", "watch"],
        env={**clean, **environ},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> list[str]:
    """Return what a command printed that has ended."""
    assert process.stdout is not None
    return process.stdout.read().splitlines()


@pytest.fixture
def server() -> Iterator[ArgoCD]:
    """A server whose story has three applications and is about to begin."""
    now = datetime.fromtimestamp(T0 + BEGIN, UTC)
    with argocd_server.serving(Cluster(eventful()), now, token=TOKEN) as running:
        yield running


def test_every_state_is_told_once(server: ArgoCD, tmp_path: Path) -> None:
    """Two hours of everything that can happen, in steps: nothing is lost, nothing told twice, nothing said."""
    with watching(server, tmp_path / "home") as watch:
        for seconds in (300, 1250, 2000, 3350, 4500):
            watch.go_on(seconds)
        assert spooled(watch.home) == happened(4500)
        assert watch.said == []
        assert watched_since(watch.home, "argocd") is not None
    assert server.refreshes == []


def test_a_stream_that_breaks_in_any_way_is_taken_up_again(server: ArgoCD, tmp_path: Path) -> None:
    """Cut between changes and within one, refused, ended: a line each; nothing is told twice.

    At every second of the story the spool has the latest of each application; only what is overtaken within the second
    in which a stream is cut may be lost.
    """
    stream = "text/event-stream"
    server.faults += [
        Fault(STREAM, chunks=5),
        Fault(STREAM, is_cut=True),
        Fault(STREAM, chunks=4, is_ended=True),
        Fault(STREAM, 401, {"code": 16, "message": "token expired"}),
        Fault(STREAM, 200, 'data: {"error": {"grpc_code": 14, "message": "gone away"}}\n\n', stream),
        Fault(STREAM, 200, 'data: {"result": {"type": "ADDED", "appl', stream),
    ]
    again = "argocd: changes are followed again"
    with watching(server, tmp_path / "home") as watch:
        for seconds in range(BEGIN, 60):
            watch.go_on(seconds)
        until(lambda: watch.said.count(again) == 2)
        told, whole = spooled(watch.home), happened(60)
        assert all(is_part(told[key], whole[key]) for key in whole)
        assert sum(map(len, whole.values())) - sum(map(len, told.values())) <= 2
        refused = "Argo CD refuses the token: token expired or revoked, or another server's; check PHOENIX_ARGOCD_TOKEN"
        assert watch.said == [
            f"argocd: {server.url}: the stream of changes breaks off; trying again",
            again,
            f"argocd: {server.url}: the stream of changes ends; trying again",
            f"argocd: {server.url}: {refused}; trying again",
            f"argocd: {server.url}: the stream of changes ends (gone away); trying again",
            f"argocd: {server.url}: the stream of changes breaks off within a line; trying again",
            again,
        ]


def test_what_is_deleted_is_a_sighting_after_the_drain(server: ArgoCD, tmp_path: Path) -> None:
    """The other applications are seen; each operation that ended is there, also those that others overwrote."""
    with watching(server, tmp_path / "home") as watch:
        for seconds in (3000, 4050):
            watch.go_on(seconds)
        watch.stop.set()
        watch.spool.close()
        assert drain(watch.home).error_count == 0
        publish_landing(watch.home)
        query = "select application, state from marts.applications order by application"
        assert rows(watch.home, query) == [
            {"application": ROOT, "state": "seen"},
            {"application": CHART, "state": "seen"},
            {"application": SHOP, "state": "deleted"},
        ]
        query = "select application, started_at from marts.operations where status <> 'requested' order by all"
        found = [(row["application"], f"{row['started_at']:%Y-%m-%dT%H:%M:%SZ}") for row in rows(watch.home, query)]
        assert found == ended(4050)


def test_a_full_disk_is_told_and_everything_is_told_again(
    server: ArgoCD, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the stream is at rest: what could not be written is not forgotten until something else happens."""
    monkeypatch.setattr("phoenix_metrics.demo.argocd.api._KEEP_ALIVE", 0.2)
    with watching(server, tmp_path / "home") as watch:
        until(lambda: not list(folder(watch.home).glob("*.open")))  # else there is no file to open
        with monkeypatch.context() as full:
            full.setattr(watch.spool, "_open", no_space)
            server.now = datetime.fromtimestamp(T0 + 22, UTC)
            until(lambda: bool(watch.said))
            assert latest(spooled(watch.home)) == latest(happened(BEGIN))
        watch.go_on(22)
        watch.go_on(300)
        assert watch.said == [
            "argocd: cannot be stored: No space left on device; trying again",
            "argocd: changes are followed again",
        ]


def test_the_command_follows_until_it_is_asked_to_stop(server: ArgoCD, tmp_path: Path) -> None:
    """Alone on its home, with the times of what it says; what it spooled is complete when it has ended."""
    environ = {"PHOENIX_HOME": str(tmp_path / "home"), "PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": TOKEN}
    server.faults += [Fault(STREAM, chunks=3)]
    with command(environ) as process:
        until(lambda: latest(spooled(tmp_path / "home")) == latest(happened(BEGIN)))
        with command(environ) as second:
            assert second.wait(PATIENCE_SECONDS) == 1
            assert "`phoenix watch` already runs on this PHOENIX_HOME; stop it first" in lines(second)[0]
        until(lambda: watched_since(tmp_path / "home", "argocd") is not None and not server.faults[0].count)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
        said = lines(process)
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ argocd: ", line) for line in said)
    assert list(folder(tmp_path / "home").glob("*.open")) == []


def test_with_nothing_to_follow_it_is_one_line(tmp_path: Path) -> None:
    """The line names the setting."""
    with command({"PHOENIX_HOME": str(tmp_path)}) as process:
        assert process.wait(PATIENCE_SECONDS) == 1
        [line] = lines(process)
    assert "PHOENIX_ARGOCD_URL: not set; set it to the Argo CD server whose changes to follow" in line
