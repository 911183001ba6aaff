"""Passes over a repository, end to end from HTTP to marts: what is found, what it costs, what survives."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.defs.polling import Pass, sync_github
from phoenix_metrics.settings import Settings
from tests.conftest import all_marts, publish_landing, rows, settings_for
from tests.github_server import Fault, GitHub, serving

OnePass = Callable[..., list[Pass]]
STEADY_REQUESTS = 8  # repository, workflows, newest runs, and one list for each of five open statuses


def outcomes(settings: Settings) -> dict[int, tuple[int, str]]:
    """Every run's latest attempt and outcome."""
    found = rows(settings.home, "select run_id, run_attempt, outcome from marts.workflow_runs")
    return {row["run_id"]: (row["run_attempt"], row["outcome"]) for row in found}


def test_the_first_pass_reads_everything_since_the_start(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """Runs before PHOENIX_GITHUB_SINCE are left out, all others are there with their jobs and steps."""
    github.add_run(1, "2025-12-31T23:59:59Z")
    github.add_run(2, "2026-01-01T00:00:00Z")
    github.add_run(3, "2026-02-01T08:00:00Z", "failure")
    [done] = one_pass(settings)
    assert (done.state, done.outcome.run_count, done.outcome.job_count) == ("ok", 2, 2)
    assert outcomes(settings) == {2: (1, "success"), 3: (1, "failure")}
    [job] = rows(settings.home, "from marts.jobs where run_id = 3")
    assert (job["job"], job["job_base"], job["matrix"]) == ("test (3.12)", "test", "3.12")
    assert (job["queue_seconds"], job["duration_seconds"], job["billed_minutes"]) == (5.0, 595.0, 10)
    assert rows(settings.home, "select count(*) as n from marts.steps") == [{"n": 2}]


def test_a_pass_with_nothing_new_changes_no_row_and_costs_eight_requests(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """One request for each open status and three for the repository; the marts stay as they were."""
    for run_id in range(1, 30):
        github.add_run(run_id, f"2026-01-{run_id:02d}T08:00:00Z")
    one_pass(settings)
    before = all_marts(settings.home)
    github.requests.clear()
    one_pass(settings)
    assert len(github.requests) == STEADY_REQUESTS
    assert all_marts(settings.home) == before


def test_a_run_that_was_open_is_found_when_it_ends(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """A run that is in no list of open runs any more is asked for by itself, however old it is."""
    run = github.add_run(1, "2026-01-02T08:00:00Z", None)
    github.add_run(2, "2026-01-20T08:00:00Z")
    one_pass(settings)
    assert outcomes(settings)[1] == (1, "open")
    run.update(status="completed", conclusion="failure", updated_at="2026-01-02T09:00:00Z")
    github.jobs[1][0].update(status="completed", conclusion="failure", completed_at="2026-01-02T08:59:00Z")
    one_pass(settings)
    assert outcomes(settings)[1] == (1, "failure")
    assert rows(settings.home, "select duration_seconds as s from marts.workflow_runs where run_id = 1") == [
        {"s": 3540.0}
    ]


def test_an_old_run_that_is_running_again_is_found_and_keeps_both_attempts(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A re-run of a three-week-old run shows in the lists of open runs; its first attempt stays as it ended."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.add_run(2, "2026-01-23T08:00:00Z")
    one_pass(settings)
    github.rerun(1, "2026-01-23T09:00:00Z", None)
    one_pass(settings)
    assert outcomes(settings)[1] == (2, "open")
    github.attempts[1][-1].update(status="completed", conclusion="success", updated_at="2026-01-23T09:30:00Z")
    github.jobs[1][-1].update(status="completed", conclusion="success", completed_at="2026-01-23T09:29:00Z")
    one_pass(settings)
    attempts = rows(
        settings.home,
        "select run_attempt, outcome, duration_seconds as s from marts.run_attempts where run_id = 1 order by 1",
    )
    assert attempts == [
        {"run_attempt": 1, "outcome": "failure", "s": 600.0},
        {"run_attempt": 2, "outcome": "success", "s": 1740.0},
    ]
    [run] = rows(settings.home, "select first_outcome, is_flaky, day from marts.workflow_runs where run_id = 1")
    assert (run["first_outcome"], run["is_flaky"], str(run["day"])) == ("failure", True, "2026-01-02")


def test_a_run_that_is_first_seen_after_its_reruns_has_all_its_attempts(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """The list shows the latest attempt only; those before it are asked for one by one, with how each of them ended."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.rerun(1, "2026-01-02T09:00:00Z", "failure")
    github.rerun(1, "2026-01-02T10:00:00Z", "success")
    one_pass(settings)
    attempts = rows(settings.home, "select run_attempt, outcome from marts.run_attempts order by run_attempt")
    assert [(row["run_attempt"], row["outcome"]) for row in attempts] == [
        (1, "failure"),
        (2, "failure"),
        (3, "success"),
    ]


def test_a_failure_does_not_wait_for_the_rerun_that_follows_it(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A run first seen in its second attempt brings the first with its jobs at once, and is read again when it ends."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.rerun(1, "2026-01-02T08:20:00Z", None)
    one_pass(settings)
    attempts = "select run_attempt, outcome, duration_seconds, is_duration_fallback from marts.run_attempts order by 1"
    assert [tuple(row.values()) for row in rows(settings.home, attempts)] == [
        (1, "failure", 600.0, False),
        (2, "open", None, False),
    ]
    github.requests.clear()
    one_pass(settings)
    assert len(github.requests) == STEADY_REQUESTS
    github.attempts[1][-1].update(status="completed", conclusion="success", updated_at="2026-01-02T08:30:00Z")
    github.jobs[1][-1].update(status="completed", conclusion="success", completed_at="2026-01-02T08:29:00Z")
    one_pass(settings)
    assert [tuple(row.values())[:3] for row in rows(settings.home, attempts)] == [
        (1, "failure", 600.0),
        (2, "success", 540.0),
    ]


def test_a_rerun_between_two_passes_is_found_by_the_daily_search(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A re-run that began and ended unseen shows in no list of open runs; --reconcile lists the last 31 days."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.add_run(2, "2026-01-23T08:00:00Z")
    one_pass(settings)
    github.rerun(1, "2026-01-23T09:00:00Z", "success")
    one_pass(settings)
    assert outcomes(settings)[1] == (1, "failure")
    one_pass(settings, reconcile=True)
    assert outcomes(settings)[1] == (2, "success")


def test_a_rerun_is_searched_for_once_the_history_has_moved_a_day(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """A pass that sees runs more than a day newer than the last search searches by itself."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.add_run(2, "2026-01-23T08:00:00Z")
    one_pass(settings)
    github.rerun(1, "2026-01-23T09:00:00Z", "success")
    github.add_run(3, "2026-01-24T08:30:00Z")
    one_pass(settings)
    assert outcomes(settings) == {1: (2, "success"), 2: (1, "success"), 3: (1, "success")}


def test_windows_with_more_runs_than_github_lists_are_split(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """2,500 runs, most of them in one hour, all arrive although GitHub lists at most 1,000 for a filter."""
    for run_id in range(1, 2501):
        day, minute, second = (1, 0, run_id) if run_id <= 40 else (9, run_id // 60, run_id % 60)
        github.add_run(run_id, f"2026-01-{day:02d}T08:{minute % 60:02d}:{second % 60:02d}Z")
        github.jobs[run_id] = []
    [done] = one_pass(settings)
    assert done.outcome.run_count == 2500
    assert rows(settings.home, "select count(*) as n, count(distinct run_id) as runs from marts.workflow_runs") == [
        {"n": 2500, "runs": 2500}
    ]
    assert github.counted("/actions/runs\\?") <= 2500 // 100 + 40


def test_a_refused_pass_keeps_what_it_read_and_the_next_goes_on(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """At the budget's reserve the pass ends as partial; the next one does not fetch again what is stored."""
    for run_id in range(1, 301):
        github.add_run(run_id, f"2026-01-{run_id % 28 + 1:02d}T08:00:00Z")
    github.limit, github.remaining = 300, 150
    now = datetime.now(UTC)
    github.resets_at = int((now + timedelta(hours=1)).timestamp())
    [done] = one_pass(settings)
    assert done.state == "partial"
    stored = len(outcomes(settings))
    assert 80 <= stored < 300
    [health] = rows(settings.home, "select state, missing_count, note from marts.data_health")
    assert health["state"] == "partial"
    assert health["missing_count"] >= 1
    github.requests.clear()
    assert one_pass(settings)[0].state == "partial"
    assert github.requests == []  # the hour is not over, and a new process knows it
    github.limit = github.remaining = 5000
    [done] = sync_github(settings, clock=lambda: now + timedelta(hours=2))
    publish_landing(settings.home)
    assert (done.state, len(outcomes(settings))) == ("ok", 300)
    assert github.counted("/jobs") == 300 - stored
    assert rows(settings.home, "select missing_count as n from marts.data_health") == [{"n": 0}]


@pytest.mark.parametrize("nth", [1, 3, 40, 66, 70])
def test_a_failure_at_any_request_costs_nothing_but_time(tmp_path: Path, one_pass: OnePass, nth: int) -> None:
    """A pass refused at one request and run again gives the marts of an undisturbed pass."""
    with serving(_history()) as calm, serving(_history()) as stormy:
        undisturbed, disturbed = settings_for(calm, tmp_path / "calm"), settings_for(stormy, tmp_path / "stormy")
        one_pass(undisturbed)
        stormy.fails_from = nth
        assert one_pass(disturbed)[0].state == "failed"
        stormy.fails_from = None
        assert one_pass(disturbed)[0].state == "ok"
        assert all_marts(disturbed.home) == all_marts(undisturbed.home)


def test_one_repository_that_fails_does_not_stop_the_others(github: GitHub, tmp_path: Path, one_pass: OnePass) -> None:
    """An unknown repository is reported by name and in data_health; the other one is read."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    settings = settings_for(github, tmp_path / "home", PHOENIX_GITHUB_REPOSITORIES="acme/nope,acme/shop")
    passes = one_pass(settings)
    states = [(done.outcome.repository, done.state) for done in passes]
    assert states == [("acme/nope", "unavailable"), ("acme/shop", "ok")]
    health = rows(settings.home, "select subject, state, run_count from marts.data_health order by subject")
    assert health == [
        {"subject": "acme/nope", "state": "unavailable", "run_count": 0},
        {"subject": "acme/shop", "state": "ok", "run_count": 1},
    ]


def test_an_organisations_repositories_are_discovered_once(github: GitHub, tmp_path: Path, one_pass: OnePass) -> None:
    """A repository named and also found in its organisation is read once."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    settings = settings_for(github, tmp_path / "home", PHOENIX_GITHUB_ORGANIZATIONS="acme")
    assert len(one_pass(settings)) == 1
    only_found = settings_for(
        github, tmp_path / "other", PHOENIX_GITHUB_REPOSITORIES="", PHOENIX_GITHUB_ORGANIZATIONS="acme"
    )
    assert [done.outcome.repository for done in one_pass(only_found)] == ["acme/shop"]


def test_a_renamed_repository_keeps_its_history_under_its_new_name(
    github: GitHub, settings: Settings, one_pass: OnePass
) -> None:
    """The numeric id is the key; the name shown is today's."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    one_pass(settings)
    github.full_name, github.renamed_from = "acme/market", "acme/shop"
    github.add_run(2, "2026-01-03T08:00:00Z")
    one_pass(settings)
    assert rows(settings.home, "select distinct repository from marts.workflow_runs") == [{"repository": "acme/market"}]
    assert sorted(outcomes(settings)) == [1, 2]


def test_a_run_deleted_at_the_source_stays_here(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """GitHub's retention deletes runs; what was stored is kept and the pass succeeds."""
    github.add_run(1, "2026-01-02T08:00:00Z", None)
    github.add_run(2, "2026-01-03T08:00:00Z")
    one_pass(settings)
    del github.attempts[1]
    assert one_pass(settings)[0].state == "ok"
    assert sorted(outcomes(settings)) == [1, 2]


def test_a_run_deleted_while_it_is_read_is_left_out(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """A run that was listed and is gone when its jobs are asked for does not fail the pass; missing jobs alone do."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    github.add_run(2, "2026-01-03T08:00:00Z")
    github.faults.append(Fault("/runs/1(/|$)", status=404, count=99))
    [done] = one_pass(settings)
    assert (done.state, done.outcome.run_count, sorted(outcomes(settings))) == ("ok", 1, [2])
    github.add_run(3, "2026-01-03T09:00:00Z")
    github.faults[:] = [Fault("/runs/3/jobs", status=404, count=99)]
    assert one_pass(settings)[0].state == "failed"
    assert 3 not in outcomes(settings)


def test_jobs_of_another_run_are_never_stored(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """An answer that belongs to another request is refused, not believed."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    github.jobs[1][0]["run_id"] = 999
    [done] = one_pass(settings)
    assert done.state == "failed"
    assert "jobs of another run" in (done.note or "")


def _history() -> GitHub:
    world = GitHub()
    for run_id in range(1, 61):
        world.add_run(
            run_id, f"2026-01-{run_id % 28 + 1:02d}T08:00:{run_id % 60:02d}Z", ["success", "failure"][run_id % 2]
        )
    world.rerun(7, "2026-01-20T10:00:00Z", "success")
    world.rerun(7, "2026-01-21T10:00:00Z", "failure")
    return world
