"""A stream of Argo CD's changes that a test follows in step with its story, and cuts."""

import json
import threading
import time
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.argocd.deliveries import delivered_items
from phoenix_metrics.warehouse import landing
from phoenix_metrics.watch import Follower
from tests.argocd_server import ArgoCD, Fault

LIGHTHOUSE = "lighthouse-production"  # an application that does nothing but blink, by a label


class Inbox:
    """Takes what a follower keeps, as its spool does, until it is landed as of the story's time."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any]]] = []

    def append(self, _: str, event: str, body: bytes) -> tuple[Future[None], bool]:
        """Keep a delivery."""
        self.kept.append((event, json.loads(body)))
        written: Future[None] = Future()
        written.set_result(None)
        return written, True

    def is_told(self, turn: str) -> bool:
        """Whether the lighthouse was seen to blink for this turn, and so everything before it came, too."""
        return any(
            told["application"]["metadata"].get("labels") == {"turn": turn}
            for _, told in self.kept
            if told["application"]["metadata"]["name"] == LIGHTHOUSE
        )

    def land(self, home: Path, now: datetime) -> None:
        """Land what was kept, in its order."""
        records: dict[str, list[landing.Record]] = {}
        for number, (event, payload) in enumerate(self.kept):
            at = now + timedelta(microseconds=number)
            for item in delivered_items(event, payload):
                records.setdefault(item.source_object, []).append(landing.Record(None, None, at, item.payload))
        for source_object, found in records.items():
            landing.write_batch(home, source_object, found)
        self.kept.clear()


class Stream:
    """A stream that `phoenix watch` follows from now on, until it is cut; its inbox has what came."""

    def __init__(self, server: ArgoCD, settings: Settings) -> None:
        self.inbox = Inbox()
        self._fault = Fault("/stream/", chunks=1_000_000)
        server.faults.append(self._fault)
        [configured] = settings.argocd_servers
        follower = Follower(configured, settings.home, self.inbox, wait=lambda _: True, say=lambda _: None)
        self._thread = threading.Thread(target=follower.follow, daemon=True)
        (settings.home / "watch").mkdir(parents=True, exist_ok=True)  # where it says since when it follows
        self._thread.start()

    def wait_for(self, turn: str) -> None:
        """Wait until everything up to a turn of the lighthouse came."""
        deadline = time.monotonic() + 30
        while not self.inbox.is_told(turn):
            assert time.monotonic() < deadline, "the stream does not tell of what happens"
            time.sleep(0.005)

    def cut(self) -> None:
        """Let the connection break before the next change is told."""
        self._fault.chunks = 0

    def end(self) -> None:
        """Wait until the break was noticed."""
        self._thread.join(30)
        assert not self._thread.is_alive()
