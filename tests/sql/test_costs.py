"""What jobs cost and waste: for any history, in any order of its files, and for every price and label there is."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.conftest import OpenStore
from tests.sql.cost_stories import Run, costs, said, stories
from tests.sql.test_properties import build, in_order, load, rows_of, split

MARTS = ("wasted_jobs", "jobs", "run_attempts", "workflow_runs", "workflow_daily", "job_daily", "costs_daily", "usage_daily")
SUMS = ("jobs", "run_attempts", "workflow_runs", "workflow_daily", "job_daily", "repository_daily", "costs_daily")

few = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@given(story=stories())
@few
def test_costs_and_waste_are_what_the_definitions_say(open_store: OpenStore, story: list[Run]) -> None:
    """Every job has the cost and the class of waste that plain Python finds, and all tables add up to the same."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), said(story))
        build(connection)
        expected = costs(story)
        assert rows_of(connection, "marts.jobs", list(expected[0])) == in_order(tuple(row.values()) for row in expected)
        sums = ["sum(cost_usd)", "sum(waste_usd)", "sum(unpriced_count)", "sum(billed_minutes)"]
        wasted = "case when waste_class is null then 0 * cost_usd else cost_usd end"
        by_job = [f"sum(cost_usd), sum({wasted}), count(*) filter (where cost_usd is null), sum(billed_minutes)"]
        total = rows_of(connection, "marts.jobs", by_job)
        for table in SUMS[1:]:
            asked = sums if table != "repository_daily" else [*sums[:3], str(total[0][3] or "null")]
            assert rows_of(connection, f"marts.{table}", asked) == total, table
        used = ["sum(cost_usd)", "sum(unpriced_count)", "sum(billed_minutes)"]
        assert rows_of(connection, "marts.usage_daily", used) == [(total[0][0], *total[0][2:])]


@given(story=stories(), chance=st.randoms(use_true_random=False))
@few
def test_costs_know_no_order_of_batches(open_store: OpenStore, story: list[Run], chance: random.Random) -> None:
    """However late a newer run is read, on whatever day it is: the tables are those of a full rebuild."""
    readings = said(story)
    chance.shuffle(readings)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in split(readings, chance):
            load(connection, Path(folder), part)
            build(connection)
            connection.execute("delete from meta.touched_days")  # as publishing does
        grown = {table: rows_of(connection, f"marts.{table}") for table in MARTS}
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        load(connection, Path(folder), readings)
        build(connection)
        assert grown == {table: rows_of(connection, f"marts.{table}") for table in MARTS}
