"""Figures of other public tools on three years of apache/ozone: by their definitions, from our tables, on the page.

Each tool's figures are computed here from the recording in plain Python, as its source defines them. The queries that
docs/definitions.md gives its readers, run on the snapshot, must find the same, and its table must show them. The
recording is not part of the project; where it is absent these tests are skipped.
"""

import json
import math
import re
import statistics
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pytest

from phoenix_metrics.settings import CHECKOUT
from tests.conftest import rows
from tests.recorded.test_ozone import RECORDING, REPLAY, Collected, lines

PAGE = (CHECKOUT / "docs" / "definitions.md").read_text("utf-8").split("## Where other tools differ, and why")[1]
PAGE = PAGE.split("\n## ")[0]
CELL = re.compile(r" \| ")

OURS = {  # figure of a tool -> the column of our own query that answers the same question, if any does
    "gha-doctor": {
        "success_rate": "success_rate",
        "p50_seconds": "p50_seconds",
        "p95_seconds": "p95_seconds",
        "queue_mean_seconds": "queue_mean_seconds",
        "flaky_count": "flaky_count",
        "flaky_failure_count": "flaky_failure_count",
        "billable_minutes": "billable_minutes",
        "failed_job_minutes": None,
    },
    "gh-workflow-stats": {
        "success_rate": "success_rate",
        "success_mean_seconds": "success_mean_seconds",
        "success_median_seconds": "success_median_seconds",
    },
    "timoa/workflow-metrics": {
        "success_rate": "success_rate",
        "success_rate_newest_1000": "success_rate",
        "p95_seconds": "p95_seconds",
        "change_failure_rate": None,
        "recovery_mean_seconds": None,
    },
    "KittyChiu/workflow-metrics": {
        "success_rate": "newest_success_rate",
        "duration_mean_seconds": "newest_mean_seconds",
        "duration_median_seconds": "newest_median_seconds",
    },
    "github_actions_performance_analyzer": {
        "success_rate": "success_rate",
        "success_p95_seconds": "success_p95_seconds",
        "longest_job_p95_seconds": "success_p95_seconds",
        "coverage_success_rate": "coverage_success_rate",
        "flaky_count": "flaky_count",
    },
}
AGREED = {"gha-doctor": "success_rate", "KittyChiu/workflow-metrics": "success_rate"}

pytestmark = pytest.mark.skipif(not (RECORDING.is_dir() and REPLAY.is_file()), reason="the recording is not here")


@dataclass(frozen=True)
class Job:
    name: str
    conclusion: str | None
    attempt: int
    created: float | None
    started: float | None
    completed: float | None
    labels: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        return None if self.started is None or self.completed is None else self.completed - self.started


@dataclass(frozen=True)
class Run:
    run_id: int
    attempt: int
    sha: str
    status: str
    conclusion: str | None
    created: float
    started: float
    updated: float
    jobs: tuple[Job, ...]

    @property
    def seconds(self) -> float:
        return self.updated - self.started


def at(stamp: object) -> float | None:
    return datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp() if stamp else None


def as_run(run: dict[str, object], jobs: Iterable[Job]) -> Run:
    """Read a run as GitHub describes it today: the API gained attempts and their starts only during the recording."""
    created, updated = at(run["created_at"]), at(run["updated_at"])
    assert created
    assert updated
    ids = int(str(run["id"])), int(str(run.get("run_attempt") or 1))
    conclusion = run["conclusion"] and str(run["conclusion"])
    started = at(run.get("run_started_at")) or created
    return Run(*ids, str(run["head_sha"]), str(run["status"]), conclusion, created, started, updated, tuple(jobs))


