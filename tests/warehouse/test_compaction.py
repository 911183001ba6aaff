"""Compaction: the same rows in fewer files, whatever interrupts it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse import compaction
from phoenix_metrics.warehouse.compaction import Compacted, compact_landing
from phoenix_metrics.warehouse.landing import Record, list_files, write_batch
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.conftest import MODELS

NOW = datetime.now(UTC)
DAYS_END = NOW.date() + timedelta(days=2)  # today counts as over; of midnight it may be either side
LATER = timedelta(hours=2)
STAGING = [model for model in MODELS.values() if model.schema == "staging"]


def run(number: int, status: str = "completed") -> Record:
    """A run as fetched some seconds after the one before."""
    payload = {
        "id": number,
        "run_attempt": 1,
        "workflow_id": 3,
        "status": status,
        "conclusion": "success" if status == "completed" else None,
        "created_at": "2026-03-02T10:00:00Z",
        "updated_at": "2026-03-02T10:10:00Z",
    }
    return Record(7, number, NOW + timedelta(seconds=number), json.dumps(payload))


def fill(home: Path, count: int = 12) -> None:
    """Land runs in small files, every third of them twice, and load them."""
    for number in range(count):
        write_batch(home, "github_runs", [run(number, "queued"), run(number)])
        if number % 3 == 0:
            write_batch(home, "github_runs", [run(number)])
    write_batch(home, "github_visits", [Record(7, None, NOW, json.dumps(_visit()))])
    load(home)


def _visit() -> dict[str, object]:
    return {"loop": "releases", "subject": "acme/shop", "state": "ok", "finished_at": NOW.isoformat()}


def load(home: Path) -> None:
    with writing(home) as connection:
        load_landing(connection, home, MODELS)


def tables(home: Path) -> dict[str, list[str]]:
    """Every row of every staging table."""
    with writing(home) as connection:
        return {m.table: sorted(map(str, connection.execute(f"from {m.table}").fetchall())) for m in STAGING}


def archived(home: Path) -> set[str]:
    """Every distinct row of the archive."""
    rows = (row for file in list_files(home) for row in pq.read_table(home / "landing" / file).to_pylist())
    return {str(row) for row in rows}


def compact(home: Path, before: date = DAYS_END, now: datetime = NOW) -> Compacted:
    with writing(home) as connection:
        return compact_landing(connection, home, before, now)


def rebuild(home: Path) -> None:
    """Load the whole archive anew, as after a change of the models."""
    with writing(home) as connection:
        connection.execute("delete from staging.landing_files")
        for model in STAGING:
            connection.execute(f"delete from {model.table}")
        load_landing(connection, home, MODELS)


def test_many_files_become_one_and_nothing_changes(tmp_path: Path) -> None:
    """Sixteen files of a day become one; tables and archive hold the same rows, also after a rebuild from it."""
    fill(tmp_path)
    before, rows = tables(tmp_path), archived(tmp_path)
    assert compact(tmp_path) == Compacted(16, 1, 0)
    assert archived(tmp_path) == rows
    assert compact(tmp_path, now=NOW + LATER) == Compacted(0, 0, 16)
    assert len(list_files(tmp_path)) == 2
    assert archived(tmp_path) == rows
    load(tmp_path)
    assert tables(tmp_path) == before
    rebuild(tmp_path)
    assert tables(tmp_path) == before


def test_replaced_files_stay_for_those_who_listed_them(tmp_path: Path) -> None:
    """A reader that began before finds every file it knows of, for an hour."""
    fill(tmp_path)
    listed = list_files(tmp_path)
    compact(tmp_path)
    compact(tmp_path, now=NOW + timedelta(minutes=59))
    read = {str(row) for file in listed for row in pq.read_table(tmp_path / "landing" / file).to_pylist()}
    assert read == archived(tmp_path)


def test_open_days_and_files_not_loaded_are_left_alone(tmp_path: Path) -> None:
    """Today's files may still be joined by others; a file nobody has loaded is nobody's to replace."""
    fill(tmp_path)
    assert compact(tmp_path, before=NOW.date()) == Compacted()
    write_batch(tmp_path, "github_runs", [run(99)])
    compact(tmp_path)
    load(tmp_path)
    with writing(tmp_path) as connection:
        assert connection.execute("select count(*) from staging.github_run_attempts").fetchone() == (13,)


def test_a_rebuild_while_replaced_files_still_stand_changes_nothing(tmp_path: Path) -> None:
    """Both are read; merging knows each row once."""
    fill(tmp_path)
    before = tables(tmp_path)
    compact(tmp_path)
    rebuild(tmp_path)
    assert tables(tmp_path) == before
    compact(tmp_path, now=NOW + LATER)
    compact(tmp_path, now=NOW + 2 * LATER)
    assert len(list_files(tmp_path)) == 2
    rebuild(tmp_path)
    assert tables(tmp_path) == before


def test_what_is_not_whole_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that loses what was written is noticed before anything is booked."""
    fill(tmp_path)
    files = list_files(tmp_path)

    def damage(path: Path) -> None:
        duckdb.execute(f"copy (from read_parquet('{path}') limit 3) to '{path}.x' (format parquet)")
        Path(f"{path}.x").replace(path)

    monkeypatch.setattr(compaction, "sync_file", damage)
    with pytest.raises(Exception, match="not what was read"):
        compact(tmp_path)
    assert list_files(tmp_path) == files


CHILD = """
import os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import phoenix_metrics.warehouse.compaction as compaction
from phoenix_metrics.warehouse.store import writing
home, point, hours = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
steps = 0
def trace(frame, event, argument):
    global steps
    if frame.f_code.co_filename == compaction.__file__:
        steps += 1
        if steps == point:
            os.kill(os.getpid(), 9)
    return trace
now = datetime.now(UTC) + timedelta(hours=hours)
with writing(home) as connection:
    sys.settrace(trace)
    compaction.compact_landing(connection, home, now.date() + timedelta(days=1), now)
"""


def kill_at(home: Path, point: int, hours: float) -> bool:
    """Compact in a process that is killed at its n-th step; returns whether it came to that."""
    command = [sys.executable, "-c", CHILD, str(home), str(point), str(hours)]
    return subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())}).returncode < 0


def test_a_kill_at_any_step_loses_nothing(tmp_path: Path) -> None:
    """Killed at every few steps, of the exchange and of the deletion; what comes after tidies up."""
    fill(tmp_path, 4)
    before, rows = tables(tmp_path), archived(tmp_path)
    kills = 0
    for point in range(3, 120, 9):
        kills += kill_at(tmp_path, point, hours=2 * point)
        assert archived(tmp_path) == rows, point
        load(tmp_path)
    assert kills >= 5
    far = NOW + timedelta(days=30)
    compact(tmp_path, now=far, before=far.date())
    compact(tmp_path, now=far + LATER, before=far.date())
    assert len(list_files(tmp_path)) == 2
    assert archived(tmp_path) == rows
    rebuild(tmp_path)
    assert tables(tmp_path) == before


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=8))
def test_any_files_keep_their_distinct_rows(batches: Sequence[Sequence[int]]) -> None:
    """Whatever the files hold, and however often the same."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for numbers in batches:
            write_batch(home, "github_runs", [run(number) for number in numbers])
        load(home)
        rows = archived(home)
        compact(home)
        compact(home, now=NOW + LATER)
        assert archived(home) == rows
        assert len(list_files(home)) == 1
