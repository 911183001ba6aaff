"""Jobs, steps and attempts, and how they unfold."""

from datetime import datetime, timedelta

RANK = {"queued": 0, "in_progress": 1, "completed": 2}
EXECUTED = ("success", "failure")


def _time(text):
    return datetime.fromisoformat(text)


def _jobs(visitor, run, attempt=None, **query):
    attempts = f"/attempts/{attempt}" if attempt else ""
    return visitor.all(f"/actions/runs/{run['id']}{attempts}/jobs", "jobs", **query)


def _first(runs, **wanted):
    return next(run for run in runs if all(run[key] == value for key, value in wanted.items()))


def test_jobs_have_the_names_that_github_shows(sixty_days):
    """A push to main that succeeds runs every job of every matrix."""
    run = _first(sixty_days.runs(branch="main", status="success"), name="CI Pipeline", run_attempt=1)
    assert {job["name"] for job in _jobs(sixty_days, run)} == {
        *("validate", "lint (backend)", "lint (frontend)", "security", "update-manifests"),
        *("test (unit)", "test (integration)", "test (frontend)"),
        *(f"build ({service})" for service in ("api", "controller", "generator", "dashboard", "simulator")),
    }


def test_skipped_jobs_appear_once_without_time_or_runner(sixty_days):
    """A pull request builds no images: `build` and what needs it are skipped, unexpanded."""
    run = _first(sixty_days.runs(event="pull_request", status="success"), run_attempt=1)
    skipped = {job["name"]: job for job in _jobs(sixty_days, run) if job["conclusion"] == "skipped"}
    assert set(skipped) == {"build", "update-manifests"}
    for job in skipped.values():
        assert (job["labels"], job["runner_id"], job["runner_name"], job["steps"]) == ([], None, None, [])
        assert job["created_at"] == job["started_at"] == job["completed_at"]


def test_needs_are_respected(sixty_days):
    """No job is created before everything it needs has completed."""
    run = _first(sixty_days.runs(branch="main", status="success"), name="CI Pipeline", run_attempt=1)
    jobs = _jobs(sixty_days, run)
    for base, needs in {"lint": ["validate"], "test": ["lint"], "build": ["test", "security"]}.items():
        ended = max(job["completed_at"] for job in jobs if job["name"].split()[0] in needs)
        assert all(job["created_at"] > ended for job in jobs if job["name"].startswith(base))


def test_steps_fill_their_job(sixty_days):
    """Steps follow each other from the start of the job to its end, and a failed job has one failed step."""
    run = _first(sixty_days.runs(event="pull_request", status="failure"), run_attempt=1)
    for job in _jobs(sixty_days, run):
        if job["conclusion"] not in EXECUTED:
            continue
        times = [moment for step in job["steps"] for moment in (step["started_at"], step["completed_at"])]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (job["started_at"], job["completed_at"])
        numbers = [step["number"] for step in job["steps"]]
        assert numbers == sorted(set(numbers))
        failed = [step for step in job["steps"] if step["conclusion"] == "failure"]
        assert len(failed) == (job["conclusion"] == "failure")
        assert (job["steps"][0]["name"], job["steps"][-1]["name"]) == ("Set up job", "Complete job")


def test_a_newer_push_cancels_midway(sixty_days):
    """A superseded run ends cancelled right after the newer push, with a job stopped in the middle of a step."""
    runs = sixty_days.runs(event="pull_request")
    run = _first(runs, conclusion="cancelled")
    newer = [other for other in runs if other["head_branch"] == run["head_branch"] and other["id"] > run["id"]][-1]
    lateness = _time(run["updated_at"]) - _time(newer["created_at"])
    assert timedelta(0) < lateness < timedelta(seconds=15)
    stopped = [job for job in _jobs(sixty_days, run) if job["conclusion"] == "cancelled" and job["runner_id"]]
    assert all("cancelled" in {step["conclusion"] for step in job["steps"]} for job in stopped)


def test_a_job_timeout_is_called_cancelled(sixty_days):
    """A job that hangs is ended after six hours as cancelled, and its run has failed."""
    nightly = sixty_days.all("/actions/workflows/nightly.yml/runs", "workflow_runs")
    jobs = [job for run in nightly for job in _jobs(sixty_days, run, filter="all")]
    hung = [job for job in jobs if job["conclusion"] == "cancelled"]
    assert hung
    for job in hung:
        assert 21_600 <= (_time(job["completed_at"]) - _time(job["started_at"])).total_seconds() < 21_660
        attempt = sixty_days.get(f"/actions/runs/{job['run_id']}/attempts/{job['run_attempt']}")
        assert attempt["conclusion"] == "failure"


def test_the_integration_tests_have_become_slow(visit, sixty_days):
    """The calendar brings weeks in which `test (integration)` takes much longer."""
    slow = _integration_seconds(sixty_days)
    usual = _integration_seconds(visit(now=sixty_days.now - timedelta(days=35), days=5))
    assert slow > 1.25 * usual


