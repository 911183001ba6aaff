"""What holds for any history: the SQL says what the design says, whatever order the landing files come in."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.checks import check_rule, run_check
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.marts import PART_SIZE, build_mart, unpublished_query
from phoenix_metrics.warehouse.models import load_checks, load_models
from phoenix_metrics.warehouse.snapshot import forget_touched
from phoenix_metrics.warehouse.staging import load_landing
from tests.sql import truth
from tests.sql.conftest import OpenStore
from tests.sql.histories import START, Attempt, histories, readings, text

MODELS = load_models()
STAGING = [table for table, model in MODELS.items() if model.schema == "staging"]
MARTS = [table for table, model in MODELS.items() if model.schema == "marts"]
Reading = tuple[str, Record]

few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@given(history=histories(max_runs=8))
@few
def test_marts_say_what_the_design_says(open_store: OpenStore, history: list[Attempt]) -> None:
    """The marts agree with a second implementation of the definitions, written from the design in Python."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), readings(history))
        build(connection)
        for definition in (truth.jobs, truth.run_attempts, truth.workflow_runs, truth.workflow_daily):
            expected = definition(history)
            found = rows_of(connection, f"marts.{definition.__name__}", list(expected[0]) if expected else ["1"])
            assert found == in_order(tuple(row.values()) for row in expected)


@given(history=histories(), chance=st.randoms(use_true_random=False))
@settings(few, max_examples=6)
def test_rebuilding_what_was_touched_is_rebuilding_all(
    open_store: OpenStore, history: list[Attempt], chance: random.Random
) -> None:
    """Marts that were published and then brought up to date bit by bit equal those built from everything at once."""
    said = readings(history)
    parts = split(said, chance)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in parts:
            load(connection, Path(folder), part)
            build(connection)
            forget_touched(connection)
        grown = {table: rows_of(connection, table) for table in MARTS}
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), said)
        build(connection)
        assert grown == {table: rows_of(connection, table) for table in MARTS}


@given(history=histories())
@settings(few, max_examples=6)
def test_building_a_long_history_in_parts_is_building_it_at_once(open_store: OpenStore, history: list[Attempt]) -> None:
    """Some days, or workflows, after the other come to the same marts as all of them together."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), readings(history))
        build(connection)
        at_once = {table: rows_of(connection, table) for table in MARTS}
        connection.execute("delete from meta.models")
        build(connection, part_size=1)
        assert at_once == {table: rows_of(connection, table) for table in MARTS}


def test_a_part_of_a_long_history_holds_several_days(open_store: OpenStore, tmp_path: Path) -> None:
    """All runs of six days are there when three days are built at once."""
    said = [run(number, 3, "success", START + timedelta(days=number)) for number in range(2, 8)]
    with open_store(tmp_path) as connection:
        load(connection, tmp_path, [REPOSITORY, *said])
        build(connection, part_size=3)
        assert rows_of(connection, "marts.workflow_runs", ["run_id"]) == [(float(number),) for number in range(2, 8)]


@given(history=histories(), chance=st.randoms(use_true_random=False))
@few
def test_staging_knows_no_order_of_files(open_store: OpenStore, history: list[Attempt], chance: random.Random) -> None:
    """Landing files in any order, cut in any way and repeated at will come to the same staging tables."""
    said = readings(history)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in split(said + chance.choices(said, k=5), chance):
            load(connection, Path(folder), part)
        mixed = {table: rows_of(connection, table) for table in STAGING}
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), said)
        assert mixed == {table: rows_of(connection, table) for table in STAGING}


def test_a_new_namesake_renames_untouched_days(open_store: OpenStore, tmp_path: Path) -> None:
    """A workflow that takes another's title changes what that one is called on days nothing else touches."""
    second = run(2, 4, "success", START + timedelta(days=3))
    with open_store(tmp_path) as connection:
        for part in ([REPOSITORY, run(1, 3, "success", START)], [second]):
            load(connection, tmp_path, part)
            build(connection)
            forget_touched(connection)
        names = rows_of(connection, "marts.workflow_runs", ["workflow"])
        assert names == [("CI (3.yml)",), ("CI (4.yml)",)]