@pytest.fixture(scope="module")
def recorded() -> list[Run]:
    """All runs, newest first as GitHub lists them, each with its jobs."""
    jobs: dict[object, list[Job]] = defaultdict(list)
    for job in lines("jobs"):
        times = (at(job.get(key)) for key in ("created_at", "started_at", "completed_at"))
        attempt, labels = int(str(job.get("run_attempt") or 1)), job.get("labels") or []
        assert isinstance(labels, list)
        conclusion = job["conclusion"] and str(job["conclusion"])
        jobs[job["run_id"]].append(Job(str(job["name"]), conclusion, attempt, *times, tuple(labels)))
    runs = (as_run(run, jobs[run["id"]]) for run in lines("runs"))
    return sorted(runs, key=lambda run: (run.created, run.run_id), reverse=True)


def earlier_attempts(runs: list[Run], url: str) -> list[Run]:
    """Ask the recording's server for the attempts before the latest ones."""
    found = []
    for run in runs:
        for number in range(1, run.attempt):
            address = f"{url}/repos/apache/ozone/actions/runs/{run.run_id}/attempts/{number}"
            with urllib.request.urlopen(address, timeout=10) as answer:
                found.append(as_run(json.loads(answer.read()), ()))
    return found


def share(part: Iterable[object], whole: Iterable[object]) -> float:
    return len(list(part)) / len(list(whole))


def interpolated(values: Iterable[float], p: float) -> float:
    """Return a percentile as numpy has it by default."""
    ordered = sorted(values)
    place = p * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def ended(runs: list[Run], *conclusions: str) -> list[Run]:
    return [run for run in runs if run.status == "completed" and run.conclusion in conclusions]


def gha_doctor(runs: list[Run]) -> dict[str, float]:
    completed = [run for run in runs if run.status == "completed"]
    decided = ended(runs, "success", "failure", "timed_out", "startup_failure")
    lasted = sorted(run.seconds for run in decided)
    jobs = [(run, job) for run in completed for job in run.jobs]
    waits = [job.started - job.created for _, job in jobs if job.started and job.created and job.started > job.created]
    outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for run, job in jobs:
        if job.conclusion in ("success", "failure"):
            outcomes[job.name, run.sha][job.conclusion] += 1
    flaky = [seen["failure"] for seen in outcomes.values() if len(seen) == 2]
    timed = [(run, job, job.seconds / 60) for run, job in jobs if job.seconds is not None and job.seconds >= 0]
    last = {run.run_id: max((job.attempt for job in run.jobs), default=1) for run in completed}
    return {
        "success_rate": share(ended(runs, "success"), decided),
        "p50_seconds": lasted[int(0.5 * (len(lasted) - 1))],
        "p95_seconds": lasted[int(0.95 * (len(lasted) - 1))],
        "queue_mean_seconds": statistics.fmean(waits),
        "flaky_count": len(flaky),
        "flaky_failure_count": sum(flaky),
        "billable_minutes": sum(math.ceil(minutes) * weight(job.labels) for _, job, minutes in timed),
        "failed_job_minutes": sum(
            minutes * weight(job.labels)
            for run, job, minutes in timed
            if (run.conclusion, job.conclusion, job.attempt) == ("failure", "failure", last[run.run_id])
        ),
    }


def weight(labels: tuple[str, ...]) -> int:
    """Return the multiplier of a runner; a self-hosted one counts nothing, and apache/ozone has none."""
    names = [label.lower() for label in labels]
    assert "self-hosted" not in names
    factors = {"macos": 10, "windows": 2}
    return next((factor for name in names for system, factor in factors.items() if name.startswith(system)), 1)


def gh_workflow_stats(runs: list[Run], url: str) -> dict[str, float]:
    attempts = [*runs, *earlier_attempts(runs, url)]
    successes = [run.seconds for run in attempts if run.conclusion == "success"]
    return {
        "success_rate": share(successes, attempts),
        "success_mean_seconds": statistics.fmean(successes),
        "success_median_seconds": statistics.median(successes),
    }


