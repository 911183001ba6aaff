"""Landing files into staging: whole files or none, each once, unreadable ones set aside."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from phoenix_metrics.errors import DiskFullError, WarehouseError, WriterBusyError
from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def run(run_id: int, *, status: str = "completed", updated_at: str = "2026-01-05T10:00:00Z") -> str:
    conclusion = "success" if status == "completed" else None
    times = {"created_at": "2026-01-05T09:00:00Z", "run_started_at": "2026-01-05T09:00:00Z", "updated_at": updated_at}
    return json.dumps(
        {"id": run_id, "workflow_id": 1, "run_attempt": 1, "status": status, "conclusion": conclusion, **times}
    )


def land(home: Path, *payloads: str, fetched_at: datetime = NOW) -> Path:
    return write_batch(home, "github_runs", [Record(1, None, fetched_at, payload) for payload in payloads])


def load(home: Path) -> tuple[list[tuple[object, ...]], dict[str, str], int]:
    """Load what is pending; return the runs stored, the files set aside, and how many rows said something new."""
    with writing(home) as connection:
        loaded = load_landing(connection, home)
        runs = connection.execute("select run_id, status from staging.github_run_attempts order by run_id").fetchall()
    return runs, loaded.set_aside, loaded.changed_rows.get("staging.github_run_attempts", 0)


def test_a_file_is_loaded_once_and_replaying_it_changes_nothing(tmp_path: Path) -> None:
    """The record of loaded files and the rows are written together; a copy of a loaded file says nothing new."""
    file = land(tmp_path, run(1), run(2))
    assert load(tmp_path) == ([(1, "completed"), (2, "completed")], {}, 2)
    assert load(tmp_path)[2] == 0
    (file.with_name("0" + file.name)).write_bytes(file.read_bytes())
    assert load(tmp_path)[2] == 0


def test_the_newest_state_wins_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    """A late file with an older state does not overwrite a completed run."""
    land(tmp_path, run(1, updated_at="2026-01-05T10:00:00Z"))
    load(tmp_path)
    land(tmp_path, run(1, status="in_progress", updated_at="2026-01-05T09:30:00Z"))
    assert load(tmp_path)[0] == [(1, "completed")]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"not parquet"),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-20]),
        lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]),
    ],
)
def test_an_unreadable_file_is_set_aside_and_the_rest_goes_on(tmp_path: Path, damage: object) -> None:
    """Garbage, an empty file and two cut ones are moved away and reported; files around them are loaded."""
    land(tmp_path, run(1))
    broken = land(tmp_path, run(2))
    damage(broken)  # type: ignore[operator]
    land(tmp_path, run(3))
    runs, set_aside, _ = load(tmp_path)
    assert runs == [(1, "completed"), (3, "completed")]
    [name] = set_aside
    assert not broken.exists()
    assert (tmp_path / "landing-set-aside" / name).exists()
    with writing(tmp_path) as connection:
        book = connection.execute("select file, state from staging.landing_files where state <> 'loaded'").fetchall()
    assert book == [(name, "set_aside")]


def test_a_payload_that_is_no_json_sets_its_file_aside(tmp_path: Path) -> None:
    """A Parquet file that reads well but holds broken text is not half loaded."""
    land(tmp_path, run(1), '{"id": 2, "created_at": "2026-')
    land(tmp_path, run(3))
    runs, set_aside, _ = load(tmp_path)
    assert runs == [(3, "completed")]
    assert len(set_aside) == 1


def test_a_mended_file_moved_back_is_loaded(tmp_path: Path) -> None:
    """Setting aside is no verdict for ever."""
    broken = land(tmp_path, run(1))
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    load(tmp_path)
    broken.write_bytes(whole)
    assert load(tmp_path)[0] == [(1, "completed")]
    with writing(tmp_path) as connection:
        assert connection.execute("select state from staging.landing_files").fetchall() == [("loaded",)]


def test_a_store_that_was_lost_is_rebuilt_from_landing(tmp_path: Path) -> None:
    """Landing is the archive: without the store the same rows come back."""
    land(tmp_path, run(1), run(2, status="in_progress"))
    before = load(tmp_path)[0]
    (tmp_path / "store.duckdb").unlink()
    assert load(tmp_path)[0] == before


def test_half_written_files_are_never_listed(tmp_path: Path) -> None:
    """A file under its temporary name, as a kill leaves it, is not read."""
    land(tmp_path, run(1))
    folder = next((tmp_path / "landing" / "github_runs").iterdir())
    (folder / ".tmp-20260105T000000.000000Z-abcd.parquet").write_bytes(b"half")
    assert len(landing.list_files(tmp_path)) == 1


def test_a_second_writer_is_told_who_is_writing(tmp_path: Path) -> None:
    """The lock names the process that holds it, and ends with it."""
    with (
        writing(tmp_path),
        pytest.raises(WriterBusyError, match=r"process \d+ is writing"),
        writing(tmp_path, wait_seconds=0),
    ):
        pass
    with writing(tmp_path, wait_seconds=0):
        pass


def test_a_full_disk_and_a_folder_that_cannot_be_made_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the file system become one line that names PHOENIX_HOME."""
    assert isinstance(landing.write_error(tmp_path, OSError(28, "No space left on device")), DiskFullError)
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="cannot write"):
        land(tmp_path / "file" / "home", run(1))
