"""Marts brought up to date side by side: the same rows as one after the other, and nothing half done when one fails."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from phoenix_metrics.demo.bulk.generator import generate
from phoenix_metrics.demo.bulk.plan import Plan, midnight
from phoenix_metrics.warehouse import refresh
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.refresh import refresh_marts
from phoenix_metrics.warehouse.snapshot import forget_touched
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

MODELS = load_models()
MARTS = [model for model in MODELS.values() if model.schema == "marts"]
JOBS = MODELS["marts.jobs"]
PLAN = Plan(600, midnight(datetime(2026, 11, 5, tzinfo=UTC)), repositories=4, days=9, with_steps=True, part_size=100)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a history of a few days as landing files."""
    folder = tmp_path_factory.mktemp("landed")
    for _ in generate(folder, PLAN, processes=1):
        pass
    return folder / "landing"


@pytest.mark.parametrize("at_once", [2, 5])
def test_side_by_side_is_one_after_the_other(
    landed: Path, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing and with what is new in each of three parts of a history, all marts hold the same rows."""
    monkeypatch.setattr(refresh, "AT_ONCE", at_once)
    beside, after = tmp_path / "beside", tmp_path / "after"
    for part in range(3):
        for home in (beside, after):
            take(landed, home, part)
        with loaded(beside) as connection:
            built = [one.model.table for one in refresh_marts(connection, MARTS, MODELS)]
            found = contents(connection)
            forget_touched(connection)
        with loaded(after) as connection:
            for model in MARTS:
                build_mart(connection, model, MODELS)
            assert found == contents(connection)
            forget_touched(connection)
        assert sorted(built) == sorted(model.table for model in MARTS)
        place = {table: built.index(table) for table in built}
        assert all(place[table] < place[model.table] for model in MARTS for table in model.upstream if table in place)
    assert found["marts.jobs"]
    assert found["marts.flaky_jobs"]


def test_each_mart_comes_with_its_rows_and_promises(landed: Path, tmp_path: Path) -> None:
    """What a mart breaks of its promises is told with it, and does not stop the others."""
    take(landed, tmp_path, 0)
    twice = replace(JOBS, query=f"select * from ({JOBS.query}) union all select * from ({JOBS.query})")
    with loaded(tmp_path) as connection:
        all_of(connection)
        connection.execute("delete from meta.models where model in ('marts.jobs', 'marts.repository_teams')")
        told = {
            one.model.name: one for one in refresh_marts(connection, [twice, MODELS["marts.repository_teams"]], MODELS)
        }
        rows = rows_of(connection, "marts.jobs")
    assert [finding.check.name for finding in told["jobs"].findings if not finding.holds] == ["grain_is_unique"]
    assert all(finding.holds for finding in told["repository_teams"].findings)
    assert told["jobs"].row_count == len(rows) > 0
    assert told["jobs"].seconds > 0


def test_what_fails_is_raised_and_repaired_by_the_next_pass(landed: Path, tmp_path: Path) -> None:
    """A mart that fails keeps the rows it had; the pass after it comes to what it would have come to."""
    take(landed, tmp_path, 0)
    with loaded(tmp_path) as connection:
        all_of(connection)
        before = rows_of(connection, "marts.jobs")
        forget_touched(connection)
    take(landed, tmp_path, 1)
    broken = replace(JOBS, query=JOBS.query.replace("from priced", "from priced where error('broken') is null"))
    with loaded(tmp_path) as connection:
        marts = [broken if model is JOBS else model for model in MARTS]
        with pytest.raises(duckdb.InvalidInputException, match="broken"):
            for _ in refresh_marts(connection, marts, {**MODELS, "marts.jobs": broken}):
                pass
        assert rows_of(connection, "marts.jobs") == before
    with loaded(tmp_path) as connection:
        all_of(connection)
        repaired = contents(connection)
        for model in MARTS:
            connection.execute("delete from meta.models where model = ?", [model.table])
        all_of(connection)
        assert repaired == contents(connection)
    assert len(repaired["marts.jobs"]) > len(before)


def test_whoever_stops_does_not_wait_for_what_runs(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that is broken off interrupts the marts under way, which keep their rows, and begins no other."""
    monkeypatch.setattr(refresh, "AT_ONCE", 2)
    take(landed, tmp_path, 0)
    first, last = MODELS["marts.repository_teams"], MODELS["marts.workflow_files"]
    forever = "(select sum(i % 7) from range(10000000000000) as numbers(i)) > 0"
    endless = [
        replace(one, query=f"select * from ({one.query}) where {forever}")
        for one in (JOBS, MODELS["marts.known_runners"])
    ]
    with loaded(tmp_path) as connection:
        all_of(connection)
        rows = contents(connection)
        connection.execute("delete from meta.models where model like 'marts.%'")
        passing = refresh_marts(connection, [first, *endless, last], MODELS)
        assert next(passing).model == first
        started = time.monotonic()
        passing.close()
        assert time.monotonic() - started < 60
        assert contents(connection) == rows
        assert connection.execute("select model from meta.models where model like 'marts.%'").fetchall() == [
            (first.table,)
        ]


def all_of(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring all marts up to date."""
    for _ in refresh_marts(connection, MARTS, MODELS):
        pass


def take(landed: Path, home: Path, part: int) -> None:
    """Let a home have two of the parts that were landed, of all that there is."""
    for folder in {file.parent for file in landed.rglob("*.parquet")}:
        files = sorted(folder.glob("*.parquet"))
        for file in files[2 * part : 2 * part + 2]:
            target = home / "landing" / file.relative_to(landed)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


@contextmanager
def loaded(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store of a home with what has landed."""
    with writing(home) as connection:
        load_seeds(connection)
        assert not load_landing(connection, home, MODELS).set_aside
        yield connection


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    """Return the rows of every mart."""
    return {model.table: rows_of(connection, model.table) for model in MARTS}


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    """Return the rows of a table in an order of their own, numbers to a billionth."""
    rows = connection.execute(f"from {table}").fetchall()
    return sorted(
        (tuple(round(value, 9) if isinstance(value, float) else value for value in row) for row in rows), key=repr
    )