def timoa(runs: list[Run]) -> dict[str, float]:
    completed = [run for run in runs if run.status == "completed"]
    newest = [run for run in runs[:1000] if run.status == "completed"]
    lasted = sorted(run.seconds for run in completed)
    by_end = sorted(completed, key=lambda run: run.updated)
    recoveries, next_success = [], None
    for run in reversed(by_end):
        if run.conclusion == "success":
            next_success = run.updated
        elif run.conclusion == "failure" and next_success is not None:
            recoveries.append(next_success - run.updated)
    return {
        "success_rate": share(ended(runs, "success"), completed),
        "success_rate_newest_1000": share(ended(newest, "success"), newest),
        "p95_seconds": lasted[math.ceil(0.95 * len(lasted)) - 1],
        "change_failure_rate": share(ended(runs, "failure"), ended(runs, "success", "failure")),
        "recovery_mean_seconds": statistics.fmean(recoveries),
    }


def kitty_chiu(runs: list[Run]) -> dict[str, float]:
    page = runs[:100]
    return {
        "success_rate": share([run for run in page if run.conclusion in ("success", "skipped")], page),
        "duration_mean_seconds": statistics.fmean(run.seconds for run in page),
        "duration_median_seconds": statistics.median(run.seconds for run in page),
    }


def performance_analyzer(runs: list[Run]) -> dict[str, float]:
    kept = [run for run in runs if run.conclusion is not None and run.status not in ("in_progress", "queued")]
    successes = [run for run in kept if run.conclusion == "success"]
    starts = [[job.started for job in run.jobs if job.started] for run in successes]
    ends = [[job.completed for job in run.jobs if job.completed] for run in successes]
    longest = [[job.seconds for job in run.jobs if job.seconds is not None] for run in successes]
    coverage = [job for run in kept for job in run.jobs if job.name == "coverage"]
    passed_again = {
        (run.run_id, job.name) for run in kept for job in run.jobs if job.attempt > 1 and job.conclusion == "success"
    }
    flaky = [
        job
        for run in kept
        for job in run.jobs
        if job.attempt == 1 and job.conclusion == "failure" and (run.run_id, job.name) in passed_again
    ]
    return {
        "success_rate": share(successes, kept),
        "success_p95_seconds": interpolated(
            (max(b) - min(a) for a, b in zip(starts, ends, strict=True) if a and b), 0.95
        ),
        "longest_job_p95_seconds": interpolated((max(each) for each in longest if each), 0.95),
        "coverage_success_rate": share([job for job in coverage if job.conclusion == "success"], coverage),
        "flaky_count": len(flaky),
    }


def from_tables(ozone: Collected, name: str) -> dict[str, object]:
    """Return the one row of the page's query for a tool, or for us."""
    (query,) = re.findall(rf"\n(?:### )?{name}:?\n\n```sql\n(.*?)```", PAGE, re.DOTALL)
    (row,) = rows(ozone.settings.home, query)
    return row


def on_the_page(tool: str) -> dict[str, tuple[str, str]]:
    """Return what the page's table shows for each figure of a tool: theirs and ours."""
    cells = [CELL.split(line.strip("| ")) for line in PAGE.splitlines() if line.startswith(f"| {tool} |")]
    return {figure: (theirs, ours) for _, figure, _, theirs, ours, _ in cells}


def shown(figure: str, value: object) -> str:
    """Write a figure as the page does: its name tells the unit."""
    if value is None:
        return "none"
    number = float(str(value))
    if "_rate" in figure:
        return f"{number:.2%}".replace("%", " %")
    if figure.endswith("_seconds"):
        return f"{number:,.2f} s"
    return f"{number:,.0f}" + (" min" if figure.endswith("_minutes") else "")


@pytest.fixture(scope="module")
def own(ozone: Collected) -> dict[str, object]:
    """Our figures, by the page's query."""
    return from_tables(ozone, "Ours")


