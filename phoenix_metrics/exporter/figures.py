"""Figures: what one snapshot says, read whole once and then served from memory."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.exporter.subjects import SUBJECTS, Subject
from phoenix_metrics.warehouse.snapshot import Snapshot, SnapshotReader

HOLD = timedelta(minutes=2)  # four scrapes at the usual 30 s see the zeros of a newcomer

Row = Mapping[str, Any]

_UNREADABLE = (PhoenixError, duckdb.Error, OSError, UnicodeDecodeError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Figures:
    """One snapshot: the rows that each query returned, the comments beside the marts, and how long reading took.

    `folded` are the things that share the series called other, by the values of the labels that name them.
    """

    snapshot: Snapshot
    rows: Mapping[str, Sequence[Row]]
    folded: Mapping[Subject, frozenset[tuple[str, ...]]]
    comments: Mapping[str, str]
    read_seconds: float

    def help(self, *names: str) -> str:
        """Return what `sql/` says about tables (`workflow_windows`) and columns (`workflow_windows.run_count`)."""
        return " ".join(self.comments[name] for name in names if name in self.comments)

    def newcomers(self, now: datetime) -> frozenset[datetime]:
        """Return the publications (UTC, naive) of the last two minutes with which something was counted first.

        What came with them shows zeros for that long: `increase()` sees a failure only in a series it has seen before.
        That depends on the snapshot and the time alone, so a restart changes nothing.
        """
        moments = {row.get("counted_since") for rows in self.rows.values() for row in rows}
        naive = now.replace(tzinfo=None)  # and a writer's clock may be ahead of ours
        return frozenset(moment for moment in moments if moment is not None and abs(naive - moment) < HOLD)


@dataclass(frozen=True)
class View:
    """What is served at a moment: the last good figures, whether they are the newest, and who is held at zero."""

    figures: Figures | None = None
    is_readable: bool = False
    newcomers: frozenset[datetime] = frozenset()


class Follower:
    """Follows the published snapshots: notices a new one, reads it, and keeps the last good one if that fails."""

    def __init__(
        self, reader: SnapshotReader, queries: Sequence[str], limit: int, clock: Callable[[], datetime]
    ) -> None:
        self._reader = reader
        self._queries = queries
        self._limit = limit
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
        self.view = View(figures, is_readable, figures.newcomers(self._clock()) if figures else frozenset())
        return self.view

    def _read(self) -> Figures:
        """Read everything from one snapshot, again if another one was published meanwhile."""
        while True:
            started = time.perf_counter()
            snapshot = self._reader.current()
            rows = {query: self._reader.query(query).to_pylist() for query in self._queries}
            folded = {subject: self._folded(subject) for subject in SUBJECTS}
            comments = self._reader.comments()
            if self._reader.current() == snapshot:
                return Figures(snapshot, rows, folded, comments, time.perf_counter() - started)

    def _folded(self, subject: Subject) -> frozenset[tuple[str, ...]]:
        rows = self._reader.query(f"{subject.query} offset {self._limit}").to_pylist()
        return frozenset(tuple(row[label] for label in subject.labels) for row in rows)

    def _warn(self, trouble: str) -> None:
        """Say once, not at every scrape, what is wrong with the snapshot."""
        if trouble != self._trouble:
            log.warning("%s", trouble.partition("\n")[0])
        self._trouble = trouble
