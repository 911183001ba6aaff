"""The sandbox: any question is answered exactly, and no query reads, changes or takes what it must not."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from phoenix_metrics.errors import NoSnapshotError, QueryError, WarehouseError
from phoenix_metrics.warehouse import sandbox as module
from phoenix_metrics.warehouse.sandbox import LONGEST_QUERY, Limits, Sandbox
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.attacks import BOMBS, CHANGES, DEEP, OUTSIDE, SETTINGS
from tests.warehouse.test_snapshot import put

PATIENT = Limits(seconds=30, cpu_seconds=40, wall_seconds=60, patience_seconds=60)
HURRIED = Limits(seconds=1, cpu_seconds=4, wall_seconds=10)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose snapshot holds one row."""
    path = tmp_path_factory.mktemp("sandbox")
    put(path, 1)
    return path


@pytest.fixture
def sandbox(home: Path) -> Sandbox:
    """Return a sandbox that waits long, however busy the machine is."""
    return Sandbox(home, PATIENT)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Return a folder with a secret and another database in it, and a port; nobody may touch any of them."""
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield {"file": secret, "folder": tmp_path, "port": listener.getsockname()[1]}
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.duckdb", "secret.csv"]


def digests(home: Path) -> dict[str, str]:
    """Return what every file below a home holds."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in home.rglob("*") if path.is_file()}


def children(process_id: int) -> list[int]:
    """Return the processes that a process has started and not yet seen the end of."""
    found = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_question_is_answered_from_the_current_snapshot(tmp_path: Path) -> None:
    """Without a snapshot the command to run is named; then each publication answers the next question."""
    sandbox = Sandbox(tmp_path, PATIENT)
    with pytest.raises(NoSnapshotError, match="phoenix sync"):
        sandbox.answer("from marts.a")
    for value in (1, 2):
        put(tmp_path, value)
        answer = sandbox.answer("from marts.a")
        assert answer.values.to_pylist() == [{"n": value}]
        assert answer.published_at == SnapshotReader(tmp_path).current().published_at


@pytest.mark.parametrize(
    "query",
    [
        "select n from marts.a",
        "from marts.a",
        "values (1), (2)",
        "with x as (select 1 as n) select * from x -- and a comment;",
        "describe marts.a",
        "show all tables",
        "summarize marts.a",
        "explain select * from marts.a",
        "pivot marts.a on n in (1, 2) using count(*)",
        "select * from range(100000) t(i) order by hash(i)",
        "select 1 where false",
    ],
)
def test_every_kind_of_question_is_answered_as_duckdb_answers_it(sandbox: Sandbox, home: Path, query: str) -> None:
    """Whatever reads is answered with the rows, in the order and with the columns that DuckDB has for it."""
    answer = sandbox.answer(query)
    truth = SnapshotReader(home).query(query)
    assert list(zip(*answer.values.to_pydict().values(), strict=True)) == [
        tuple(column[row].as_py() for column in truth.columns) for row in range(truth.num_rows)
    ]
    assert answer.values.column_names == truth.column_names
    assert answer.cut_at is None


def test_values_of_every_type_are_exact(sandbox: Sandbox, tmp_path: Path) -> None:
    """The text of each value of each type is DuckDB's own, and a Parquet file of the values gives back the same."""
    query = "from test_all_types()"
    answer = sandbox.answer(query)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    columns = [f'"{name}"' for name in answer.types]
    as_text = ", ".join(f"cast({column} as varchar) as {column}" for column in columns)
    truth = connection.sql(f"select {as_text} from ({query})").fetchall()
    assert [tuple(row.values()) for row in answer.texts.to_pylist()] == truth
    assert len(truth) == 3
    pq.write_table(answer.values, tmp_path / "all.parquet")
    kept = [column for column in columns if "hugeint" not in column]  # Parquet's numbers have 38 digits, not 39
    as_text = ", ".join(f"cast({column} as varchar)" for column in kept)
    again, before = (
        connection.sql(f"select {as_text} from {source}") for source in (f"'{tmp_path}/all.parquet'", f"({query})")
    )
    rows = zip(before.fetchall(), again.fetchall(), strict=True)
    assert {
        name for old, new in rows for name, *pair in zip(kept, old, new, strict=True) if pair[0] != pair[1]
    } == set()


