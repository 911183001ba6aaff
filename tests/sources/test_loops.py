"""The loops that keep a history true: what reconcile finds gone, what settle reads late, what tiers leave alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.defs.polling import Pass
from phoenix_metrics.settings import Settings
from tests.conftest import rows, settings_for
from tests.github_server import GitHub

OnePass = Callable[..., list[Pass]]


def ago(span: timedelta) -> str:
    """A moment that long before now, as GitHub writes it."""
    return (datetime.now(UTC) - span).strftime("%Y-%m-%dT%H:%M:%SZ")


def deleted(settings: Settings) -> list[int]:
    """Runs shown as deleted at the source."""
    found = rows(settings.home, "select run_id from marts.workflow_runs where source_deleted_at is not null order by 1")
    return [row["run_id"] for row in found]


def test_a_run_deleted_at_the_source_is_marked_and_comes_back(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """An ended run is missed by the daily search, one that ran by the next pass; both stay, and can return."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    github.add_run(2, "2026-01-03T08:00:00Z", None)
    github.add_run(3, "2026-01-04T08:00:00Z")
    one_pass(settings)
    kept = {run_id: github.attempts.pop(run_id) for run_id in (1, 2)}
    one_pass(settings)
    assert deleted(settings) == [2]
    one_pass(settings, reconcile=True)
    assert deleted(settings) == [1, 2]
    [health] = rows(settings.home, "select run_count, open_count, deleted_count from marts.data_health")
    assert health == {"run_count": 3, "open_count": 0, "deleted_count": 2}
    github.requests.clear()
    one_pass(settings)
    assert github.counted("/runs/\\d+$") == 0  # what is gone is not asked for again and again
    github.attempts.update(kept)
    one_pass(settings, reconcile=True)
    assert deleted(settings) == []


def test_retention_that_removes_a_long_stretch_costs_a_few_requests(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """Of 300 runs not listed any more a few are asked for; all of them are marked, the others stay."""
    for run_id in range(1, 401):
        github.add_run(run_id, f"2026-01-{(run_id - 1) // 20 + 1:02d}T08:{run_id % 60:02d}:00Z")
    one_pass(settings)
    for run_id in range(1, 301):
        del github.attempts[run_id]
    github.requests.clear()
    one_pass(settings, reconcile=True)
    assert deleted(settings) == list(range(1, 301))
    assert github.counted("/runs/\\d+$") < 10


@pytest.mark.parametrize(("detail", "jobs"), [("full", 0), ("live", 1)])
def test_the_jobs_of_a_young_open_run_wait_until_it_ends(
    github: GitHub, one_pass: OnePass, tmp_path: Path, detail: str, jobs: int
) -> None:
    """By default a run costs one request when it has ended; with `live` its jobs are read while it runs, too."""
    settings = settings_for(github, tmp_path / "home", PHOENIX_GITHUB_DETAIL=detail)
    started = ago(timedelta(minutes=5))
    run = github.add_run(1, started, None, updated_at=started)
    one_pass(settings)
    assert github.counted("/jobs") == jobs
    run.update(status="completed", conclusion="success", updated_at=ago(timedelta(0)))
    github.jobs[1][0].update(status="completed", conclusion="success", completed_at=ago(timedelta(0)))
    one_pass(settings)
    one_pass(settings)
    assert github.counted("/jobs") == jobs + 1
    [found] = rows(settings.home, "select outcome, detail_source from marts.workflow_runs")
    assert found == {"outcome": "success", "detail_source": "rest"}


def test_the_jobs_of_a_long_open_run_are_read_before_it_ends(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A run open for over an hour shows its jobs; within the hour they are not asked for again."""
    github.add_run(1, ago(timedelta(hours=3)), None)
    one_pass(settings)
    one_pass(settings)
    assert github.counted("/jobs") == 1
    assert rows(settings.home, "select outcome from marts.jobs") == [{"outcome": "open"}]


def test_jobs_that_were_still_open_when_their_run_had_ended_are_read_again(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """GitHub's lists lag behind each other: an ended run with an open job is settled at the next pass."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    github.jobs[1][0].update(status="in_progress", conclusion=None, completed_at=None)
    one_pass(settings)
    github.jobs[1][0].update(status="completed", conclusion="success", completed_at="2026-01-02T08:10:00Z")
    one_pass(settings)
    assert rows(settings.home, "select outcome from marts.jobs") == [{"outcome": "success"}]
    assert github.counted("/jobs") == 2


def test_a_quiet_repository_is_left_alone_by_the_schedule(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A poll of what is due makes no request while the repository's pause lasts; the command asks all the same."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    one_pass(settings)
    github.requests.clear()
    assert one_pass(settings, everything=False) == []
    assert github.requests == []
    assert len(one_pass(settings)) == 1


def test_a_busy_repository_is_not_described_at_every_tick(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """Within the hour a tick costs the list of new runs and one for each open status; the name needs no request."""
    github.add_run(1, ago(timedelta(hours=2)))
    one_pass(settings)
    github.requests.clear()
    assert [done.state for done in one_pass(settings, everything=False)] == ["ok"]
    assert len(github.requests) == 6
    assert all(path.startswith("/repositories/1/actions/runs?") for path in github.requests)


def test_a_repository_that_is_gone_keeps_its_history_and_says_so(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """Deleted, or hidden from the token: the state says gone, the runs stay."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    one_pass(settings)
    github.full_name, github.repository_id = "acme/other", 99
    [done] = one_pass(settings)
    assert done.state == "gone"
    [health] = rows(settings.home, "select subject, state, run_count from marts.data_health")
    assert health == {"subject": "acme/shop", "state": "gone", "run_count": 1}


def test_a_renamed_repository_says_what_it_was_called(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """Asked for by its old name, it is shown by its new one, with a note."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    one_pass(settings)
    github.full_name, github.renamed_from = "acme/market", "acme/shop"
    one_pass(settings)
    [health] = rows(settings.home, "select subject, state, note from marts.data_health")
    assert health == {"subject": "acme/market", "state": "ok", "note": "renamed from acme/shop"}
