"""Questions from strangers to the snapshot: each is answered by a process of its own that can do nothing else.

The process (`confined`) has the snapshot open read-only, no environment, and limits on time, memory and files that the
operating system keeps; when it takes too long it is killed. So a link that carries a query may be opened without
looking: the worst that it can do is to be refused. What a query can find out beside the tables are DuckDB's own
settings and the path of the snapshot.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from phoenix_metrics.errors import QueryError, WarehouseError
from phoenix_metrics.warehouse.refusals import refusal
from phoenix_metrics.warehouse.snapshot import current_file

LONGEST_QUERY = 100_000  # characters
_PROGRAM = Path(__file__).with_name("confined.py")
# Nothing of ours, and what keeps the libraries from reserving memory for threads that they will not have.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
_OPEN_ATTEMPTS = 3  # a snapshot can be replaced and removed between its name and its opening
_GRACE_SECONDS = 1.0  # the process ends itself first


@dataclass(frozen=True)
class Limits:
    """What one query may take, and how many run at once."""

    seconds: float = 5  # until it is interrupted
    cpu_seconds: int = 7  # until the operating system ends it, for what heeds no interruption
    wall_seconds: float = 9  # until it is killed, its start included
    memory_mb: int = 256  # of DuckDB
    process_mb: int = 1024  # of the whole process, its libraries included
    rows: int = 100_000  # of an answer
    megabytes: int = 32  # of an answer
    readers: int = 2
    patience_seconds: float = 15  # until a reader who waits for others is sent away


@dataclass(frozen=True)
class Answer:
    """The rows of a query, as values and as the text that DuckDB writes for each value; NULL is null in both.

    Types that Parquet cannot hold, such as INTERVAL, are text among the values, too.
    """

    values: pa.Table
    texts: pa.Table
    types: dict[str, str]
    cut_at: Literal["rows", "size"] | None
    seconds: float
    published_at: datetime


class Sandbox:
    """Answers queries on the current snapshot, a few at once; safe to share between threads."""

    def __init__(self, home: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._home = home
        self._places = threading.BoundedSemaphore(self.limits.readers)

    def answer(self, query: str) -> Answer:
        """Return the answer to one query, or its first rows.

        Raises NoSnapshotError before the first publication, and QueryError when the query is wrong, asks for what is
        not allowed or takes too much, or when too many readers ask at once.
        """
        if len(query) > LONGEST_QUERY:
            raise QueryError(f"A query may have {LONGEST_QUERY:,} characters; this one has {len(query):,}.")
        with self._place():
            header, rows = self._run_on_current(query)
        if "refused" in header:
            raise refusal(header["refused"], header["text"], query, seconds=self.limits.seconds)
        return _answer(header, rows)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self.limits.patience_seconds):
            raise refusal("busy", "", "", seconds=self.limits.seconds)
        try:
            yield
        finally:
            self._places.release()

    def _run_on_current(self, query: str) -> tuple[dict[str, Any], bytes]:
        for _ in range(_OPEN_ATTEMPTS):
            snapshot = current_file(self._home)
            header, rows = self._run(snapshot, query)
            if header.get("refused") != "gone":
                return header, rows
        raise WarehouseError(f"{snapshot}: cannot be opened: {header['text'].splitlines()[0]}")

    def _run(self, snapshot: Path, query: str) -> tuple[dict[str, Any], bytes]:
        request = json.dumps({"query": query, "path": str(snapshot.resolve()), **asdict(self.limits)}).encode()
        with subprocess.Popen(  # noqa: S603  # our own program, and no shell
            [sys.executable, "-I", "-B", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        ) as process:
            try:
                output, complaint = process.communicate(request, timeout=self.limits.wall_seconds + _GRACE_SECONDS)
            except BaseException as error:
                process.kill()
                if isinstance(error, subprocess.TimeoutExpired):
                    return {"refused": "time", "text": ""}, b""
                raise
        return _parts(process.returncode, output, complaint)


def _parts(status: int, output: bytes, complaint: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what the process said of its answer, and the answer; a process that was ended took too much."""
    if status < 0:
        return {"refused": "ended", "text": ""}, b""
    if status:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise WarehouseError(f"the process that answers queries failed: {last or f'exit code {status}'}")
    header, _, rows = output.partition(b"\n")
    return json.loads(header), rows


def _answer(header: dict[str, Any], rows: bytes) -> Answer:
    table = pa.ipc.open_stream(rows).read_all()
    names = _distinct(header["names"])
    columns = table.columns
    return Answer(
        values=pa.table(columns[: len(names)], names=names),
        texts=pa.table(columns[len(names) :], names=names),
        types=dict(zip(names, header["types"], strict=True)),
        cut_at=header["cut_at"],
        seconds=header["seconds"],
        published_at=datetime.fromisoformat(header["published_at"]).replace(tzinfo=UTC),
    )


def _distinct(names: list[str]) -> list[str]:
    """Return the names of columns, numbered where several are alike; DuckDB takes letters of any case for the same."""
    taken = {name.lower() for name in names}
    found: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        distinct = name if name.lower() not in found else next(each for each in numbered if each.lower() not in taken)
        taken.add(distinct.lower())
        found[distinct.lower()] = distinct
    return list(found.values())