def test_a_first_reading_that_comes_late_touches_its_day(open_store: OpenStore, tmp_path: Path) -> None:
    """How a run was first seen settled reaches the marts, also when that is read after what came of it."""
    later, first = run(1, 3, "success", START + timedelta(hours=1)), run(1, 3, "cancelled", START)
    with open_store(tmp_path) as connection:
        for part in ([REPOSITORY, later], [first]):
            load(connection, tmp_path, part)
            build(connection)
            forget_touched(connection)
        assert rows_of(connection, "marts.run_attempts", ["settled_conclusion"]) == [("cancelled",)]


def test_rules_look_at_what_is_not_published_yet(open_store: OpenStore, tmp_path: Path) -> None:
    """At everything that was built as a whole, and else at the runs that changed."""
    rule = load_checks()["runs_are_their_latest_attempt"]
    found = []
    with open_store(tmp_path) as connection:
        load(connection, tmp_path, [REPOSITORY, run(2, 3, "failure", START), run(3, 3, "failure", START)])
        build(connection)
        connection.execute("update marts.workflow_runs set run_attempt = 9")
        found.append(run_check(connection, check_rule(rule, unpublished_query(connection, rule))).broken)
        forget_touched(connection)
        found.append(run_check(connection, check_rule(rule, unpublished_query(connection, rule))).broken)
        load(connection, tmp_path, [run(2, 3, "success", START + timedelta(hours=1))])
        found.append(run_check(connection, check_rule(rule, unpublished_query(connection, rule))).broken)
    assert found == [{rule.name: 2}, {}, {rule.name: 1}]


REPOSITORY = ("github_repositories", Record(7, 7, START, as_text({"full_name": "acme/app", "default_branch": "main"})))


def run(run_id: int, workflow_id: int, conclusion: str, read_at: datetime) -> Reading:
    """Return a run of a workflow titled CI, completed and read within its second."""
    payload = {
        "id": run_id,
        "workflow_id": workflow_id,
        "name": "CI",
        "path": f"{workflow_id}.yml",
        "status": "completed",
        "conclusion": conclusion,
        "created_at": text(START if run_id == 1 else read_at),
        "updated_at": text(read_at),
    }
    return "github_runs", Record(7, run_id, read_at, as_text(payload))


def split(said: Sequence[Reading], chance: random.Random) -> list[list[Reading]]:
    """Return a prefix of what was said, and the rest shuffled, in two parts."""
    at = chance.randint(0, len(said))
    rest = list(said[at:])
    chance.shuffle(rest)
    middle = chance.randint(0, len(rest))
    return [list(said[:at]), rest[:middle], rest[middle:]]


def load(connection: duckdb.DuckDBPyConnection, home: Path, said: Sequence[Reading]) -> None:
    """Land records, a file for each object, and merge them."""
    for source_object in sorted({name for name, _ in said}):
        write_batch(home, source_object, [record for name, record in said if name == source_object])
    assert not load_landing(connection, home, MODELS).set_aside


def build(connection: duckdb.DuckDBPyConnection, *, part_size: int = PART_SIZE) -> None:
    """Bring every mart up to date."""
    for table in MARTS:
        build_mart(connection, MODELS[table], MODELS, part_size=part_size)


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str] = ("*",)
) -> list[tuple[Any, ...]]:
    """Return a table's rows in an order of their own."""
    return in_order(connection.execute(f"select {', '.join(columns)} from {table}").fetchall())


def in_order(rows: Any) -> list[tuple[Any, ...]]:
    """Sort rows and round their numbers to a billionth."""
    rounded = [tuple(round(float(v), 9) if type(v) in (int, float) else v for v in row) for row in rows]
    return sorted(rounded, key=repr)
