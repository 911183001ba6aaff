"""What our tables say of the demo organisation, compared row by row with what really happened in it.

The truth is worked out from the story (`phoenix_metrics/demo/truth/`), never from an answer of the API or by our SQL.
"""

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.demo.truth.rows import COLUMNS, TruthError
from phoenix_metrics.demo.truth.story import write_truth
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.workflows import WORKFLOWS
from tests.conftest import rows
from tests.demo.collected import HISTORIES, START, Collected, Organisation, Row, collect, telling_moments
from tests.demo.failures import job_classes, malformed
from tests.test_cli import phoenix

NEEDS = {job.name: job.needs for workflow in WORKFLOWS for job in workflow.jobs}
PLATFORM = "phoenix/platform"
PHASES = {"succeeded": "Succeeded", "failed": "Failed", "cancelled": "Failed", "error": "Error"}


def at(*columns: str) -> str:
    """Return columns of times as the truth writes them."""
    return ", ".join(f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ') as {column}" for column in columns)


# Of each table of the truth: what tells its rows apart, and how the marts tell the same.
TABLES = {
    "runs": (
        ("run_id",),
        f"""
        select repository, run_id, workflow, event, head_branch as branch, head_sha, {at("created_at")},
            run_attempt as attempt_count, status, conclusion, outcome, first_outcome, is_flaky, duration_seconds,
            billed_minutes
        from marts.workflow_runs
        """,
    ),
    "attempts": (
        ("run_id", "run_attempt"),
        f"""
        select repository, run_id, run_attempt, actor, {at("started_at", "completed_at")}, status, conclusion, outcome,
            duration_seconds, is_duration_fallback, queue_seconds, billed_minutes
        from marts.run_attempts
        """,
    ),
    "jobs": (
        ("job_id",),
        f"""
        select repository, run_id, run_attempt, job_id, job, status, conclusion, outcome, is_carried_over,
            {at("completed_at")}, queue_seconds, duration_seconds
        from marts.jobs
        """,
    ),
    "costs": (("job_id",), "select job_id, billed_minutes, cost_usd from marts.jobs where status = 'completed'"),
    "deployments": (
        ("application", "started_at"),
        f"""
        select application, {at("started_at", "finished_at", "healthy_at")}, status, kind, trigger, initiated_by,
            attempt_count, revision, change, is_deployment, is_live
        from marts.deployments
        """,
    ),
    "service_deployments": (
        ("application", "service", "started_at"),
        f"""
        select application, environment, service, {at("started_at", "failed_at", "restored_at")}, status,
            previous_version as version_before, version, change, failure
        from marts.deliveries
        """,
    ),
    "rollbacks": (
        ("application", "started_at"),
        f"""
        select application, environment, service as services, {at("started_at", "failed_at", "restored_at")}, kind,
            cause, version_count
        from marts.rollbacks
        """,
    ),
    "lead_times": (
        ("environment", "service", "started_at"),
        f"""
        select environment, service, {at("started_at", "committed_at", "merged_at", "healthy_at")}, head_sha as sha,
            pull_request, strftime(finished_at, '%Y-%m-%dT%H:%M:%SZ') as deployed_at, lead_time_seconds
        from marts.deliveries
        where lead_time_seconds is not null
        """,
    ),
}


WASTED = "select job_id, waste_class from marts.jobs where waste_class is not null"


@pytest.fixture(scope="module", params=HISTORIES, ids=str)
def organisation(request: pytest.FixtureRequest) -> Organisation:
    """A history of nine days."""
    return Organisation(*request.param)


@pytest.fixture(scope="module")
def collected(organisation: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """That history, looked at so often that nothing that the sources allow to know is missed."""
    return collect(tmp_path_factory.mktemp("often") / "home", organisation, telling_moments(organisation))


@pytest.fixture(scope="module")
def missed(organisation: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """The same, looked at three times and at its end, and at no workflow file."""
    moments = [START, *(START + day * DAY for day in (3, 7))]
    return collect(tmp_path_factory.mktemp("seldom") / "home", organisation, moments, with_files=False)


@pytest.mark.parametrize("name", TABLES)
def test_the_marts_tell_the_truth(name: str, collected: Collected, record_property: Any) -> None:
    """Every row that must be there is there, with every figure, and no other."""
    key, query = TABLES[name]
    truth = known(name, collected.truth)
    record_property(name, len(truth))
    assert differences(truth, rows(collected.home, query), key) == []


def test_execution_starts_are_true(collected: Collected) -> None:
    """Of every job that a runner took, when it began; GitHub gives jobs that never began a start, too."""
    query = f"select job_id, {at('started_at')} from marts.jobs where is_executed or status = 'in_progress'"
    taken = [row for row in known("jobs", collected.truth) if row["started_at"] is not None]
    assert differences(taken, rows(collected.home, query), ("job_id",)) == []


def test_what_was_built_before_a_deployment_is_true(collected: Collected) -> None:
    """The end of the last job that had passed by then, in runs that the commit brought about, releases included."""
    query = f"""
        select environment, service, {at("started_at", "built_at")} from marts.deliveries where lead_time_seconds > 0
    """
    expected = [{**row, "built_at": _built_at(collected.truth, row)} for row in collected.truth["lead_times"]]
    assert differences(expected, rows(collected.home, query), ("environment", "service", "started_at")) == []


def test_prices_are_those_of_the_day(collected: Collected) -> None:
    """Of every job that ran, what a minute cost when it began; added up in any table, what was spent."""
    ran = {row["job_id"] for row in collected.truth["jobs"] if row["started_at"] and not row["is_carried_over"]}
    truth = known("costs", collected.truth)
    priced = rows(collected.home, "select job_id, usd_per_minute from marts.jobs where is_executed")
    assert differences([row for row in truth if row["job_id"] in ran], priced, ("job_id",)) == []
    for table in ("workflow_daily", "job_daily", "costs_daily", "usage_daily", "repository_daily"):
        query = f"select sum(cost_usd) as usd, sum(unpriced_count) as unpriced from marts.{table}"
        assert rows(collected.home, query) == [{"usd": sum(row["cost_usd"] for row in truth), "unpriced": 0}], table


def test_waste_is_what_happened(collected: Collected) -> None:
    """Hangs, and jobs at work that a newer push or their matrix stopped, are called so, and nothing else is.

    Of what failed by chance all that passed later is called flaky, and of defects nothing is.
    """
    classes = {"hang": "timeout", "superseded": "superseded", "fail_fast": "fail_fast"}
    began = {row["job_id"] for row in collected.truth["jobs"] if row["started_at"]}
    causes = [row for row in known_jobs("failure_causes", collected.truth) if row["job_id"] in began]
    truth = {row["job_id"]: row["cause"] for row in causes}
    found = {row["job_id"]: row["waste_class"] for row in rows(collected.home, WASTED)}
    stopped = {job: classes[cause] for job, cause in truth.items() if cause in classes}
    assert {job: one for job, one in found.items() if one in (*classes.values(), "cancelled")} == stopped
    flaky = [row for row in known_jobs("flakes", collected.truth) if row["kind"] == "failure"]
    passed = {row["job_id"] for row in flaky if row["passed_in_attempt"]}
    assert {job for job, one in found.items() if one == "flaky"} == passed


def test_what_is_called_flaky_failed_by_chance(collected: Collected) -> None:
    """Every run that failed and then passed did so because of chance, and every such run is called flaky."""
    runs = {row["run_id"]: row for row in collected.truth["runs"]}
    by_chance = {row["run_id"] for row in collected.truth["flakes"]}
    found = {row["run_id"] for row in rows(collected.home, "select run_id from marts.workflow_runs where is_flaky")}
    assert found == {run for run in by_chance if runs[run]["is_flaky"]}
    assert found == {run for run, row in runs.items() if row["is_flaky"]}


def test_failures_have_the_class_of_their_cause(collected: Collected) -> None:
    """Every failure by defects, chance, hangs and malformed files has its class, and nothing else has one."""
    ended = {row["job_id"] for row in known("jobs", collected.truth)}
    found = rows(collected.home, "select job_id, failure_class from marts.jobs where failure_class is not null")
    expected = {job: name for job, name in job_classes(collected.truth).items() if job in ended}
    assert {row["job_id"]: row["failure_class"] for row in found} == expected
    assert len(set(expected.values())) > 4
    query = "select run_id, run_attempt from marts.run_failures where failure_class = 'startup_failure'"
    assert {tuple(row.values()) for row in rows(collected.home, query)} == malformed(collected.truth)


def test_critical_paths_are_those_of_the_needs(collected: Collected) -> None:
    """With the workflow files every path is the one of the needs; of jobs that ended in one second either may stand."""
    expected, found = _paths(collected)
    assert found == expected
    assert rows(collected.home, "select distinct linked_by from marts.critical_path_jobs") == [{"linked_by": "needs"}]


def test_critical_paths_found_from_times_are_those_of_the_needs(missed: Collected) -> None:
    """Without any file times tell the same path, unless ends lie within a second."""
    expected, found = _paths(missed)
    differing = [run for run, path in found.items() if path != expected[run]]
    assert [run for run in differing if not _ends_coincide(_ran(missed, run))] == []
    assert len(differing) <= 0.01 * len(found)
    assert rows(missed.home, "select distinct linked_by from marts.critical_path_jobs") == [{"linked_by": "times"}]


def _paths(collected: Collected) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Return of each run when the jobs on its path ended, by what really waited for what and by our tables.

    The parts of each path that was found sum to the run's duration exactly.
    """
    ended = [run for run in collected.truth["runs"] if run["outcome"] in ("success", "failure")]
    ran = {run["run_id"]: _ran(collected, run["run_id"], run["attempt_count"]) for run in ended}
    ends = {job["job_id"]: job["completed_at"] for jobs in ran.values() for job in jobs}
    expected = {run: [ends[job] for job in _path_by_needs(jobs)] for run, jobs in ran.items() if jobs}
    found: dict[int, list[Row]] = {}
    for row in rows(collected.home, "from marts.critical_path_jobs order by run_id, position"):
        found.setdefault(int(str(row["run_id"])), []).append(row)
    parts = ("execution_seconds", "queue_seconds", "handover_seconds")
    durations = {run["run_id"]: run["duration_seconds"] for run in ended if ran[run["run_id"]]}
    assert {run: sum(row[part] for row in path for part in parts) for run, path in found.items()} == durations
    return expected, {run: [ends[row["job_id"]] for row in path] for run, path in found.items()}


def _ran(collected: Collected, run_id: int, run_attempt: int | None = None) -> list[Row]:
    """Return the jobs that ran in a run, or in an attempt of it."""
    return [
        job
        for job in collected.truth["jobs"]
        if job["run_id"] == run_id and run_attempt in (None, job["run_attempt"]) and job["duration_seconds"] is not None
    ]


def test_every_nightly_build_came(collected: Collected) -> None:
    """Each night has the run that its schedule brought, in time; the workflow's file tells the schedule."""
    nights = _nights(collected)
    assert _starts(collected) == nights
    found = rows(collected.home, "from marts.schedules")
    assert {row["repository"]: (row["state"], row["told_by"], row["cron"], row["on_time_count"]) for row in found} == {
        repository: ("ok", "file", "0 2 * * *", len(came)) for repository, came in nights.items()
    }


def test_settings_tell_a_schedule_without_files(missed: Collected) -> None:
    """Where nothing tells one, nothing is assumed."""
    nights = _nights(missed)
    assert _starts(missed) == {PLATFORM: nights[PLATFORM]}
    states = {row["repository"]: (row["state"], row["told_by"]) for row in rows(missed.home, "from marts.schedules")}
    assert states == {**dict.fromkeys(nights, ("unknown", None)), PLATFORM: ("ok", "settings")}


def _nights(collected: Collected) -> dict[str, list[Row]]:
    """Return of each repository what its nights must have brought, the first first."""
    nights: dict[str, list[Row]] = {}
    for run in sorted(collected.truth["runs"], key=lambda run: str(run["created_at"])):
        if run["event"] == "schedule":
            came = nights.setdefault(str(run["repository"]), [])
            night = f"2025-01-{6 + len(came):02d}T02:00:00Z"
            row = {"expected_at": night, "run_id": run["run_id"], "started_at": run["created_at"], "state": "on_time"}
            came.append(row)
    return nights


def _starts(collected: Collected) -> dict[str, list[Row]]:
    """Return of each repository what our tables say of its nights."""
    times = at("expected_at", "started_at")
    query = (
        f"select repository, run_id, state, {times} from marts.scheduled_starts order by scheduled_starts.expected_at"
    )
    found: dict[str, list[Row]] = {}
    for row in rows(collected.home, query):
        found.setdefault(str(row.pop("repository")), []).append(row)
    return found


def test_jobs_called_flaky_failed_by_chance(collected: Collected) -> None:
    """Every failure that a pass contradicts was chance, and every chance failure whose job passed later is found."""
    causes = {row["job_id"]: row["cause"] for row in collected.truth["failure_causes"]}
    evidence = rows(
        collected.home, "select job_id, failed_url, passed_url from marts.job_flakes where level in ('L1', 'L2')"
    )
    assert {causes[row["job_id"]] for row in evidence} <= {"chance"}
    assert all(row["failed_url"] != row["passed_url"] for row in evidence)
    failed = {row["job_id"]: row for row in collected.truth["flakes"] if row["kind"] == "failure"}
    found = {row["job_id"] for row in evidence}
    assert {job for job, row in failed.items() if row["passed_in_attempt"]} <= found <= set(failed)
    by_name = {(row["workflow"], row["job"]) for job, row in failed.items() if job in found}
    listed = rows(collected.home, "select workflow, job from marts.flaky_jobs where flaky_count > 0")
    assert {(row["workflow"], row["job"]) for row in listed} == by_name


def test_nothing_is_missing(collected: Collected) -> None:
    """Argo CD's own counters agree, and no gap is stated."""
    for row in rows(collected.home, "from marts.argocd_audit"):
        assert row["argocd_count"] == row["operation_count"] == len(_counted(collected, row))
    assert rows(collected.home, "select subject, note from marts.data_health where missing_count > 0") == []


def test_what_was_missed_is_counted(missed: Collected) -> None:
    """Of what nobody looked at in time nothing is made up, and exactly so much is stated to be missing."""
    query = f"select application, {at('started_at', 'finished_at')}, status, kind, history_id from marts.operations"
    found = rows(missed.home, query)
    here = {(row["application"], row["started_at"]) for row in found}
    truth = [row for row in missed.truth["deployments"] if (row["application"], row["started_at"]) in here]
    assert differences(truth, found, ("application", "started_at")) == []
    audits = rows(missed.home, "from marts.argocd_audit")
    for row in audits:
        counted = _counted(missed, row)
        lost = [one for one in counted if (one["application"], one["started_at"]) not in here]
        assert (row["argocd_count"], row["missing_count"]) == (len(counted), len(lost))
    assert sum(row["missing_count"] for row in audits) > 0
    gaps = rows(missed.home, "select application, missing_count from marts.applications")
    assert {row["application"]: row["missing_count"] for row in gaps} == _gaps(missed, found)


def test_github_misses_nothing(missed: Collected) -> None:
    """Runs, attempts and jobs are all there however seldom somebody looks, within the days that GitHub keeps."""
    for name in ("runs", "attempts", "jobs"):
        key, query = TABLES[name]
        assert differences(known(name, missed.truth), rows(missed.home, query), key) == []


def test_the_files_tell_the_same(tmp_path: Path) -> None:
    """A header, every row once, sorted; written again they are the same bytes."""
    now = START + 3 * DAY
    counts = write_truth(tmp_path / "one", now, days=5, pace=0.3, count=2)
    write_truth(tmp_path / "other", now, days=5, pace=0.3, count=2)
    assert set(counts) == set(COLUMNS)
    for name, count in counts.items():
        text = (tmp_path / "one" / f"{name}.csv").read_text("utf-8")
        header, *lines = csv.reader(text.splitlines())
        assert (tuple(header), len(lines)) == (COLUMNS[name], count)
        assert lines == sorted(lines)
        assert (tmp_path / "other" / f"{name}.csv").read_text("utf-8") == text


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file in place of the folder, or a moment before the organisation was founded, is one clear line."""
    (tmp_path / "file").touch()
    with pytest.raises(TruthError, match=r"file: cannot be written \(File exists\)"):
        write_truth(tmp_path / "file", START, days=1)
    with pytest.raises(TruthError, match="founded on 2025-01-06"):
        write_truth(tmp_path, START - 1, days=1)


def test_the_command_writes_the_truth_of_a_moment(tmp_path: Path) -> None:
    """It says how much it wrote, the same as the function does; what it cannot do is one line and exit code 1."""
    home = {"PHOENIX_HOME": str(tmp_path / "home")}
    options = ["--pace", "0.3", "--seed", "3", "--repositories", "2", "--at", "2025-01-08T12:00Z"]
    done = phoenix("demo", "--truth", str(tmp_path / "truth"), *options, **home)
    counts = write_truth(tmp_path / "same", START + 2 * DAY + DAY // 2, seed=3, pace=0.3, count=2)
    assert (done.returncode, done.stdout.split()[:5]) == (0, [f"{sum(counts.values()):,}", "rows", "in", "10", "files"])
    for name in counts:
        written, same = (tmp_path / folder / f"{name}.csv" for folder in ("truth", "same"))
        assert written.read_bytes() == same.read_bytes()
    wrong = phoenix("demo", "--truth", str(tmp_path / "truth"), "--at", "noon", **home)
    assert (wrong.returncode, wrong.stderr.strip()) == (
        1, "phoenix: --at: 'noon' is not a moment; give one such as 2026-03-01T12:00Z"
    )  # fmt: skip


def differences(truth: Iterable[Row], found: Iterable[Row], key: tuple[str, ...]) -> list[str]:
    """Return where two tables differ, a line for each value; columns that only one of them has are left out."""
    expected, shown = _by_key(truth, key), _by_key(found, key)
    lines = [f"missing: {expected[one]}" for one in expected if one not in shown]
    lines += [f"invented: {shown[one]}" for one in shown if one not in expected]
    for one in expected:
        for column, value in shown.get(one, {}).items():
            if column in expected[one] and expected[one][column] != value:
                lines.append(f"{one}: {column} is {value}, expected {expected[one][column]}")
    return lines


def _by_key(table: Iterable[Row], key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    listed = list(table)
    keyed = {tuple(row[name] for name in key): row for row in listed}
    assert len(keyed) == len(listed)
    return keyed


def known(name: str, truth: dict[str, list[Row]]) -> list[Row]:
    """Return a table of the truth less what is not read: the jobs of runs whose first attempt is under way."""
    under_way = _under_way(truth)
    if name in ("jobs", "costs"):
        return [row for row in truth[name] if row["run_id"] not in under_way]
    unread = {"queue_seconds": None, "billed_minutes": None}
    return [{**row, **unread} if row.get("run_id") in under_way else row for row in truth[name]]


def known_jobs(name: str, truth: dict[str, list[Row]]) -> list[Row]:
    """Return the rows of a table of the truth that are about jobs that are read."""
    under_way = _under_way(truth)
    return [row for row in truth[name] if row["job_id"] is not None and row["run_id"] not in under_way]


def _under_way(truth: dict[str, list[Row]]) -> set[Any]:
    """Return the runs whose first attempt is under way."""
    return {row["run_id"] for row in truth["runs"] if row["status"] != "completed" and row["attempt_count"] == 1}


def _counted(collected: Collected, audit: Row) -> list[Row]:
    """Return the operations that ended as a row of the audit says, in the time that it is about."""
    first, last = (audit[name].strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("counted_from", "counted_to"))
    return [
        row
        for row in collected.truth["deployments"]
        if row["application"] == audit["application"]
        and PHASES.get(row["status"]) == audit["phase"]
        and first < row["finished_at"] <= last
    ]


def _gaps(collected: Collected, found: list[Row]) -> dict[str, int]:
    """Return how many entries of each history are missing between those that were seen."""
    gaps = {}
    for name in collected.organisation.lives:
        seen = sorted(
            row["history_id"] for row in found if row["application"] == name and row["history_id"] is not None
        )
        gaps[name] = seen[-1] - seen[0] + 1 - len(seen) if seen else 0
    return gaps


def _path_by_needs(jobs: list[Row]) -> list[int]:
    """Return the ids of the jobs an attempt took its time with, by what the workflow files need, the first first."""
    path: list[Row] = []
    awaited = jobs
    while awaited:
        last = max(job["completed_at"] for job in awaited)
        path.insert(0, min((job for job in awaited if job["completed_at"] == last), key=lambda job: job["started_at"]))
        awaited = [job for job in jobs if _name(job) in NEEDS[_name(path[0])]]
    return [job["job_id"] for job in path]


def _ends_coincide(jobs: list[Row]) -> bool:
    ends = sorted(datetime.fromisoformat(job["completed_at"]) for job in jobs)
    return any(after - before <= timedelta(seconds=1) for before, after in pairwise(ends))


def _name(job: Row) -> str:
    return job["job"].partition(" (")[0]


def _built_at(truth: dict[str, list[Row]], delivered: Row) -> str:
    runs = {
        row["run_id"]
        for row in truth["runs"]
        if row["head_sha"] == delivered["sha"] and row["event"] not in ("pull_request", "schedule")
    }
    ends = [row["completed_at"] for row in truth["jobs"] if row["run_id"] in runs and row["conclusion"] == "success"]
    return max(end for end in ends if end <= delivered["started_at"])
