"""A version of a workflow file reaches the runs it holds for, whenever it arrives, and no others are made anew."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.sources.github.workflow_syntax import read_workflow
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.conftest import publish_landing, rows
from tests.github_server import GitHub

MORNING = datetime(2026, 3, 2, 10, tzinfo=UTC)
PATH = ".github/workflows/ci.yml"
JOBS = "jobs:\n  test: {}\n  other: {}\n  ship:\n    needs: "
RUN_HOURS = (0, 3, 5)  # before the first version is seen, while it holds, and while the second does
VERSIONS = {2: JOBS + "test\n", 4: JOBS + "[]\n"}
EXPECTED = {
    1: [("test", "needs"), ("ship", "needs")],
    2: [("test", "needs"), ("ship", "needs")],
    3: [("ship", "needs")],
}


def land_repository(home: Path) -> None:
    """Land a repository that was just read."""
    described = Record(1, 1, MORNING, as_text(GitHub().description()))
    write_batch(home, "github_repositories", [described])
    sync = {"repository": "acme/shop", "repository_id": 1, "state": "ok", "finished_at": "2026-03-02T18:00:00Z"}
    write_batch(home, "github_syncs", [Record(1, None, MORNING, as_text(sync))])


def land_runs(home: Path) -> None:
    """Land three runs in which `ship` was created a second after `other` had ended, and three after `test`."""
    github = GitHub()
    for number, hours in enumerate(RUN_HOURS, 1):
        start = MORNING + timedelta(hours=hours)
        run = github.add_run(number, written(start))
        jobs = list(jobs_of(github, run, start))
        write_batch(home, "github_runs", [Record(1, number, start, as_text(run))])
        write_batch(home, "github_jobs", [Record(1, one["id"], start, as_text(one)) for one in jobs])


def jobs_of(github: GitHub, run: dict[str, Any], start: datetime) -> Iterator[dict[str, Any]]:
    """Yield the jobs of a run as GitHub describes them."""
    moments = {"test": (2, 300), "other": (2, 302), "ship": (303, 600)}  # created, and ended
    for order, (name, seconds) in enumerate(moments.items()):
        created, ended = (written(start + timedelta(seconds=one)) for one in seconds)
        times = {"created_at": created, "started_at": created, "completed_at": ended}
        yield github.job(run, run["id"] * 100 + order, "success", name=name, **times)


def land_file(home: Path, hours: int) -> None:
    """Land the version of the file that is seen so many hours into the day."""
    not_before = None if hours == 2 else written(MORNING + timedelta(hours=2))
    version = {"path": PATH, "sha": f"v{hours}", "size": 9, "reader": "1", "not_before": not_before}
    payload = as_text({**version, **read_workflow(VERSIONS[hours])})
    write_batch(home, "github_workflow_files", [Record(1, None, MORNING + timedelta(hours=hours), payload)])


def written(moment: datetime) -> str:
    """Return a moment as GitHub writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def paths(home: Path) -> dict[int, list[tuple[str, str]]]:
    """Return the path of each run, as jobs and what told them."""
    found: dict[int, list[tuple[str, str]]] = {}
    for row in rows(home, "select * from marts.critical_path_jobs order by run_id, position"):
        found.setdefault(row["run_id"], []).append((row["job_base"], row["linked_by"]))
    return found


@pytest.mark.parametrize("order", [("runs", 2, 4), (2, "runs", 4), (4, "runs", 2)], ids=str)
def test_versions_come_in_any_order(order: Sequence[str | int], tmp_path: Path) -> None:
    """Published after each arrival or at the end, it is the same."""
    often, once = tmp_path / "often", tmp_path / "once"
    land_repository(often)
    for one in order:
        land_runs(often) if one == "runs" else land_file(often, int(one))
        publish_landing(often)
    shutil.copytree(often / "landing", once / "landing")
    publish_landing(once)
    assert paths(often) == paths(once) == EXPECTED


def test_a_new_version_leaves_older_runs_alone(tmp_path: Path) -> None:
    """The first touches all runs of its workflow, the next only those that were created since it was seen."""
    land_repository(tmp_path)
    land_runs(tmp_path)
    publish_landing(tmp_path)
    assert touched_by(tmp_path, 2) == {1, 2, 3}
    assert touched_by(tmp_path, 4) == {3}
    assert touched_by(tmp_path, 4) == set()


def touched_by(home: Path, hours: int) -> set[int]:
    """Land and load a version; return the runs that are to be made anew."""
    land_file(home, hours)
    with writing(home) as connection:
        connection.execute("delete from meta.touched_runs")
        load_landing(connection, home, load_models())
        return {run for (run,) in connection.execute("select run_id from meta.touched_runs").fetchall()}
