"""The switch that breaks main."""

import pytest

MAIN = {"branch": "main", "event": "push"}


def _during(visitor, since):
    return visitor.runs(**MAIN, created=f">={since}")


def test_breaking_main_brings_a_burst_of_failures(visit):
    """While main is broken six pushes a minute arrive and fail in `validate`, within about half a minute each."""
    visitor = visit(days=2)
    since = visitor.switch(broken=True)["now"]
    visitor.wait(minutes=2)
    burst = _during(visitor, since)
    assert 11 <= len(burst) <= 14
    done = [run for run in burst if run["status"] == "completed"]
    assert {run["conclusion"] for run in done} == {"failure"}
    assert len(burst) - len(done) <= 4
    jobs = visitor.get(f"/actions/runs/{done[0]['id']}/jobs")["jobs"]
    assert [(job["name"], job["conclusion"]) for job in jobs] == [
        ("validate", "failure"),
        *((name, "skipped") for name in ("lint", "test", "security", "build", "update-manifests")),
    ]
    assert jobs[0]["id"] == visitor.get(f"/actions/jobs/{jobs[0]['id']}")["id"]


def test_mending_stops_the_burst(visit):
    """After mending no more such pushes arrive, and those that came run to their end."""
    visitor = visit(days=2)
    since = visitor.switch(broken=True, runs_per_minute=30)["now"]
    visitor.wait(minutes=1)
    assert visitor.switch(broken=False)["broken"] is False
    at_once = {run["id"] for run in _during(visitor, since)}
    visitor.wait(minutes=3)
    later = _during(visitor, since)
    assert 30 <= len(at_once) <= 31
    assert len(later) - len(at_once) <= 1
    assert {run["conclusion"] for run in later if run["id"] in at_once} == {"failure"}


def test_numbers_go_on_without_gaps(visit):
    """The burst takes its place in the counting of the workflow, and what follows counts on."""
    visitor = visit(days=2)
    before = {run["id"]: run["run_number"] for run in visitor.runs()}
    visitor.switch(broken=True)
    visitor.wait(minutes=10)
    visitor.switch(broken=False)
    visitor.wait(hours=2)
    runs = [run for run in visitor.runs() if run["name"] == "CI Pipeline"][::-1]
    numbers = [run["run_number"] for run in runs]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(before.get(run["id"], run["run_number"]) == run["run_number"] for run in runs)


def test_a_restart_remembers_the_breakages(visit, tmp_path):
    """With a state file a restarted server tells of past breakages and goes on with a present one."""
    file = tmp_path / "state" / "demo.json"
    visitor = visit(days=2, state_file=file)
    since = visitor.switch(broken=True)["now"]
    visitor.wait(minutes=5)
    restarted = visit(now=visitor.now, days=2, state_file=file)
    assert restarted.runs() == visitor.runs()
    assert restarted.ask("/_control").json()["broken"] is True
    restarted.switch(broken=False)
    restarted.wait(minutes=5)
    again = visit(now=restarted.now, days=2, state_file=file)
    assert again.runs() == restarted.runs()
    assert len(_during(again, since)) >= 30
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("body", ["", "[]", '{"break": 1}', '{"break": true, "runs_per_minute": 0}'])
def test_a_wish_that_means_nothing_is_refused(visit, body):
    """The switch moves only for a clear wish."""
    visitor = visit(days=2)
    assert visitor.session.post(f"{visitor.address}/_control", data=body).status_code == 422
    assert visitor.ask("/_control").json()["broken"] is False
