"""What the organisation did in its sixty days."""

from datetime import datetime, timedelta
from statistics import median

ORDINARY = ("success", "failure")


def _time(text):
    return datetime.fromisoformat(text)


def _seconds(run):
    return (_time(run["updated_at"]) - _time(run["run_started_at"])).total_seconds()


def _failure_ratio(runs):
    settled = [run["conclusion"] for run in runs if run["conclusion"] in ORDINARY]
    return settled.count("failure") / len(settled)


def _without_open(runs):
    return [run for run in runs if run["status"] == "completed"]


def test_a_restart_tells_the_same_story(visit):
    """Two servers with the same seed give the same answers at the same moment."""
    one, other = visit(days=10), visit(days=10)
    assert one.runs() == other.runs()
    run = one.runs()[20]["id"]
    assert one.get(f"/actions/runs/{run}/jobs", filter="all") == other.get(f"/actions/runs/{run}/jobs", filter="all")


def test_another_seed_tells_another_story(visit):
    """The seed chooses the history."""
    assert visit(days=3).runs() != visit(days=3, seed=8).runs()


def test_the_past_does_not_change(visit):
    """Half an hour later what was complete is as it was, unless someone has re-run it."""
    visitor = visit(days=10)
    before = {run["id"]: run for run in _without_open(visitor.runs())}
    visitor.wait(minutes=30)
    after = {run["id"]: run for run in visitor.runs()}
    changed = [run for run in before.values() if run["id"] in after and after[run["id"]] != run]
    assert all(after[run["id"]]["run_attempt"] > run["run_attempt"] for run in changed)
    assert len(changed) < 5


def test_a_server_started_late_knows_the_same_past(visit):
    """Which days are built first makes no difference to ids, numbers or times."""
    early = visit(days=20)
    early.now -= timedelta(days=8)
    early.runs()
    early.wait(days=8)
    assert early.runs() == visit(days=20).runs()


def test_only_the_last_days_are_kept(visit):
    """A run is gone, like its jobs, once it is older than the retention."""
    visitor = visit(days=5)
    oldest = visitor.runs()[-1]
    job = visitor.get(f"/actions/runs/{oldest['id']}/jobs")["jobs"][0]["id"]
    assert visitor.now - _time(oldest["created_at"]) <= timedelta(days=5)
    visitor.now = _time(oldest["created_at"]) + timedelta(days=5, seconds=1)
    for path in (f"/actions/runs/{oldest['id']}", f"/actions/runs/{oldest['id']}/jobs", f"/actions/jobs/{job}"):
        assert visitor.ask(f"/repos/phoenix/platform{path}").status_code == 404
    assert oldest["id"] not in {run["id"] for run in visitor.runs()}


def test_ids_and_numbers_ascend_with_time(every_run):
    """Ids ascend with creation, and each workflow counts its runs without gaps."""
    runs = every_run[::-1]
    assert [run["id"] for run in runs] == sorted({run["id"] for run in runs})
    assert [run["created_at"] for run in runs] == sorted(run["created_at"] for run in runs)
    for workflow in {run["workflow_id"] for run in runs}:
        numbers = [run["run_number"] for run in runs if run["workflow_id"] == workflow]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_team_is_believable(every_run):
    """Sixty days look like a team of a dozen: busy weekdays, a nightly build each night, failures here and there."""
    ci = [run for run in every_run if run["name"] == "CI Pipeline"]
    workdays = [run for run in ci if _time(run["created_at"]).weekday() < 5]
    assert 25 <= len(workdays) / (60 * 5 / 7) <= 45
    assert len([run for run in every_run if run["event"] == "schedule"]) in (60, 61)
    assert 0.03 <= _failure_ratio([run for run in ci if run["head_branch"] == "main"]) <= 0.10
    assert 0.12 <= _failure_ratio([run for run in ci if run["event"] == "pull_request"]) <= 0.28
    assert 0.03 <= len([run for run in every_run if run["run_attempt"] > 1]) / len(every_run) <= 0.10
    assert 10 * 60 <= median(_seconds(run) for run in ci if run["conclusion"] == "success") <= 22 * 60
    assert len({run["actor"]["login"] for run in every_run}) == 12
    assert {run["conclusion"] for run in every_run} >= {"success", "failure", "cancelled", "startup_failure"}


def test_pace_multiplies_the_pushes(visit):
    """At twice the pace about twice as many CI runs happen."""
    usual, busy = (len(visit(days=14, pace=pace).runs(event="pull_request")) for pace in (1.0, 2.0))
    assert 1.6 < busy / usual < 2.5


def test_a_broken_workflow_file_starts_no_job(sixty_days):
    """A startup failure has no jobs and is named after its file, as on GitHub."""
    run = sixty_days.runs(status="startup_failure")[0]
    assert (run["name"], run["conclusion"]) == (run["path"], "startup_failure")
    assert sixty_days.get(f"/actions/runs/{run['id']}/jobs") == {"total_count": 0, "jobs": []}