def test_sums_of_whole_numbers_are_exact(sandbox: Sandbox, tmp_path: Path) -> None:
    """What DuckDB adds up beyond 64 bits keeps every digit, in the answer and in Parquet."""
    answer = sandbox.answer("select sum(9223372036854775807::bigint) as total from range(1000)")
    assert answer.texts["total"].to_pylist() == [str(9223372036854775807 * 1000)]
    pq.write_table(answer.values, tmp_path / "sum.parquet")
    assert pq.read_table(tmp_path / "sum.parquet")["total"].to_pylist() == [Decimal(9223372036854775807 * 1000)]


def test_columns_of_one_name_are_told_apart(sandbox: Sandbox) -> None:
    """Each column keeps its values under a name of its own, in any case of letters."""
    answer = sandbox.answer("select 1 as n, 2 as n, 3 as N, 4 as n_2, 5 as n")
    assert answer.values.to_pylist() == [{"n": 1, "n_3": 2, "N_4": 3, "n_2": 4, "n_5": 5}]


def test_what_is_easily_blurred_is_kept_apart(sandbox: Sandbox) -> None:
    """NULL, NaN, an empty text and the text NULL differ; decimals keep their digits; moments with a zone are UTC."""
    answer = sandbox.answer(
        "select * from (values (null, null::double, null::decimal(38, 10), null::timestamptz), "
        "('NULL', 'nan', 0.1, '2026-03-01 12:00+02'), ('', 0.1, 12345678901234567890.0000000001, '2026-03-01 12:00Z')) "
        "as t(word, number, amount, moment)"
    )
    assert answer.texts.to_pylist() == [
        {"word": None, "number": None, "amount": None, "moment": None},
        {"word": "NULL", "number": "nan", "amount": "0.1000000000", "moment": "2026-03-01 10:00:00+00"},
        {"word": "", "number": "0.1", "amount": "12345678901234567890.0000000001", "moment": "2026-03-01 12:00:00+00"},
    ]
    assert answer.values["amount"].to_pylist()[1:] == [
        Decimal("0.1000000000"),
        Decimal("12345678901234567890.0000000001"),
    ]
    assert answer.values["moment"].to_pylist()[1].utcoffset() == timedelta(0)


def test_a_long_answer_is_cut_and_says_so(home: Path) -> None:
    """As many rows as the limit are whole; one more is cut; so is what is too large, however few rows it has."""
    sandbox = Sandbox(home, replace(PATIENT, rows=5000, megabytes=1))
    whole = sandbox.answer("from range(5000)")
    assert (whole.values.num_rows, whole.cut_at) == (5000, None)
    cut = sandbox.answer("from range(5001)")
    assert (cut.values["range"].to_pylist(), cut.cut_at) == (list(range(5000)), "rows")
    large = sandbox.answer("select repeat('x', 1000) as x from range(4000)")
    assert large.cut_at == "size"
    assert 400 <= large.values.num_rows <= 524
    assert set(large.values["x"].to_pylist()) == {"x" * 1000}
    assert sandbox.answer("select repeat('x', 1000000) as x").values.num_rows == 0
    assert sandbox.answer("from range(1000000000000)").values.num_rows == 5000


@pytest.mark.parametrize("query", OUTSIDE)
def test_nothing_outside_the_snapshot_is_reached(sandbox: Sandbox, scene: dict[str, object], query: str) -> None:
    """Files, folders, databases, addresses, extensions, variables and the environment stay out of reach."""
    with pytest.raises(QueryError) as refused:
        sandbox.answer(query.format(**scene))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("query", [*CHANGES, *SETTINGS])
