"""What jobs cost and waste: for any history, in any order of its files, and for every price and label there is."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import forget_touched
from tests.sql.conftest import OpenStore
from tests.sql.cost_stories import START, Job, Run, costs, said, stories
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
            forget_touched(connection)
        grown = {table: rows_of(connection, f"marts.{table}") for table in COMPARED}
        expected = costs(story)
        assert rows_of(connection, "marts.jobs", list(expected[0])) == in_order(tuple(row.values()) for row in expected)
        _check_sums(connection)
        connection.execute("delete from meta.models where model like 'marts.%'")
        _build(connection)
        assert grown == {table: rows_of(connection, f"marts.{table}") for table in COMPARED}


def test_a_push_that_is_read_late_changes_the_day_before(open_store: OpenStore, tmp_path: Path) -> None:
    """What cancelled a job shows on its own day, though the newer run is of the next day and is read later.

    When GitHub forgets the newer run's branch, nothing shows it any more.
    """
    before, after = START, START + timedelta(minutes=15)
    job = Job(110, "build", "ubuntu-latest", "cancelled", before, after + timedelta(seconds=3))
    older = Run(1, 7, "push", "topic", before, ((before, (job,)),), "cancelled")
    newer = Run(2, 7, "push", "topic", after, ((after, ()),))
    forgotten = replace(newer, branch=None)
    shown = []
    with open_store(tmp_path) as connection:
        for story in ([older], [newer], [forgotten]):
            load(connection, tmp_path, said(story, days=1 + len(shown)))
            _build(connection)
            shown += rows_of(connection, "marts.jobs", ["day", "waste_class"])
            forget_touched(connection)
    assert shown == [(before.date(), "cancelled"), (before.date(), "superseded"), (before.date(), "cancelled")]


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


# GitHub's price list by hand: USD for a minute until the end of 2025, and from 2026 on, of each label that asks for it.
LISTED = {
    "linux_slim": ("0.002", "0.002", ["ubuntu-slim"]),
    "linux": ("0.008", "0.006", ["ubuntu-latest", "ubuntu-22.04", "Ubuntu-24.04"]),
    "linux_arm": ("0.005", "0.005", ["ubuntu-24.04-arm"]),
    "windows": ("0.016", "0.010", ["windows-latest", "windows-2022", "windows-2025-vs2026"]),
    "windows_arm": ("0.010", "0.008", ["windows-11-arm"]),
    "macos": ("0.080", "0.062", ["macos-latest", "macos-13", "macos-26", "macos-10.15", "macos-15-intel"]),
    "macos_l": ("0.120", "0.077", ["macos-latest-large", "macos-14-large"]),
    "macos_xl": ("0.160", "0.102", ["macos-latest-xlarge", "macos-15-xlarge"]),
    "linux_2_core_advanced": ("0.008", "0.006", ["ubuntu-22.04-2-cores"]),
    "linux_4_core": ("0.016", "0.012", ["ubuntu-latest-4-cores", "linux-4-core", "ubuntu-4cores"]),
    "linux_8_core": ("0.032", "0.022", ["ubuntu-24.04-8-cores"]),
    "linux_16_core": ("0.064", "0.042", ["ubuntu-latest-16-cores"]),
    "linux_32_core": ("0.128", "0.082", ["ubuntu-latest-32-cores"]),
    "linux_64_core": ("0.256", "0.162", ["ubuntu-latest-64-cores"]),
    "linux_96_core": ("0.384", "0.252", ["ubuntu-latest-96-cores"]),
    "linux_2_core_arm": ("0.005", "0.005", ["ubuntu-24.04-arm-2-cores"]),
    "linux_4_core_arm": ("0.010", "0.008", ["ubuntu-latest-4-cores-arm", "linux-arm64-4-core"]),
    "linux_8_core_arm": ("0.020", "0.014", ["ubuntu-latest-8-cores-arm64"]),
    "linux_16_core_arm": ("0.040", "0.026", ["ubuntu-latest-16-cores-arm"]),
    "linux_32_core_arm": ("0.080", "0.050", ["ubuntu-latest-32-cores-arm"]),
    "linux_64_core_arm": ("0.160", "0.098", ["ubuntu-latest-64-cores-arm"]),
    "linux_4_core_gpu": ("0.070", "0.052", ["ubuntu-latest-gpu-4-cores", "linux-4-core-gpu"]),
    "windows_4_core": ("0.032", "0.022", ["windows-latest-4-cores", "windows-2022-4-core"]),
    "windows_8_core": ("0.064", "0.042", ["windows-latest-8-cores"]),
    "windows_16_core": ("0.128", "0.082", ["windows-latest-16-cores"]),
    "windows_32_core": ("0.256", "0.162", ["windows-latest-32-cores"]),
    "windows_64_core": ("0.512", "0.322", ["windows-latest-64-cores"]),
    "windows_96_core": ("0.768", "0.552", ["windows-latest-96-cores"]),
    "windows_2_core_arm": ("0.010", "0.008", ["windows-11-2-cores-arm"]),
    "windows_4_core_arm": ("0.020", "0.014", ["windows-11-arm-4-cores"]),
    "windows_8_core_arm": ("0.040", "0.026", ["windows-11-arm-8-cores"]),
    "windows_16_core_arm": ("0.080", "0.050", ["windows-11-arm-16-cores"]),
    "windows_32_core_arm": ("0.160", "0.098", ["windows-11-arm-32-cores"]),
    "windows_64_core_arm": ("0.320", "0.194", ["windows-11-arm-64-cores"]),
    "windows_4_core_gpu": ("0.140", "0.102", ["windows-latest-4-cores-gpu"]),
    "self_hosted": ("0", "0", ["self-hosted", "Self-Hosted"]),
}
UNKNOWN = (
    "depot-ubuntu-22.04-8",
    "ubuntu-latest-m",
    "my-ubuntu-latest",
    "linux",
    "macos-build-box",
    "x-linux-4-core",
    "",
)


def test_every_sku_has_its_price_and_every_label_its_sku(open_store: OpenStore, tmp_path: Path) -> None:
    """The whole price list on the last day of the old prices and on the first of the new; other labels have none."""
    labels = [(label, sku) for sku, (_, _, labels) in LISTED.items() for label in labels]
    days = ("2025-12-31", "2026-01-01")
    with open_store(tmp_path) as connection:
        connection.execute("insert into staging.github_repositories (repository_id, repository) values (7, 'acme/app')")
        for run_id, day in enumerate(days, 1):
            connection.execute(
                "insert into staging.github_run_attempts (run_id, run_attempt, repository_id, day) values (?, 1, 7, ?)",
                [run_id, day],
            )
            for label in (*(label for label, _ in labels), *UNKNOWN):
                connection.execute(
                    "insert into staging.github_jobs (run_id, repository_id, label_set, started_at) "
                    "values (?, 7, ?, ?)",
                    [run_id, label.lower(), f"{day} 12:00:00"],
                )
        for name in ("runner_prices", "runner_skus"):
            build_mart(connection, MODELS[f"marts.{name}"], MODELS)
        listed = {
            (label.lower(), day, sku, Decimal(LISTED[sku][place]))
            for label, sku in labels
            for place, day in enumerate(days)
        }
        unknown = {(label, day, None, None) for label in UNKNOWN for day in days}
        query = "select label_set, strftime(day, '%Y-%m-%d'), runner_sku, usd_per_minute from marts.runner_skus"
        assert set(connection.execute(query).fetchall()) == listed | unknown
        book = connection.execute("select distinct sku from seeds.runner_prices").fetchall()
        assert {sku for (sku,) in book} == {*LISTED}
