"""The program that answers one query, started by `sandbox` in a process of its own; it imports nothing of ours.

It takes the request as JSON from standard input, gives up what it does not need, and writes a line of JSON, then the
answer as an Arrow stream. DuckDB's settings close files, network, extensions and settings, but a few functions of it
heed neither its memory limit nor an interruption, so the operating system's limits stand around all of it.
"""

import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

_BATCH_ROWS = 2048
_DESCRIPTORS = 32
_DEPTH = 200  # of expressions
_TEXT = 4000  # characters of what DuckDB says of an error
_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
# Arrow or Parquet cannot hold these, or not all of them, so their text stands in for them.
_TEXT_ONLY = re.compile(
    r"\b(INTERVAL|UNION|BIT|BIGNUM|VARIANT|GEOMETRY|TUPLE|AGGREGATE_STATE|TIME WITH TIME ZONE)\b|\bSTRUCT\b(?!\()"
)
_SETTINGS: dict[str, Any] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "threads": 1,
}


class RefusedError(Exception):
    """The query is not answered; its kind is one that `sandbox` has words for."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Result:
    """What an answer holds, and what is said of it."""

    header: dict[str, Any]
    schema: pa.Schema
    batches: list[pa.RecordBatch]


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin.buffer)
    _give_up_rights(request)
    result: Result | None = None
    try:
        result = _answer(request)
        header = result.header
    except RefusedError as error:
        header = {"refused": error.kind, "text": str(error)[:_TEXT]}
    except (duckdb.OutOfMemoryException, MemoryError):
        header = {"refused": "memory", "text": ""}
    except duckdb.InterruptException:
        header = {"refused": "time", "text": ""}
    except duckdb.Error as error:
        header = {"refused": "query", "text": str(error)[:_TEXT]}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
    if result:
        with pa.ipc.new_stream(sys.stdout.buffer, result.schema) as stream:
            for batch in result.batches:
                stream.write_batch(batch)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing is left to tidy up, and DuckDB takes its time to


def _give_up_rights(request: dict[str, Any]) -> None:
    """Set the limits that hold whatever DuckDB does; the alarm ends this process even when nobody waits for it."""
    signal.setitimer(signal.ITIMER_REAL, request["wall_seconds"])
    for limit, value in (
        (resource.RLIMIT_AS, request["process_mb"] << 20),
        (resource.RLIMIT_CPU, request["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _answer(request: dict[str, Any]) -> Result:
    connection, published_at = _open(request["path"], request["memory_mb"])
    timer = threading.Timer(request["seconds"], connection.interrupt)
    timer.daemon = True
    timer.start()
    began = time.monotonic()
    relation = _ask(connection, request["query"])
    names, types = list(relation.columns), [str(each) for each in relation.types]
    reader = _with_texts(relation, types).to_arrow_reader(_BATCH_ROWS)
    batches, cut_at = _first(reader, request["rows"], request["megabytes"] << 20)
    header = {
        "names": names,
        "types": types,
        "cut_at": cut_at,
        "seconds": time.monotonic() - began,
        "published_at": published_at,
    }
    return Result(header, reader.schema, batches)


def _open(path: str, memory_mb: int) -> tuple[duckdb.DuckDBPyConnection, str]:
    try:
        connection = duckdb.connect(path, read_only=True, config={**_SETTINGS, "memory_limit": f"{memory_mb}MB"})
    except duckdb.IOException as error:
        raise RefusedError("gone", str(error)) from error
    row = connection.execute("select published_at from meta.publication").fetchone()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"set max_expression_depth = {_DEPTH}")
    connection.execute("set lock_configuration = true")
    return connection, row[0].isoformat() if row else ""


def _ask(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    """Return the relation that a query means. Raises RefusedError unless it is one statement of a kind that reads.

    The kind is asked for the sake of clear words; what keeps the snapshot as it is, is that it is open read-only.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise RefusedError("statements", str(len(statements)))
    if statements[0].type not in _QUESTIONS:
        raise RefusedError("kind", statements[0].type.name)
    try:
        return connection.sql(query)
    except (duckdb.CatalogException, duckdb.BinderException):
        connection.execute(statements[0])  # fails likewise, but says in which line
        raise


def _with_texts(relation: duckdb.DuckDBPyRelation, types: list[str]) -> duckdb.DuckDBPyRelation:
    """Return the columns as they are, then all of them as DuckDB writes them: exact, and the same for every reader."""
    columns = [f"#{number}" for number, _ in enumerate(types, start=1)]
    texts = [f"cast({column} as varchar)" for column in columns]
    values = [
        text if _TEXT_ONLY.search(type_) else column for column, text, type_ in zip(columns, texts, types, strict=True)
    ]
    return relation.project(", ".join(values + texts))


def _first(reader: pa.RecordBatchReader, rows: int, size: int) -> tuple[list[pa.RecordBatch], str | None]:
    """Return what fits of a result, and which limit cut it."""
    taken = []
    for batch in _batches(reader):
        kept = batch.slice(0, rows)
        cut_at = "rows" if kept.num_rows < batch.num_rows else None
        while kept.num_rows and kept.nbytes > size:
            kept, cut_at = kept.slice(0, kept.num_rows // 2), "size"
        rows, size = rows - kept.num_rows, size - kept.nbytes
        taken.append(kept)
        if cut_at:
            return taken, cut_at
    return taken, None


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except OSError as error:  # how Arrow passes on what DuckDB says of a row further down
        kind = {"INTERRUPT": "time", "Out": "memory"}.get(str(error).split()[0], "query")
        raise RefusedError(kind, str(error)) from error


if __name__ == "__main__":
    main()