def test_nothing_is_changed(home: Path, sandbox: Sandbox, scene: dict[str, object], query: str) -> None:
    """The snapshot, the settings and what the next query meets stay as they are."""
    before = digests(home)
    with pytest.raises(QueryError):
        sandbox.answer(query.format(**scene))
    assert digests(home) == before
    assert sandbox.answer("from marts.a").values.to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("query", BOMBS)
def test_what_takes_too_much_is_stopped(home: Path, query: str) -> None:
    """Time and memory have an end, also where DuckDB heeds neither its limits nor an interruption; no process stays."""
    with pytest.raises(QueryError, match=r"^Stopped"):
        Sandbox(home, HURRIED).answer(query)
    assert children(os.getpid()) == []


@pytest.mark.parametrize("query", [*DEEP, "select '" + "x" * LONGEST_QUERY + "'"], ids=lambda query: query[:20])
def test_what_is_nested_too_deeply_is_refused(home: Path, query: str) -> None:
    """A query that is made to exhaust the parser is refused, and the next one is answered."""
    sandbox = Sandbox(home, PATIENT)
    with pytest.raises(QueryError):
        sandbox.answer(query)
    assert sandbox.answer("from marts.a").values.num_rows == 1


def test_what_duckdb_tells_of_itself_is_the_path_of_the_snapshot(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings and databases name no other path, nothing of our environment, and no secret."""
    monkeypatch.setenv("PHOENIX_GITHUB_TOKEN", "ghp_hunter2")
    told = "\n".join(
        str(sandbox.answer(query).texts.to_pylist())
        for query in ("from duckdb_settings()", "from duckdb_databases()", "from duckdb_logs")
    )
    assert "hunter2" not in told
    snapshot = str(SnapshotReader(home).current().path.resolve())
    assert snapshot in told
    assert str(home) not in told.replace(snapshot, "")
    assert str(Path.home()) + "/" not in told.replace(snapshot, "")


def test_the_limits_cannot_be_lifted(sandbox: Sandbox) -> None:
    """What a query sees of its settings is what the sandbox has set."""
    answer = sandbox.answer(
        "select name, value from duckdb_settings() where name in "
        "('enable_external_access', 'lock_configuration', 'memory_limit', 'threads', 'temp_directory', 'TimeZone')"
    )
    assert {row["name"]: row["value"] for row in answer.texts.to_pylist()} == {
        "enable_external_access": "false",
        "lock_configuration": "true",
        "memory_limit": "244.1 MiB",
        "threads": "1",
        "temp_directory": "",
        "TimeZone": "UTC",
    }


@pytest.mark.parametrize(
    ("query", "words", "excerpt"),
    [
        ("select n\nform marts.a", 'Line 2: syntax error at or near "marts"', "form marts.a\n     ^^^^^"),
        ("select\n  m\nfrom marts.a", 'Line 2: Referenced column "m" not found', "  m\n  ^"),
        ("select *\nfrom a", 'Line 2: Table with name a does not exist! Did you mean "marts.a"?', "from a\n     ^"),
        ("select\n  'x'::int", "Line 2: Could not convert string 'x' to INT32", "  'x'::int\n     ^^^^^"),
        ("select 'x'::int\n, 1", "Line 1: Could not convert string 'x' to INT32", "select 'x'::int\n          ^^^^^"),
        ("", "Nothing to run", None),
        ("select 1; select 2", "One query at a time: these are 2", None),
        ("drop table marts.a", "Only a query that reads can run here .*, and this is DROP", None),
        ("with x as (delete from marts.a returning *) from x", "The snapshot is only read here", None),
        ("from read_text('/etc/hosts')", "Queries here read the snapshot's tables and nothing else", None),
        ("select error('out of luck')", "out of luck", None),
    ],
)
def test_errors_say_what_is_wrong_and_where(sandbox: Sandbox, query: str, words: str, excerpt: str | None) -> None:
    """A person is told the line, what is wrong with it, and what DuckDB thinks was meant."""
    with pytest.raises(QueryError, match="^" + words.replace("?", r"\?")) as refused:
        sandbox.answer(query)
    assert refused.value.excerpt == excerpt
    assert "\n" not in str(refused.value)


def test_an_error_far_down_the_rows_is_an_error(sandbox: Sandbox) -> None:
    """Rows before the one that fails are no answer."""
    with pytest.raises(QueryError, match="Could not convert string"):
        sandbox.answer("select (case when i = 90000 then 'x' else i::varchar end)::int from range(100000) t(i)")


def test_only_a_few_readers_are_served_at_once(home: Path) -> None:
    """Of many who ask together, no more than the limit have a process at any moment, and all are answered."""
    counting = CountingSandbox(home, replace(PATIENT, readers=2))
    counts: list[int] = []
    readers = [
        threading.Thread(target=lambda: counts.append(counting.answer("from marts.a").values.num_rows))
        for _ in range(6)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert (counts, counting.most) == ([1] * 6, 2)


class CountingSandbox(Sandbox):
    """A sandbox that knows how many of its processes there were at once."""

    running = most = 0
    lock = threading.Lock()

    def _run(self, snapshot: Path, query: str) -> tuple[dict[str, object], bytes]:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            return super()._run(snapshot, query)
        finally:
            with self.lock:
                self.running -= 1


def ask_in_vain(sandbox: Sandbox) -> None:
    with pytest.raises(QueryError, match=r"^Stopped"):
        sandbox.answer(BOMBS[0])


def test_a_reader_who_would_wait_too_long_is_told_so(home: Path) -> None:
    """While the one place is taken, the next reader is asked to come back, and is served once it is free."""
    sandbox = Sandbox(home, replace(PATIENT, seconds=3, readers=1, patience_seconds=0.1))
    busy = threading.Thread(target=ask_in_vain, args=(sandbox,))
    busy.start()
    wait_for(lambda: children(os.getpid()))
    with pytest.raises(QueryError, match="Other readers' queries are still running"):
        sandbox.answer("select 1")
    busy.join()
    assert sandbox.answer("select 1").values.num_rows == 1


def test_a_process_that_heeds_nothing_is_killed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process does not end itself in time, it is killed and seen off."""
    (tmp_path / "deaf.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(module, "_PROGRAM", tmp_path / "deaf.py")
    with pytest.raises(QueryError, match=r"^Stopped"):
        Sandbox(home, replace(HURRIED, wall_seconds=0.5)).answer("select 1")
    assert children(os.getpid()) == []


def test_a_process_that_breaks_is_no_answer(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of our own is told as one, with its last words."""
    (tmp_path / "broken.py").write_text("import sys\nsys.exit('no module named duckdb')\n")
    monkeypatch.setattr(module, "_PROGRAM", tmp_path / "broken.py")
    with pytest.raises(WarehouseError, match="the process that answers queries failed: no module named duckdb"):
        Sandbox(home, PATIENT).answer("select 1")


def test_a_query_does_not_outlive_who_asked(home: Path) -> None:
    """Where the dashboard is killed, the process of a query ends by itself."""
    program = (
        "import sys; from pathlib import Path; from phoenix_metrics.warehouse.sandbox import Limits, Sandbox; "
        f"Sandbox(Path(sys.argv[1]), Limits(seconds=60, wall_seconds=4)).answer({BOMBS[0]!r})"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(home)]) as asker:
        wait_for(lambda: children(asker.pid))
        (process,) = children(asker.pid)
        asker.send_signal(signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{process}").exists())


def test_a_snapshot_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """A pointer to a file that does not exist is told with its path."""
    put(tmp_path, 1)
    (tmp_path / "snapshots" / "CURRENT").write_text("00000009.duckdb\n")
    with pytest.raises(WarehouseError, match=r"00000009.duckdb: cannot be opened"):
        Sandbox(tmp_path, PATIENT).answer("select 1")


def test_the_clock_of_a_query_is_utc(sandbox: Sandbox) -> None:
    """Moments are written in UTC, also where the machine is elsewhere."""
    text = sandbox.answer("select now() as at").texts["at"][0].as_py()
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=2)
    assert text.endswith("+00")
