"""Figures: what one snapshot says, read whole once and then served from memory."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.warehouse.snapshot import Snapshot, SnapshotReader

HOLD = timedelta(minutes=2)  # four scrapes at the usual 30 s see the zeros of a new workflow

Row = Mapping[str, Any]

_COMMENTS = """
    select table_name as name, comment
    from duckdb_tables()
    where schema_name = 'marts' and comment is not null
    union all
    select table_name || '.' || column_name, comment
    from duckdb_columns()
    where schema_name = 'marts' and comment is not null
"""
_FIRST_SEEN = """
    select repository, workflow, epoch(min(first_seen_at)) as first_seen
    from marts.workflows
    where first_seen_at is not null
    group by repository, workflow
"""
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

    def newcomers(self, now: datetime) -> frozenset[tuple[str, str]]:
        """Return the workflows, by repository and name, that were first known less than two minutes ago.

        They show zeros for that long: `increase()` sees a failure only in a series it has seen before. That depends on
        the snapshot and the time alone, so a restart changes nothing.
        """
        moment, hold = now.timestamp(), HOLD.total_seconds()
        return frozenset(
            (row["repository"], row["workflow"])
            for row in self.rows[_FIRST_SEEN]
            if abs(moment - row["first_seen"]) < hold  # a writer's clock may be ahead of ours
        )


@dataclass(frozen=True)
class View:
    """What is served at a moment: the last good figures, whether they are the newest, and who is held at zero."""

    figures: Figures | None = None
    is_readable: bool = False
    newcomers: frozenset[tuple[str, str]] = frozenset()


class Follower:
    """Follows the published snapshots: notices a new one, reads it, and keeps the last good one if that fails."""

    def __init__(self, reader: SnapshotReader, queries: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._queries = (_FIRST_SEEN, *queries)
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
        newcomers = figures.newcomers(self._clock()) if figures else frozenset()
        self.view = View(figures, is_readable, newcomers)
        return self.view

    def _read(self) -> Figures:
        """Read everything from one snapshot, again if another one was published meanwhile."""
        while True:
            started = time.perf_counter()
            snapshot = self._reader.current()
            rows = {query: self._reader.query(query).to_pylist() for query in self._queries}
            comments = {row["name"]: row["comment"] for row in self._reader.query(_COMMENTS).to_pylist()}
            if self._reader.current() == snapshot:
                return Figures(snapshot, rows, comments, time.perf_counter() - started)

    def _warn(self, trouble: str) -> None:
        """Say once, not at every scrape, what is wrong with the snapshot."""
        if trouble != self._trouble:
            log.warning("%s", trouble.partition("\n")[0])
        self._trouble = trouble