def check(tables: dict[str, object], own: dict[str, object], tool: str, theirs: dict[str, float]) -> None:
    """Compare a tool's figures from our tables, from the recording (`theirs`) and on the page, there beside our own."""
    assert {figure: float(str(value)) for figure, value in tables.items()} == pytest.approx(theirs, rel=1e-9)
    ours = {figure: own[column] if column else None for figure, column in OURS[tool].items()}
    assert on_the_page(tool) == {
        figure: (shown(figure, value), shown(figure, ours[figure])) for figure, value in theirs.items()
    }
    if tool in AGREED:
        assert ours[AGREED[tool]] == pytest.approx(theirs[AGREED[tool]], rel=1e-9)


def test_gha_doctor(ozone: Collected, own: dict[str, object], recorded: list[Run]) -> None:
    """Its success rate is ours; its clock, flaky jobs and minutes are found in our tables by its definitions."""
    tool = "gha-doctor"
    check(from_tables(ozone, tool), own, tool, gha_doctor(recorded))


def test_gh_workflow_stats(ozone: Collected, own: dict[str, object], recorded: list[Run]) -> None:
    """Every attempt is in our tables, so is a rate over all of them."""
    tool = "gh-workflow-stats"
    check(from_tables(ozone, tool), own, tool, gh_workflow_stats(recorded, ozone.url))


def test_timoa_workflow_metrics(ozone: Collected, own: dict[str, object], recorded: list[Run]) -> None:
    """With and without the 1,000 runs that a filter lists, and what it calls change failures."""
    tool = "timoa/workflow-metrics"
    check(from_tables(ozone, tool), own, tool, timoa(recorded))


def test_kitty_chiu_workflow_metrics(ozone: Collected, own: dict[str, object], recorded: list[Run]) -> None:
    """The newest page of 100 runs; its rate is ours where nothing was skipped or open."""
    tool = "KittyChiu/workflow-metrics"
    check(from_tables(ozone, tool), own, tool, kitty_chiu(recorded))


def test_performance_analyzer(ozone: Collected, own: dict[str, object], recorded: list[Run]) -> None:
    """Spans and longest jobs, a job that others cause to be skipped, and re-runs that the recording does not hold."""
    tool = "github_actions_performance_analyzer"
    check(from_tables(ozone, tool), own, tool, performance_analyzer(recorded))


def test_what_the_page_says_of_ours_in_passing(own: dict[str, object]) -> None:
    """The ratio of first attempts, and the percentile over the runs that jobs measure."""
    assert f"({shown('success_rate', own['first_success_rate'])})" in PAGE
    assert f"without these it is {shown('p95_seconds', own['measured_p95_seconds'])}" in PAGE


def test_what_the_tools_themselves_printed() -> None:
    """Two tools' own code and a third's queries, run on the replayed recording, printed what the page shows."""
    printed = {
        ("KittyChiu/workflow-metrics", "success_rate"): 0.6000,
        ("KittyChiu/workflow-metrics", "duration_mean_seconds"): 6116.59,
        ("KittyChiu/workflow-metrics", "duration_median_seconds"): 5900.50,
        ("timoa/workflow-metrics", "success_rate"): 0.5738454503886603,
        ("timoa/workflow-metrics", "success_rate_newest_1000"): 0.50,
        ("timoa/workflow-metrics", "p95_seconds"): 10141.000,
        ("timoa/workflow-metrics", "recovery_mean_seconds"): 48616.771,
        ("github_actions_performance_analyzer", "success_rate"): 0.5738454503886603,
        ("github_actions_performance_analyzer", "success_p95_seconds"): 9176.90,
        ("github_actions_performance_analyzer", "longest_job_p95_seconds"): 7791.550,
        ("github_actions_performance_analyzer", "flaky_count"): 0,
    }
    assert {key: on_the_page(key[0])[key[1]][0] for key in printed} == {
        key: shown(key[1], value) for key, value in printed.items()
    }
