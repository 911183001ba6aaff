"""Test reports from an artifact to marts.test_results, through the loop that fetches them."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs.intake import connect
from phoenix_metrics.defs.reports import visit_reports
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.sources.github import artifacts
from phoenix_metrics.warehouse import landing
from tests.conftest import all_marts, publish_landing, rows, settings_for
from tests.github_server import Answer, GitHub
from tests.storage_server import Storage, serving
from tests.uploads import Uploads, report

OnePass = Callable[..., object]
DAYS = itertools.count(1)  # for each visit is due
RESULTS = "select run_id, run_attempt, job_id, test, outcome, is_flaky_in_report from marts.test_results order by all"


@pytest.fixture
def uploads(github: GitHub) -> Iterator[Uploads]:
    """A repository whose artifacts are stored on another host."""
    with serving(Storage()) as storage:
        yield Uploads(github, storage)


def visit(settings: Settings, days: int | None = None) -> list[tuple[str, str | None]]:
    """Visit every repository once, a day after the last time unless told when, and publish; return how that went."""
    later = timedelta(days=next(DAYS) if days is None else days)
    visits = visit_reports(settings, connect(settings).client_for, lambda: datetime.now(UTC) + later)
    publish_landing(settings.home)
    return [(done.state, done.note) for done in visits]


def results(settings: Settings) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows(settings.home, RESULTS)]


def test_results_belong_to_the_attempt_and_job_that_uploaded_them(
    uploads: Uploads, settings: Settings, one_pass: OnePass
) -> None:
    """A report of the first attempt and one of the re-run, whose attempt is told by the time of the upload."""
    uploads.github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    uploads.add(10, {"a.xml": report("a", "b!", "c?")}, created_at="2026-01-02T08:09:00Z")
    one_pass(settings)
    assert visit(settings) == [("ok", None)]
    first = [
        (1, 1, 100, "a", "success", False),
        (1, 1, 100, "b", "failure", False),
        (1, 1, 100, "c", "success", True),
    ]
    assert results(settings) == first
    uploads.github.rerun(1, "2026-01-03T08:00:00Z", "success")
    uploads.add(20, {"a.xml": report("b")}, created_at="2026-01-03T08:15:00Z")
    one_pass(settings)
    assert visit(settings) == [("ok", None)]
    assert results(settings) == [*first, (1, 2, 102, "b", "success", False)]
    assert uploads.downloads() == [10, 20]


def test_days_rebuilt_alone_are_what_a_full_build_gives(
    uploads: Uploads, settings: Settings, one_pass: OnePass, tmp_path: Path
) -> None:
    """Reports that arrive later, before their run or again change what they are about, and nothing else."""
    for day in range(1, 6):
        uploads.github.add_run(day, f"2026-01-{day:02d}T08:00:00Z")
        uploads.add(day, {"a.xml": report(f"t{day}", "u")}, run_id=day, created_at=f"2026-01-{day:02d}T08:05:00Z")
        one_pass(settings)
        visit(settings)
    uploads.add(9, {"a.xml": report("late!")}, run_id=6, created_at="2026-01-06T08:05:00Z")
    visit(settings)
    assert "late" not in {row[3] for row in results(settings)}
    uploads.github.add_run(6, "2026-01-06T08:00:00Z")
    one_pass(settings)
    assert (6, 1, 600, "late", "failure", False) in results(settings)
    other = settings_for(uploads.github, tmp_path / "other")
    other.home.mkdir()
    (other.home / "landing").symlink_to(settings.home / "landing")
    publish_landing(other.home)
    assert all_marts(other.home) == all_marts(settings.home)


def test_what_could_not_be_read_is_a_row_and_is_tried_again(
    uploads: Uploads, settings: Settings, one_pass: OnePass
) -> None:
    """A storage that fails costs one artifact an hour of delay, and no cursor."""
    uploads.github.add_run(1, "2026-01-02T08:00:00Z")
    uploads.add(1, {"a.xml": report("a")})
    uploads.add(2, {"a.xml": "<html/>", "b.txt": "x"})
    uploads.stored(1).faults = 3
    one_pass(settings)
    assert visit(settings) == [("ok", None)]
    query = "select artifact_id, report, state, error from marts.test_reports order by artifact_id"
    assert [tuple(row.values()) for row in rows(settings.home, query)] == [
        (1, None, "failed", "the storage answered 503"),
        (2, "a.xml", "not_junit", "not a JUnit report: its root is <html>"),
    ]
    visit(settings)
    assert [tuple(row.values()) for row in rows(settings.home, query)] == [
        (1, "a.xml", "parsed", None),
        (2, "a.xml", "not_junit", "not a JUnit report: its root is <html>"),
    ]
    assert uploads.downloads().count(2) == 1


def test_a_missing_permission_is_stated_and_stops_nothing(
    uploads: Uploads, settings: Settings, one_pass: OnePass
) -> None:
    """The visit says what it lacks; runs and jobs are published all the same."""
    uploads.github.add_run(1, "2026-01-02T08:00:00Z")
    uploads.github.extra = {
        "/repositories/1/actions/artifacts": Answer(
            403, {"message": "Resource not accessible"}, {"x-accepted-github-permissions": "actions=read"}
        )
    }
    one_pass(settings)
    [(state, note)] = visit(settings)
    assert (state, "actions=read" in (note or "")) == ("no_access", True)
    assert rows(settings.home, "select count(*) as n from marts.workflow_runs") == [{"n": 1}]


def test_a_kill_in_the_middle_loses_nothing(
    uploads: Uploads, settings: Settings, one_pass: OnePass, tmp_path: Path
) -> None:
    """Killed after part of a report was landed, the next visit gives what a calm one gives."""
    uploads.github.add_run(1, "2026-01-02T08:00:00Z")
    for artifact_id in (1, 2, 3):
        uploads.add(artifact_id, {"a.xml": report(*(f"t{artifact_id}-{number}" for number in range(3000)))})
    calm = settings_for(uploads.github, tmp_path / "calm")
    one_pass(calm)
    visit(calm)
    one_pass(settings)
    environ = {
        **os.environ,
        "PHOENIX_HOME": str(settings.home),
        "PHOENIX_GITHUB_API_URL": uploads.github.url,
        "PHOENIX_GITHUB_REPOSITORIES": uploads.github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
    }
    code = "from tests.defs.test_reports import die_in_the_middle; die_in_the_middle()"
    killed = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((settings.home / "landing" / "test_reports").rglob("*.parquet"))
    assert visit(settings) == [("ok", None)]
    assert all_marts(settings.home) == all_marts(calm.home)


def die_in_the_middle() -> None:
    """Visit with batches of a single row, and end like a power failure after five of them."""
    artifacts._BATCH_ITEMS = 1
    write, written = landing.write_batch, []

    def write_five(*arguments: Any) -> Path:
        if len(written) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(write(*arguments))
        return written[-1]

    landing.write_batch = write_five
    settings = load_settings(os.environ)
    visit_reports(settings, connect(settings).client_for)


def test_globs_choose_and_none_switches_it_off(
    uploads: Uploads, settings: Settings, one_pass: OnePass, tmp_path: Path
) -> None:
    """PHOENIX_GITHUB_REPORTS holds globs over artifact names; by default what is commonly used."""
    assert settings_for(uploads.github, tmp_path, PHOENIX_GITHUB_REPORTS="none").github_reports == ()
    chosen = settings_for(uploads.github, settings.home, PHOENIX_GITHUB_REPORTS="*-e2e, unit*")
    uploads.github.add_run(1, "2026-01-02T08:00:00Z")
    for number, name in enumerate(["shop-e2e", "Unit results", "junit"], 1):
        uploads.add(number, {"a.xml": report(name)}, name=name)
    one_pass(settings)
    visit(chosen)
    assert uploads.downloads() == [2, 1]


def test_a_visit_that_is_not_due_asks_nothing(uploads: Uploads, settings: Settings, one_pass: OnePass) -> None:
    """Reports are looked for once an hour, whatever the schedule of the runs."""
    uploads.github.add_run(1, "2026-01-02T08:00:00Z")
    one_pass(settings)
    assert len(visit(settings, days=0)) == 1
    before = len(uploads.github.requests)
    assert visit(settings, days=0) == []
    assert len(uploads.github.requests) == before
