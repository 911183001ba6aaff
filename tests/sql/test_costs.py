"""What jobs cost and waste: for any history, in any order of its files, and for every price and label there is."""

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from tests.sql.conftest import OpenStore
from tests.sql.cost_stories import Run, costs, said, stories
from tests.sql.test_properties import in_order, load, rows_of, split

MODELS = load_models()
SUMMED = ("run_attempts", "workflow_runs", "workflow_daily", "job_daily", "costs_daily")
COMPARED = ("wasted_jobs", "jobs", *SUMMED, "usage_daily")
SUMS = ("sum(cost_usd)", "sum(waste_usd)", "sum(unpriced_count)", "sum(billed_minutes)")


def _needed(tables: set[str]) -> Iterator[str]:
    """Yield tables and the marts that they are built from."""
    for table in tables:
        yield table
        yield from _needed({one for one in MODELS[table].upstream if one.startswith("marts.")})


NEEDED = {*_needed({f"marts.{table}" for table in COMPARED})}


@given(story=stories(), chance=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_costs_and_waste_are_true_in_any_order(open_store: OpenStore, story: list[Run], chance: random.Random) -> None:
    """However late a newer run is read, every job has the cost and waste that plain Python finds; all sums agree.

    A full rebuild changes nothing.
    """
    readings = said(story)
    chance.shuffle(readings)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in split(readings, chance):
            load(connection, Path(folder), part)
            _build(connection)
            connection.execute("delete from meta.touched_days")  # as publishing does
        grown = {table: rows_of(connection, f"marts.{table}") for table in COMPARED}
        expected = costs(story)
        assert rows_of(connection, "marts.jobs", list(expected[0])) == in_order(tuple(row.values()) for row in expected)
        _check_sums(connection)
        connection.execute("delete from meta.models where model like 'marts.%'")
        _build(connection)
        assert grown == {table: rows_of(connection, f"marts.{table}") for table in COMPARED}


def _build(connection: duckdb.DuckDBPyConnection) -> None:
    for table in (table for table in MODELS if table in NEEDED):
        build_mart(connection, MODELS[table], MODELS)


def _check_sums(connection: duckdb.DuckDBPyConnection) -> None:
    wasted = "sum(case when waste_class is null then 0 * cost_usd else cost_usd end)"
    by_job = ("sum(cost_usd)", wasted, "count(*) filter (where cost_usd is null)", "sum(billed_minutes)")
    [total] = rows_of(connection, "marts.jobs", by_job)
    summed = {table: rows_of(connection, f"marts.{table}", SUMS) for table in SUMMED}
    assert summed == {table: [total] for table in SUMMED}
    used = ("sum(cost_usd)", "sum(unpriced_count)", "sum(billed_minutes)")
    assert rows_of(connection, "marts.usage_daily", used) == [(total[0], *total[2:])]
