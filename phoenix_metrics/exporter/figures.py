"""Figures: what one snapshot says, read whole once and then served from memory."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.exporter.newcomers import HOLD, FirstSeen
from phoenix_metrics.warehouse.snapshot import Snapshot, SnapshotReader

Row = Mapping[str, Any]
Newcomers = Mapping[FirstSeen, frozenset[tuple[str, ...]]]

_UNREADABLE = (PhoenixError, duckdb.Error, OSError, UnicodeDecodeError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Figures:
    """One snapshot: the rows that each query returned, the comments beside the marts, and how long reading took."""

    snapshot: Snapshot
    rows: Mapping[str, Sequence[Row]]
    comments: Mapping[str, str]
    read_seconds: float

    def help(self, *names: str) -> str:
        """Return what `sql/` says about tables (`workflow_windows`) and columns (`workflow_windows.run_count`)."""
        return " ".join(self.comments[name] for name in names if name in self.comments)

    def newcomers(self, first_seen: FirstSeen, now: datetime) -> frozenset[tuple[str, ...]]:
        """Return what was first known less than two minutes ago, by its labels.

        They show zeros for that long: `increase()` sees a failure only in a series it has seen before. That depends on
        the snapshot and the time alone, so a restart changes nothing.
        """
        moment, hold = now.timestamp(), HOLD.total_seconds()
        return frozenset(
            tuple(row[label] for label in first_seen.labels)
            for row in self.rows[first_seen.query]
            if abs(moment - row["first_seen"]) < hold  # a writer's clock may be ahead of ours
        )


@dataclass(frozen=True)
class View:
    """What is served at a moment: the last good figures, whether they are the newest, and who is held at zero."""

    figures: Figures | None = None
    is_readable: bool = False
    newcomers: Newcomers = field(default_factory=dict)


class Follower:
    """Follows the published snapshots: notices a new one, reads it, and keeps the last good one if that fails."""

    def __init__(
        self,
        reader: SnapshotReader,
        queries: Sequence[str],
        first_seen: Collection[FirstSeen],
        clock: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._queries = (*(first.query for first in first_seen), *queries)
        self._first_seen = first_seen
        self._clock = clock
        self._trouble = ""
        self.view = View()

    def refresh(self) -> View:
        """Look whether a new snapshot is there and return what to serve now."""
        figures, is_readable = self.view.figures, True
        try:
            if figures is None or figures.snapshot.path.name != self._reader.version():
                figures = self._read()
            self._trouble = ""
        except _UNREADABLE as error:
            is_readable = False
            self._warn(str(error))
        self.view = View(figures, is_readable, self._newcomers(figures) if figures else {})
        return self.view

    def _newcomers(self, figures: Figures) -> Newcomers:
        now = self._clock()
        return {first: figures.newcomers(first, now) for first in self._first_seen}

    def _read(self) -> Figures:
        """Read everything from one snapshot, again if another one was published meanwhile."""
        while True:
            started = time.perf_counter()
            snapshot = self._reader.current()
            rows = {query: self._reader.query(query).to_pylist() for query in self._queries}
            comments = self._reader.comments()
            if self._reader.current() == snapshot:
                return Figures(snapshot, rows, comments, time.perf_counter() - started)

    def _warn(self, trouble: str) -> None:
        """Say once, not at every scrape, what is wrong with the snapshot."""
        if trouble != self._trouble:
            log.warning("%s", trouble.partition("\n")[0])
        self._trouble = trouble
