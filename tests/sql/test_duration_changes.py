"""What got slower, from landing on: read in parts it is the same as read at once."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np

from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record
from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.snapshot import forget_touched
from tests.sql.conftest import OpenStore
from tests.sql.histories import START, text
from tests.sql.test_properties import MODELS, REPOSITORY, Reading, load, rows_of

COLUMNS = [
    "workflow_id",
    "job",
    "measure",
    "direction",
    "last_head_sha",
    "first_head_sha",
    "ratio",
    "p_value",
    "is_latest",
]


def _passed(at: datetime) -> Reading:
    return "github_syncs", Record(7, None, at, as_text({"repository": "acme/7", "finished_at": text(at)}))


PASS = _passed(START + timedelta(days=30))  # days after all runs


def test_a_day_counts_when_it_has_ended(open_store: OpenStore) -> None:
    """The third day after a change shows it once that day is over, though nothing else is read."""
    said = [reading for number in range(33) for reading in _execution(3, number)]
    evening = (START + timedelta(days=10)).replace(hour=23, minute=59)
    shown = []
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in ([REPOSITORY, *said, _passed(evening)], [_passed(evening + timedelta(minutes=2))]):
            _read(connection, Path(folder), part)
            shown.append(rows_of(connection, "marts.duration_changes", ["job", "first_head_sha"]))
    assert shown == [[], [("test", "3-24"), (None, "3-24")]]


def test_changes_read_in_parts_are_those_read_at_once(open_store: OpenStore) -> None:
    """Workflows that nothing touched keep their changes, those with new runs get the ones of their whole series."""
    said = [reading for workflow_id in (3, 4, 5) for number in range(48) for reading in _execution(workflow_id, number)]
    random.Random(1).shuffle(said)
    only_one = [reading for number in range(48, 60) for reading in _execution(4, number)]
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for part in ([REPOSITORY, PASS, *said[:150]], said[150:], only_one):
            _read(connection, Path(folder), part)
        grown = rows_of(connection, "marts.duration_changes")
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        _read(connection, Path(folder), [REPOSITORY, PASS, *said, *only_one])
        assert grown == rows_of(connection, "marts.duration_changes")
        seen = {row[:6] for row in rows_of(connection, "marts.duration_changes", COLUMNS)}
    slower = {(workflow, job) for workflow in (3, 4, 5) for job in (None, "test")}
    expected = {
        (float(workflow), job, "duration", "slower", f"{workflow}-23", f"{workflow}-24") for workflow, job in slower
    }
    assert seen == expected | {(4.0, job, "duration", "faster", "4-47", "4-48") for job in (None, "test")}


def _read(connection: duckdb.DuckDBPyConnection, home: Path, said: Sequence[Reading]) -> None:
    load(connection, home, said)
    for table in ("workflows", "jobs", "run_attempts", "duration_changes"):
        build_mart(connection, MODELS[f"marts.{table}"], MODELS)
    forget_touched(connection)


def _execution(workflow_id: int, number: int) -> list[Reading]:
    """Return a run of three a day and its job: of 300 s, from the 24th on of 600 s, from the 48th on of 300 s again."""
    run_id = workflow_id * 1_000 + number
    begun = START + timedelta(days=number // 3, seconds=1_200 * (number % 3))
    noise = float(np.random.default_rng(run_id).normal(0, 0.05))
    ended = begun + timedelta(seconds=round(300 * np.exp(noise)) * (2 if 24 <= number < 48 else 1))
    run = {
        "id": run_id,
        "run_attempt": 1,
        "workflow_id": workflow_id,
        "name": f"CI {workflow_id}",
        "path": f"{workflow_id}.yml",
        "event": "push",
        "head_branch": "main",
        "head_sha": f"{workflow_id}-{number}",
        "head_repository": {"id": 7},
        "status": "completed",
        "conclusion": "success",
        "created_at": text(begun),
        "run_started_at": text(begun),
        "updated_at": text(ended),
    }
    job = {
        "id": run_id,
        "run_id": run_id,
        "run_attempt": 1,
        "name": "test",
        "status": "completed",
        "conclusion": "success",
        "created_at": text(begun),
        "started_at": text(begun),
        "completed_at": text(ended),
        "runner_id": 5,
        "labels": ["ubuntu-latest"],
        "steps": [],
    }
    return [
        ("github_runs", Record(7, run_id, ended, as_text(run))),
        ("github_jobs", Record(7, run_id, ended, as_text(job))),
    ]
