"""The store: the one DuckDB file that the one writer opens.

Besides the models' schemas it holds the writer's own books: `meta.models` (which text built which table),
`meta.touched_tables` (which had news or were built as a whole since the last publication), `meta.touched_runs` (runs
that changed since then, with what others can share), `meta.foreseen` (starts of schedules, worked out so far),
`meta.publication` and `staging.landing_files` (which landing files are loaded).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from phoenix_metrics.errors import WarehouseError, WriterBusyError
from phoenix_metrics.warehouse import functions
from phoenix_metrics.warehouse.landing import write_error

STORAGE_VERSION = "v1.5.0"  # both DuckDB 1.5 and 2.0 read it

_BOOKS = (
    "create schema if not exists staging",
    "create schema if not exists marts",
    "create schema if not exists counters",
    "create schema if not exists seeds",
    "create schema if not exists meta",
    "create table if not exists meta.models (model varchar, signature varchar)",
    "create table if not exists meta.touched_tables (name varchar)",
    "create table if not exists meta.touched_runs (run_id bigint, day date, head_sha varchar, workflow_id bigint)",
    "create table if not exists meta.foreseen "
    "(cron varchar, timezone varchar, starts timestamp[], foreseen_to timestamp)",
    "create table if not exists meta.publication (sequence bigint, published_at timestamp)",
    "create table if not exists staging.landing_files "
    "(file varchar, state varchar, note varchar, recorded_at timestamp)",
)


def store_path(home: Path) -> Path:
    """Return the store's file; only the writer may open it."""
    return home / "store.duckdb"


@contextmanager
def writing(home: Path, *, wait_seconds: float = 60) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store as its one writer, and close it whatever happens.

    Waits for another writer, then raises WriterBusyError. Raises WarehouseError when the file cannot be opened or
    written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _exclusive(home / "writer.lock", wait_seconds), _connected(store_path(home)) as connection:
            yield connection
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise write_error(home, error) from error
    except duckdb.FatalException as error:
        raise WarehouseError(f"{store_path(home)}: {str(error).splitlines()[0]}") from error


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what the block does, or nothing of it."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


@contextmanager
def cursor_of(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open another connection of the writer's to the same store, for a thread of its own, and close it."""
    with connection.cursor() as cursor:
        _settle(cursor)
        yield cursor


def existing_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the tables of the store, named with their schemas."""
    query = "select schema_name || '.' || table_name from duckdb_tables() where not internal"
    return {row[0] for row in connection.execute(query).fetchall()}


def scalar(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[object] | None = None) -> int:
    """Return the one number a query yields, 0 for NULL."""
    row = connection.execute(query, parameters or []).fetchone()
    return int(row[0] or 0) if row else 0


@contextmanager
def _connected(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    try:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach '{_quoted(path)}' as store (storage_version '{STORAGE_VERSION}')")
        connection.execute("attach ':memory:' as landing")
        connection.execute("attach ':memory:' as scratch")
        _settle(connection)
        functions.register(connection)
        for statement in _BOOKS:
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def _settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Settle what each connection must be told for itself."""
    connection.execute("set timezone = 'UTC'")
    connection.execute("use store")


@contextmanager
def _exclusive(lock: Path, wait_seconds: float) -> Iterator[None]:
    with lock.open("a+") as file:
        deadline = time.monotonic() + wait_seconds
        while not _locked(file.fileno()):
            if time.monotonic() > deadline:
                file.seek(0)
                raise WriterBusyError(
                    f"{lock.parent}: process {file.read().strip() or '?'} is writing to the store; "
                    "wait for it or stop it"
                )
            time.sleep(0.1)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield  # the lock ends with the file, also when the process is killed


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