def _integration_seconds(visitor):
    jobs = [job for run in visitor.runs(status="success")[:25] for job in _jobs(visitor, run)]
    times = [_time(j["completed_at"]) - _time(j["started_at"]) for j in jobs if j["name"] == "test (integration)"]
    return sorted(times)[len(times) // 2].total_seconds()


def test_rerunning_failed_jobs_carries_the_others_over(sixty_days):
    """A re-run lists what passed again: a new id, the new attempt and creation, the old times and runner."""
    seen = 0
    for run in (run for run in sixty_days.runs(event="pull_request", status="success") if run["run_attempt"] == 2):
        first, second = (_jobs(sixty_days, run, attempt=number) for number in (1, 2))
        old = {job["name"]: job for job in first if job["conclusion"] == "success"}
        for job in (job for job in second if job["started_at"] < run["run_started_at"]):
            before = old[job["name"]]
            assert job["id"] > before["id"]
            assert (job["run_attempt"], job["created_at"]) == (2, run["run_started_at"])
            same = ("started_at", "completed_at", "runner_name", "conclusion", "steps")
            assert [job[key] for key in same] == [before[key] for key in same]
            seen += 1
        assert {job["name"] for job in first if job["conclusion"] == "failure"} <= {
            job["name"] for job in second if job["started_at"] >= run["run_started_at"]
        }
    assert seen > 5


def test_filter_all_lists_every_attempt(sixty_days, every_run):
    """`latest` gives the last attempt's jobs and `all` those of each attempt; each job has its own address."""
    run = next(run for run in every_run if run["run_attempt"] == 3)
    by_attempt = [_jobs(sixty_days, run, attempt=number) for number in (1, 2, 3)]
    assert _jobs(sixty_days, run) == _jobs(sixty_days, run, filter="latest") == by_attempt[2]
    every = _jobs(sixty_days, run, filter="all")
    assert every == [job for jobs in by_attempt for job in jobs]
    assert len({job["id"] for job in every}) == len(every)
    assert all(sixty_days.get(f"/actions/jobs/{job['id']}") == job for job in every)


def test_some_runs_are_rerun_days_later(every_run):
    """Now and then somebody re-runs an old run: its creation stays, its start moves."""
    waits = [_time(run["run_started_at"]) - _time(run["created_at"]) for run in every_run]
    assert any(wait > timedelta(days=2) for wait in waits)


def test_a_run_only_moves_forward(visit, sixty_days):
    """Minute by minute through a re-run, attempt, status and updated_at never go back, and jobs agree with that."""
    visitor = visit()
    patient = timedelta(hours=4)
    run = next(
        run
        for run in sixty_days.runs(branch="main")
        if run["run_attempt"] == 2 and _time(run["run_started_at"]) - _time(run["created_at"]) < patient
    )
    visitor.now = _time(run["created_at"])
    last = (0, 0, "")
    seen = set()
    while visitor.now < _time(run["updated_at"]) + timedelta(minutes=2):
        shown = visitor.get(f"/actions/runs/{run['id']}")
        place = (shown["run_attempt"], RANK[shown["status"]], shown["updated_at"])
        assert place[:2] >= last[:2]
        assert last[2] <= shown["updated_at"] <= visitor.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        _check_jobs(visitor, shown)
        seen.add((*place[:2], shown["conclusion"]))
        last = place
        visitor.wait(minutes=1)
    assert {(1, 2, "failure"), (2, 1, None), (2, 2, run["conclusion"])} <= seen


def _check_jobs(visitor, run):
    jobs = _jobs(visitor, run)
    assert jobs
    statuses = {job["status"] for job in jobs}
    assert all((job["conclusion"] is None) == (job["status"] != "completed") for job in jobs)
    assert all((job["completed_at"] is None) == (job["status"] != "completed") for job in jobs)
    if run["status"] == "completed":
        assert statuses == {"completed"}
        assert max(job["completed_at"] for job in jobs) < run["updated_at"]
    for job in (job for job in jobs if job["status"] == "in_progress"):
        assert [step["status"] for step in job["steps"]].count("in_progress") <= 1
        assert job["runner_name"].startswith("GitHub Actions ")


def test_the_first_attempt_stays_as_it_was(visit, sixty_days):
    """Before a re-run the run shows attempt 1; afterwards attempt 1 is still there with its own end and jobs."""
    run = next(run for run in sixty_days.runs(branch="main", status="success") if run["run_attempt"] == 2)
    visitor = visit()
    visitor.now = _time(run["run_started_at"]) - timedelta(seconds=1)
    before, jobs = visitor.get(f"/actions/runs/{run['id']}"), _jobs(visitor, run)
    assert (before["run_attempt"], before["status"], before["conclusion"]) == (1, "completed", "failure")
    assert visitor.ask(f"/repos/phoenix/platform/actions/runs/{run['id']}/attempts/2").status_code == 404
    visitor.wait(seconds=1)
    assert visitor.get(f"/actions/runs/{run['id']}")["run_attempt"] == 2
    assert visitor.get(f"/actions/runs/{run['id']}/attempts/1") == before
    assert _jobs(visitor, run, attempt=1) == jobs
    assert visitor.get(f"/actions/runs/{run['id']}")["previous_attempt_url"].endswith(f"{run['id']}/attempts/1")
