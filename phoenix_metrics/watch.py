"""`phoenix watch`: follows the stream of changes of each Argo CD server into the spool, from which they are drained.

A stream tells of a change within a second, but proxies cut it and a busy server leaves changes out. So whatever breaks
off is taken up again, with a pause, and the polls' sweeps find what was lost in between.
"""

import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from phoenix_metrics.errors import PhoenixError, SettingsError
from phoenix_metrics.settings import Settings
from phoenix_metrics.settings.tables import ArgoCDServer
from phoenix_metrics.sources.argocd.applications import place_of, told_of
from phoenix_metrics.sources.argocd.client import Change, connect
from phoenix_metrics.sources.argocd.deliveries import DELETED, change_payload
from phoenix_metrics.sources.argocd.watching import FIELDS, LastTold
from phoenix_metrics.webhooks.spool import TOGETHER, Spool
from phoenix_metrics.webhooks.watched import follows, follows_no_more, only_watcher

FIRST_PAUSE = 1.0  # seconds; doubles while streams break off soon
LONGEST_PAUSE = 60.0
STEADY_SECONDS = 60  # a stream that lasted this long is taken up again after the first pause
_KINDS = ("ADDED", "MODIFIED", DELETED)


def serve(settings: Settings) -> None:
    """Follow every configured server until SIGINT or SIGTERM.

    Raises SettingsError where none is configured, PhoenixError where another process follows them already.
    """
    if not settings.argocd_servers:
        raise SettingsError("PHOENIX_ARGOCD_URL: not set; set it to the Argo CD server whose changes to follow")
    with _asked_to_stop() as stop, only_watcher(settings.home):
        spool = Spool(settings.home)
        try:
            follow_all([Follower(server, settings.home, spool, stop.wait) for server in settings.argocd_servers], stop)
        finally:
            spool.close()


def follow_all(followers: list["Follower"], stop: Event) -> None:
    """Follow several servers side by side until `stop` is set; what nobody foresaw ends all, and is raised."""
    unforeseen: list[Exception] = []

    def follow(follower: Follower) -> None:
        try:
            follower.follow()
        except Exception as error:  # raised again below: a thread would die without anybody knowing
            unforeseen.append(error)
            stop.set()

    for follower in followers:  # daemons, because one that waits for its server cannot be asked to end
        Thread(target=follow, args=[follower], name=follower.server.name, daemon=True).start()
    stop.wait()
    if unforeseen:
        raise unforeseen[0]


@dataclass
class Follower:
    """Follows one server; `wait` pauses for so many seconds and says whether to stop, `say` tells of outages."""

    server: ArgoCDServer
    home: Path
    spool: Spool
    wait: Callable[[float], bool]
    say: Callable[[str], None] = field(default_factory=lambda: _say)
    _last: LastTold = field(default_factory=LastTold)
    _writing: deque[Future[None]] = field(default_factory=deque)
    _reasons: set[str] = field(default_factory=set)  # of the present outage, those that were said
    _oddities: set[str] = field(default_factory=set)  # that were said

    def follow(self) -> None:
        """Read the stream, and take it up again whenever it breaks off."""
        pause = FIRST_PAUSE
        while True:
            began_at = time.monotonic()
            try:
                self._read()
            except OSError as error:
                self._last.clear()  # what could not be written is told again
                self._break_off(f"cannot be stored: {error.strerror or error}")
            except PhoenixError as error:
                self._break_off(str(error))
            if time.monotonic() - began_at >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            if self.wait(pause * random.uniform(0.5, 1)):  # noqa: S311  # spreads visitors, keeps no secret
                return
            pause = min(pause * 2, LONGEST_PAUSE)

    def _read(self) -> None:
        """Keep changes while they come. Raises PhoenixError where the stream ends, OSError where the disk does."""
        self._writing.clear()
        is_begun = False
        server = self.server
        with closing(connect(server)) as client:
            for change in client.watch(
                fields=FIELDS, selector=server.selector, projects=server.projects, at_rest=self._settle
            ):
                if not is_begun:
                    self._begin()
                    is_begun = True
                self._keep(change)

    def _begin(self) -> None:
        follows(self.home, self.server.name, datetime.now(UTC))
        if self._reasons:
            self.say(f"{self.server.name}: changes are followed again")
        self._reasons.clear()

    def _break_off(self, reason: str) -> None:
        follows_no_more(self.home, self.server.name)
        if reason not in self._reasons:
            self.say(f"{self.server.name}: {reason}; trying again")
        self._reasons.add(reason)

    def _keep(self, change: Change) -> None:
        """Put a change into the spool if it says something new."""
        try:
            key = place_of(change.application).key
            told = told_of(change.application, self.server.name)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._leave_out(f"a change is not as documented ({error!r:.100}) and left out")
            return
        if change.kind == DELETED:
            self._last.forget(key)
        if change.kind in _KINDS and (change.kind == DELETED or self._last.is_news(key, told["digest"])):
            self._append(change_payload(change.kind, told))

    def _leave_out(self, reason: str) -> None:
        if reason not in self._oddities:
            self.say(f"{self.server.name}: {reason}")
        self._oddities.add(reason)

    def _append(self, payload: str) -> None:
        """Put a delivery into the spool, waiting only when many are being written. Raises OSError of an earlier one."""
        written, _ = self.spool.append(uuid4().hex, "argocd_change", payload.encode())
        self._writing.append(written)
        self._settle()

    def _settle(self) -> None:
        """Raise the OSError of what could not be written, also while nothing more comes that would be written."""
        while self._writing and (self._writing[0].done() or len(self._writing) > TOGETHER):
            self._writing.popleft().result()


@contextmanager
def _asked_to_stop() -> Iterator[Event]:
    """Lend what SIGINT and SIGTERM set."""
    stop = Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")
    sys.stderr.flush()
