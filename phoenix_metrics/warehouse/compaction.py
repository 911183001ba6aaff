"""Compaction: the many small landing files of a day that is over become one.

The archive stays what it was: the new file holds every row of the files it replaces, identical rows once, and stands
beside them before they go. A reader of the archive (a cluster, say) reads every row at least once at any moment; rows
that stand in two files are identical in all columns, so `distinct`, or merging by key, reads each once. Files that were
replaced are deleted an hour later, so that whoever listed them before still finds them.

Kills are harmless: at worst both the new file and the old ones stay, loading both changes nothing, and the next
compaction tidies up.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from phoenix_metrics.errors import WarehouseError
from phoenix_metrics.warehouse.landing import sync_file, sync_folder, write_error
from phoenix_metrics.warehouse.store import transaction

GRACE = timedelta(hours=1)
LARGEST_BYTES = 64 << 20  # of input, ten times that of JSON: a large organisation's day is still read in parts
SUFFIX = "-compacted.parquet"


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: files replaced, files written, and files of earlier compactions deleted."""

    replaced_count: int = 0
    written_count: int = 0
    deleted_count: int = 0


def compact_landing(
    connection: duckdb.DuckDBPyConnection, home: Path, before: date, now: datetime, grace: timedelta = GRACE
) -> Compacted:
    """Make one file of the loaded files of each source object and day before a date (UTC). Needs the writer's lock.

    Raises WarehouseError when the disk is full or what was written is not what was read; nothing is lost then.
    """
    deleted = _delete_superseded(connection, home, now - grace)
    replaced = written = 0
    for files in _groups(connection, home, before):
        if len(files) > 1:
            _compact(connection, home, files, now)
            replaced, written = replaced + len(files), written + 1
    return Compacted(replaced, written, deleted)


def _groups(connection: duckdb.DuckDBPyConnection, home: Path, before: date) -> Iterator[list[str]]:
    """Yield groups of files that can become one: same object, same day, all loaded, together not too large."""
    loaded = connection.execute(
        "select file from staging.landing_files where state = 'loaded' order by file"
    ).fetchall()
    by_folder: dict[str, list[str]] = defaultdict(list)
    for (file,) in loaded:
        folder = file.rpartition("/")[0]
        if folder.rpartition("/")[2] < before.isoformat() and (home / "landing" / file).exists():
            by_folder[folder].append(file)
    for files in by_folder.values():
        group: list[str] = []
        size = 0
        for file in files:
            added = (home / "landing" / file).stat().st_size
            if group and size + added > LARGEST_BYTES:
                yield group
                group, size = [], 0
            group.append(file)
            size += added
        yield group


def _compact(connection: duckdb.DuckDBPyConnection, home: Path, files: Sequence[str], now: datetime) -> None:
    """Write one file in place of some, see that it is whole, and book the exchange in one transaction."""
    folder = home / "landing" / files[0].rpartition("/")[0]
    stamp = files[-1].rpartition("/")[2].partition("-")[0]  # that of the newest file in it: it sorts where they did
    name = f"{stamp}-{secrets.token_hex(4)}{SUFFIX}"
    aside = folder / f".tmp-{name}"
    paths = [str(home / "landing" / file) for file in files]
    try:
        _write(connection, paths, aside)
        aside.replace(folder / name)
        sync_folder(folder)
    except (OSError, duckdb.IOException) as error:
        raise write_error(home, error) from error
    finally:
        aside.unlink(missing_ok=True)
    book = {"files": list(files), "file": f"{files[0].rpartition('/')[0]}/{name}", "now": _naive(now)}
    with transaction(connection):
        connection.execute(
            "update staging.landing_files set state = 'superseded', recorded_at = $now "
            "where list_contains($files, file)",
            {"files": book["files"], "now": book["now"]},
        )
        connection.execute(
            "insert into staging.landing_files values ($file, 'loaded', null, $now)",
            {"file": book["file"], "now": book["now"]},
        )


def _write(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], aside: Path) -> None:
    rows = f"(select distinct repository_id, object_id, fetched_at, payload from read_parquet({_list(paths)}))"
    connection.execute(
        f"copy (from {rows} order by repository_id, object_id, fetched_at, payload) to {_text(str(aside))} "
        "(format parquet, compression zstd)"
    )
    sync_file(aside)
    digest = "count(*), bit_xor(hash(repository_id, object_id, fetched_at, payload))"
    read = connection.execute(f"select {digest} from {rows}").fetchone()
    written = connection.execute(f"select {digest} from read_parquet({_text(str(aside))})").fetchone()
    if read != written:
        raise WarehouseError(f"{aside}: what was written is not what was read; the old files stay, check the disk")


def _delete_superseded(connection: duckdb.DuckDBPyConnection, home: Path, before: datetime) -> int:
    """Delete files that were replaced before a time, and then what the books say of them."""
    query = "select file from staging.landing_files where state = 'superseded' and recorded_at <= ?"
    files = [file for (file,) in connection.execute(query, [_naive(before)]).fetchall()]
    for file in files:
        (home / "landing" / file).unlink(missing_ok=True)
    if files:
        connection.execute("delete from staging.landing_files where list_contains($files, file)", {"files": files})
    return len(files)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _list(paths: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, paths)) + "]"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
