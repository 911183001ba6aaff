"""The spool: deliveries as they arrived, in append-only segments, until they are drained into landing.

A segment is `spool/<stamp>-<pid>-<number>.open` while its receiver, which holds a lock on it, appends; closed it is
`.ready`. A line is one delivery as JSON. A receiver that is killed leaves an open segment without a lock, which whoever
comes next closes; a last line without an end was never acknowledged and does not count.
"""

import fcntl
import json
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

ROTATE_SECONDS = 1.0
ROTATE_BYTES = 8 << 20
TOGETHER = 256  # deliveries that share one fsync at most
REMEMBERED = 200_000  # delivery ids, so that a delivery sent again is known


@dataclass(frozen=True)
class Delivery:
    """One delivery as it arrived: its id, its event, when (UTC), and its payload."""

    delivery_id: str
    event: str
    received_at: datetime
    payload: dict[str, Any]


def folder(home: Path) -> Path:
    """Return where the segments are."""
    return home / "spool"


class Spool:
    """Appends deliveries durably; many callers share one fsync. Safe to use from many threads."""

    def __init__(self, home: Path) -> None:
        self._folder = folder(home)
        self._folder.mkdir(parents=True, exist_ok=True)
        adopt_orphans(home)
        self._known: OrderedDict[str, None] = OrderedDict()
        for path in ready_segments(home):
            for delivery in read_segment(path).deliveries:
                self._known[delivery.delivery_id] = None
        self._waiting: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._queue: SimpleQueue[tuple[str, bytes, Future[None]] | None] = SimpleQueue()
        self._segment: IO[bytes] | None = None
        self._opened_at = 0.0
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def append(self, delivery_id: str, event: str, body: bytes) -> tuple[Future[None], bool]:
        """Append a delivery; the future ends when it is on the disk. Also says whether the id is new.

        `body` is JSON. The future of an id seen before is that of its first append, so nobody is told too early.
        """
        with self._lock:
            if delivery_id in self._known:
                return self._waiting.get(delivery_id) or _done(), False
            future: Future[None] = Future()
            self._known[delivery_id] = None
            self._waiting[delivery_id] = future
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._queue.put((delivery_id, _line(delivery_id, event, body), future))
        return future, True

    def close(self) -> None:
        """Write what waits and close the segment."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            if batch:
                self._write(batch)
            try:
                self._rotate(force=not is_open)
            except OSError:  # what it holds is on the disk, and is adopted by whoever drains
                self._abandon()

    def _next_batch(self) -> tuple[list[tuple[str, bytes, Future[None]]], bool]:
        """Return what waits, and whether there will be more; waits for the first until it is time to rotate."""
        batch: list[tuple[str, bytes, Future[None]]] = []
        try:
            entry = self._queue.get(timeout=ROTATE_SECONDS / 2)
            while entry is not None:
                batch.append(entry)
                if len(batch) == TOGETHER:
                    return batch, True
                entry = self._queue.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _write(self, batch: list[tuple[str, bytes, Future[None]]]) -> None:
        error: OSError | None = None
        try:
            segment = self._segment or self._open()
            segment.write(b"".join(line for _, line, _ in batch))
            segment.flush()
            os.fsync(segment.fileno())
        except OSError as caught:
            error = caught
            self._abandon()
        with self._lock:
            for delivery_id, _, _ in batch:
                self._waiting.pop(delivery_id, None)
                if error is not None:
                    self._known.pop(delivery_id, None)
        for _, _, future in batch:
            future.set_exception(error) if error else future.set_result(None)

    def _open(self) -> IO[bytes]:
        self._number += 1
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z-{os.getpid()}-{self._number}.open"
        segment = (self._folder / name).open("xb")
        fcntl.flock(segment.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._segment, self._opened_at = segment, time.monotonic()
        _sync_folder(self._folder)
        return segment

    def _rotate(self, *, force: bool) -> None:
        """Close the segment when it is old or large, so that it can be drained."""
        segment = self._segment
        if segment is None:
            return
        is_old = time.monotonic() - self._opened_at >= ROTATE_SECONDS
        if force or is_old or segment.tell() >= ROTATE_BYTES:
            path = Path(segment.name)
            path.rename(path.with_suffix(".ready"))
            _sync_folder(self._folder)
            segment.close()
            self._segment = None

    def _abandon(self) -> None:
        """Leave a segment that could not be written; its whole lines are still good."""
        segment, self._segment = self._segment, None
        if segment is not None:
            with suppress(OSError):
                segment.close()


@dataclass(frozen=True)
class Segment:
    """What a segment holds: its deliveries, lines that are none, and whether its last line broke off."""

    deliveries: tuple[Delivery, ...]
    malformed: tuple[bytes, ...]
    is_torn: bool


def ready_segments(home: Path) -> list[Path]:
    """Return the closed segments, oldest first."""
    return sorted(folder(home).glob("*.ready"))


def adopt_orphans(home: Path) -> int:
    """Close the open segments whose receiver is gone; return how many."""
    count = 0
    for path in sorted(folder(home).glob("*.open")):
        try:
            with path.open("rb") as segment:
                fcntl.flock(segment.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.rename(path.with_suffix(".ready"))
                count += 1
        except (BlockingIOError, FileNotFoundError):
            continue  # its receiver lives, or somebody else was faster
    return count


def read_segment(path: Path) -> Segment:
    """Return what a segment holds."""
    *lines, rest = path.read_bytes().split(b"\n")
    deliveries, malformed = [], []
    for line in lines:
        try:
            deliveries.append(_delivery(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            malformed.append(line)
    return Segment(tuple(deliveries), tuple(malformed), is_torn=bool(rest))


def remove_segment(path: Path) -> None:
    """Remove a segment that was drained."""
    path.unlink(missing_ok=True)


def _delivery(entry: dict[str, Any]) -> Delivery:
    if not isinstance(entry["payload"], dict):
        raise TypeError("a payload is an object")
    received_at = datetime.fromisoformat(entry["received_at"])
    return Delivery(str(entry["delivery_id"]), str(entry["event"]), received_at, entry["payload"])


def _line(delivery_id: str, event: str, body: bytes) -> bytes:
    head = {"delivery_id": delivery_id, "event": event, "received_at": datetime.now(UTC).isoformat()}
    compact = json.dumps(json.loads(body), separators=(",", ":")).encode()  # one line, whatever was sent
    return json.dumps(head).encode()[:-1] + b', "payload": ' + compact + b"}\n"


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
