"""Snapshots: published copies of the store, and the readers that open them.

`snapshots/<sequence>.duckdb` are the copies, `snapshots/CURRENT` names the one to open. Both appear by a rename of a
file already on disk, so a reader sees the old snapshot or the new one and never a part.
"""

import fcntl
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from phoenix_metrics.errors import NoSnapshotError, WarehouseError
from phoenix_metrics.warehouse.counters import raise_counters
from phoenix_metrics.warehouse.landing import sync_folder, write_error

KEPT = 3
_FICLONE = 0x40049409  # Linux: let two files share their blocks until one of them changes, ioctl_ficlone(2)
_OPEN_ATTEMPTS = 5  # a reader that slept through three publications finds its file gone and looks again
_COMMENTS = """
    select table_name as name, comment
    from duckdb_tables()
    where schema_name = 'marts' and comment is not null
    union all
    select table_name || '.' || column_name, comment
    from duckdb_columns()
    where schema_name = 'marts' and comment is not null
"""


@dataclass(frozen=True)
class Snapshot:
    """A published copy: its sequence number, its file and when it was published (UTC)."""

    sequence: int
    path: Path
    published_at: datetime


def publish(connection: duckdb.DuckDBPyConnection, home: Path) -> Snapshot:
    """Copy the store aside, swap it in, and forget what was touched. Call as the writer, after the checks.

    Raises DiskFullError when the copy does not fit; readers then keep the snapshot they have.
    """
    folder = home / "snapshots"
    folder.mkdir(parents=True, exist_ok=True)
    for stray in folder.glob(".tmp-*"):
        stray.unlink()
    sequence = max([_sequence(path) for path in folder.glob("*.duckdb")], default=0) + 1
    now = datetime.now(UTC)
    raise_counters(connection, _published(folder), now)
    connection.execute(
        "create or replace table meta.publication as select ?::bigint as sequence, ?::timestamp as published_at",
        [sequence, now.replace(tzinfo=None)],
    )
    connection.execute("checkpoint store")
    target = folder / f"{sequence:08d}.duckdb"
    try:
        _copy_durably(home / "store.duckdb", target)
        _point_to(folder, target)
    except OSError as error:
        raise write_error(home, error) from error
    forget_touched(connection)
    for old in sorted(folder.glob("*.duckdb"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return Snapshot(sequence, target, now)


def forget_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Count everything that changed so far as known to the marts, since they are published."""
    for book in ("touched_runs", "touched_tables"):
        connection.execute(f"delete from meta.{book}")


def current_file(home: Path) -> Path:
    """Return the file of the current snapshot. Raises NoSnapshotError before the first publication."""
    folder = home / "snapshots"
    if not (name := _current_name(folder)):
        raise NoSnapshotError(f"{home}: nothing is published yet; run `phoenix sync` first")
    return folder / name


class SnapshotReader:
    """Reads whatever snapshot is current, reopening when a new one is published; safe to share between threads."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "snapshots"
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._snapshot: Snapshot | None = None

    def current(self) -> Snapshot:
        """Return the snapshot that queries now read. Raises NoSnapshotError before the first publication."""
        with self._lock:
            return self._open()[1]

    def version(self) -> str:
        """Return the name of the current snapshot's file, "" if there is none; cheap, for noticing a new one."""
        return _current_name(self._folder)

    def query(self, sql: str, parameters: Sequence[object] | dict[str, object] | None = None) -> pa.Table:
        """Run one query on the current snapshot. Raises NoSnapshotError, or duckdb.Error when the query is wrong."""
        with self._lock:
            cursor = self._open()[0].cursor()
        try:
            relation = cursor.sql(sql, params=parameters or [])
            return relation.to_arrow_table() if relation is not None else pa.table({})
        finally:
            cursor.close()

    def comments(self) -> dict[str, str]:
        """Return what `sql/` says of marts (`jobs`) and their columns (`jobs.queue_seconds`)."""
        return {row["name"]: row["comment"] for row in self.query(_COMMENTS).to_pylist()}

    def close(self) -> None:
        """Let go of the snapshot."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._snapshot = None, None

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, Snapshot]:
        for attempt in range(_OPEN_ATTEMPTS):
            name = current_file(self._folder.parent).name
            if self._connection is not None and self._snapshot is not None and self._snapshot.path.name == name:
                return self._connection, self._snapshot
            try:
                self._connection, self._snapshot = _connect(self._folder / name)
            except (duckdb.IOException, FileNotFoundError) as error:
                if attempt == _OPEN_ATTEMPTS - 1:
                    raise WarehouseError(
                        f"{self._folder / name}: cannot be opened: {str(error).splitlines()[0]}"
                    ) from error
        raise AssertionError("unreachable")


def _connect(path: Path) -> tuple[duckdb.DuckDBPyConnection, Snapshot]:
    connection = duckdb.connect(str(path), read_only=True)
    try:
        connection.execute("set timezone = 'UTC'")
        row = connection.execute("select sequence, published_at from meta.publication").fetchone()
    except BaseException:
        connection.close()
        raise
    sequence, published_at = row or (0, datetime.min)  # noqa: DTZ901
    return connection, Snapshot(sequence, path, published_at.replace(tzinfo=UTC))


def _current_name(folder: Path) -> str:
    try:
        return (folder / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _published(folder: Path) -> Path | None:
    name = _current_name(folder)
    return folder / name if name and (folder / name).is_file() else None


def _sequence(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0


def _copy_durably(source: Path, target: Path) -> None:
    temporary = target.with_name(f".tmp-{target.name}")
    try:
        if not _clone(source, temporary):
            shutil.copyfile(source, temporary)
        _fsync(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _clone(source: Path, target: Path) -> bool:
    """Make a copy that takes neither time nor space, where the file system can (XFS, Btrfs); tell whether it could."""
    with source.open("rb") as original, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy, _FICLONE, original.fileno())
        except OSError:
            return False
    return True


def _point_to(folder: Path, target: Path) -> None:
    temporary = folder / ".tmp-CURRENT"
    temporary.write_text(target.name + "\n", encoding="utf-8")
    _fsync(temporary)
    temporary.replace(folder / "CURRENT")
    sync_folder(folder)


def _fsync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
