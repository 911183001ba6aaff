"""Why recorded jobs and runs failed: what can be counted without our SQL is counted so, and must be the same."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.landed import RECORDINGS, build, land_aoe, land_onnx, land_ozone
from tests.sql.conftest import OpenStore, empty_store, open_store

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")
LIMITS = (15, 20, 30, 40, 45, 50, 60, 90, 100, 120, 150, 180, 240, 300, 360)

__all__ = ["empty_store", "open_store"]  # fixtures

Counted = Callable[[Callable[..., None], str], Counter[Any]]


@pytest.fixture
def counted(open_store: OpenStore, tmp_path: Path) -> Counted:
    """Count rows of a recording by what a query selects."""

    def count(land: Callable[..., None], query: str, *conclusions: str) -> Counter[Any]:
        land(tmp_path, *conclusions)
        with open_store(tmp_path) as connection:
            build(connection, tmp_path, ["marts.run_failures"])
            return Counter(connection.execute(query).fetchall())

    return count


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(RECORDINGS / "apache_ozone" / f"{name}.jsonl.gz", "rt") as file:
        yield from map(json.loads, file)


def table(*path: str) -> Iterator[dict[str, str]]:
    with gzip.open(RECORDINGS.joinpath(*path), "rt", newline="") as file:
        yield from csv.DictReader(file)


def seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_ozone(counted: Counted) -> None:
    """118 cancelled jobs were ended by time-outs, at the limits that their workflow had; 25 never had a runner."""
    runs = {run["id"] for run in lines("runs")}
    jobs = [job for job in lines("jobs") if job["run_id"] in runs]
    cancelled = [seconds(job["started_at"], job["completed_at"]) for job in jobs if job["conclusion"] == "cancelled"]
    at_limits = Counter(limit for limit in LIMITS for span in cancelled if 0 <= span - limit * 60 <= 60)
    assert at_limits == {150: 70, 120: 15, 60: 15, 40: 6, 50: 5, 100: 3, 30: 2, 90: 1, 360: 1}
    never_ran = sum(job["conclusion"] == "failure" and job["started_at"] == job["completed_at"] for job in jobs)
    query = "select outcome, failure_class, case when outcome = 'cancelled' then rule end from marts.job_failures"
    found = counted(land_ozone, query, "failure", "cancelled")
    shown = {rule: count for (outcome, _, rule), count in found.items() if outcome == "cancelled"}
    assert shown == {f"limit_{limit}_minutes": count for limit, count in at_limits.items()}
    assert {name for outcome, name, _ in found if outcome == "cancelled"} == {"timeout"}
    assert found["failure", "no_runner", None] == never_ran == 25
    failed = {name: count for (outcome, name, _), count in found.items() if outcome == "failure"}
    assert sum(failed.values()) == sum(job["conclusion"] == "failure" for job in jobs)
    assert "unclassified" not in failed


def test_onnx(counted: Counted) -> None:
    """All its cancelled jobs were of cancelled runs: no time-outs, though many ended near 10 or 15 minutes."""
    failed = Counter(row["conclusion"] for row in table("onnx_build_durations", "jobs.csv.gz"))["failure"]
    found = counted(land_onnx, "select outcome, failure_class from marts.job_failures", "failure", "cancelled")
    assert {outcome for outcome, _ in found} == {"failure"}
    assert found.total() == failed == 1_067
    assert found["failure", "unclassified"] == 35


def test_aoe(counted: Counted) -> None:
    """256 attempts waited a day for a runner, 197 of them called cancelled; 14 never started."""
    attempts = list(table("aoe_e2e", "runs.csv.gz"))
    waited = Counter(
        row["conclusion"] for row in attempts if 86_400 <= seconds(row["started_at"], row["completed_at"]) <= 86_460
    )
    found = counted(land_aoe, "select conclusion, failure_class from marts.run_failures")
    shown = {conclusion: count for (conclusion, name), count in found.items() if name == "queue_limit"}
    assert shown == waited == {"cancelled": 197, "failure": 59}
    assert found["startup_failure", "startup_failure"] == 14
    assert found["failure", "unclassified"] == Counter(row["conclusion"] for row in attempts)["failure"] - 59


def test_the_recordings_agree_with_what_was_written_about_them() -> None:
    """Nine jobs of Ozone ran into the limit of six hours; eight of them are of runs that were not recorded."""
    runs = {run["id"] for run in lines("runs")}
    at_six_hours = [
        job["run_id"] in runs
        for job in lines("jobs")
        if job["conclusion"] == "cancelled" and 0 <= seconds(job["started_at"], job["completed_at"]) - 21_600 <= 60
    ]
    assert Counter(at_six_hours) == {False: 8, True: 1}
