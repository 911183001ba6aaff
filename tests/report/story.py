"""Six weeks of a small team, as plain values, and the same landed and published through the real path.

The report is written on Monday 23 November 2026 at six: its days are the 16th to the 22nd, those before the 9th to the
15th. From the 16th on more fails; from the 19th on the build takes half as long again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.demo.argocd.actions import Action, Commit, Create, Outcome, Rollback, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.rules import Rules
from tests import argocd_server
from tests.conftest import publish_landing

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
END = date(2026, 11, 23)
SHOP, DOCS = "acme/shop", "acme/docs"
REPOSITORIES = {SHOP: 1, DOCS: 2}
WORKFLOWS = {(SHOP, "CI"): 10, (SHOP, "Nightly"): 11, (DOCS, "Site"): 20}
BUDGET = 40  # USD a month
RULES = Rules(
    spending_limits=[("total", "total", "%", BUDGET)],
    schedules=[("acme/shop", "Nightly", "0 2 * * *", "UTC", 30)],
)
PUSHES = range(8, 20, 2)  # hours of a day
SLOWER_FROM = date(2026, 11, 19)
LATE_NIGHT, MISSED_NIGHT = date(2026, 11, 18), date(2026, 11, 21)


@dataclass(frozen=True)
class Job:
    """A job of an attempt: how long it waited and ran, how it ended, and the step that failed, if one did."""

    name: str
    seconds: int
    conclusion: str = "success"
    step: str | None = None
    queue_seconds: int = 5
    label: str = "ubuntu-latest"


@dataclass(frozen=True)
class Run:
    """A run and its attempts, each with its conclusion and its one job; the next begins five minutes after."""

    number: int
    created_at: datetime
    attempts: tuple[Job, ...]
    repository: str = SHOP
    workflow: str = "CI"
    event: str = "push"
    branch: str = "main"
    page: str = ""  # at GitHub unless said

    @property
    def url(self) -> str:
        """Its page."""
        return self.page or f"https://github.com/{self.repository}/actions/runs/{self.number}"

    @property
    def sha(self) -> str:
        """Its commit."""
        return f"{self.number:07x}{self.number:033x}"

    @property
    def starts(self) -> tuple[datetime, ...]:
        """When each attempt began."""
        found, at = [], self.created_at
        for job in self.attempts:
            found.append(at)
            at += timedelta(seconds=job.queue_seconds + job.seconds, minutes=5)
        return tuple(found)

    @property
    def final(self) -> Job:
        """The job of the last attempt."""
        return self.attempts[-1]


def story() -> list[Run]:
    """Return all runs: pushes to main and a branch, nights, and those of the other repository."""
    runs: list[Run] = []

    def add(at: datetime, *jobs: Job, **changes: Any) -> None:
        runs.append(Run(1000 + len(runs), at, jobs, **changes))

    add(datetime(2026, 10, 12, 9, tzinfo=UTC), Job("build", 300))
    for age in range(14, -1, -1):
        day = datetime(END.year, END.month, END.day, tzinfo=UTC) - timedelta(days=age)
        for index, hour in enumerate(PUSHES if age else ()):
            add(day + timedelta(hours=hour), *_built(day.date(), age, index))
        if day.date() != MISSED_NIGHT:
            late = 50 if day.date() == LATE_NIGHT else 4
            add(day + timedelta(hours=2, minutes=late), Job("soak", 1800), workflow="Nightly", event="schedule")
        if age % 3 == 1:
            page = Job("page", 90, label="our-box")
            add(day + timedelta(hours=7), page, repository=DOCS, workflow="Site")
    branch = datetime(2026, 11, 17, 15, tzinfo=UTC)
    add(branch, Job("build", 120, "cancelled"), branch="topic")
    add(branch + timedelta(minutes=1), Job("build", 290), branch="topic")
    return runs


def _built(day: date, age: int, index: int) -> tuple[Job, ...]:
    """Return the attempts of a push: one a week is flaky, of the last seven days' the second and the fifth fail."""
    seconds = (450 if day >= SLOWER_FROM else 300) + (index * 7 + age * 3) % 11
    passed = Job("build", seconds, queue_seconds=4 + index)
    if index == 2 and age in (3, 10):
        return Job("build", 200, "failure", "Run unit tests"), passed
    if age <= 7 and index == 1:
        return (Job("build", 100, "failure", "Run unit tests"),)
    if (age <= 7 and index == 4) or (age in (9, 12) and index == 1):
        return (Job("gate", 40, "failure", "Frobnicate" if age % 2 else "Install dependencies"),)
    return (passed,)


@dataclass(frozen=True)
class Delivery:
    """A sync of the service api to production, of the commit of a run, or back to an entry of the history."""

    at: datetime
    run: int
    is_failure: bool = False
    back_to: int | None = None


def deliveries(runs: list[Run]) -> list[Delivery]:
    """Return what was delivered: once a day but on two, one of them in vain, one undone an hour later."""
    found, entry = [], 0
    for day in (10, 11, 12, 14, 16, 17, 18, 20):
        at = datetime(2026, 11, day, 9, tzinfo=UTC)
        run = next(run for run in runs if run.workflow == "CI" and run.created_at == at - timedelta(hours=1))
        found.append(Delivery(at, run.number, is_failure=day == 17))
        entry += day != 17
        if day == 18:
            found.append(Delivery(at + timedelta(hours=1), run.number, back_to=entry - 2))
    return found


def publish(
    home: Path,
    runs: list[Run],
    told: Sequence[Delivery] = (),
    rules: Rules = RULES,
    passes: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Land runs and deliveries, as if read at NOW, and publish them; passes of repositories may differ from that."""
    if told:
        _deliver(home, runs, told)
    for name, number in REPOSITORIES.items():
        _land(
            home, "github_repositories", number, number, {"full_name": name, "default_branch": "main", "private": True}
        )
        sync = {"repository": name, "repository_id": number, "state": "ok", "missing_window_count": 0}
        sync |= {"finished_at": NOW.isoformat(), "complete_since": "2026-10-01T00:00:00Z"}
        _land(home, "github_syncs", number, None, {**sync, **(passes or {}).get(name, {})})
    for (repository, workflow), number in WORKFLOWS.items():
        listed = {
            "id": number,
            "name": workflow,
            "path": f".github/workflows/{workflow.lower()}.yml",
            "state": "active",
        }
        _land(home, "github_workflows", REPOSITORIES[repository], number, listed)
    for source, repository, number, payload in [*payloads(runs), *reports(runs)]:
        _land(home, source, REPOSITORIES[repository], number, payload)
    publish_landing(home, rules)


def is_tested(run: Run) -> bool:
    """Whether a run uploaded a report: builds of main that passed at once."""
    return (
        run.workflow == "CI" and run.branch == "main" and len(run.attempts) == 1 and run.final.conclusion == "success"
    )


def is_shaky(run: Run) -> bool:
    """Whether its report says that a test failed at first."""
    return is_tested(run) and run.number % 10 == 0


def reports(runs: list[Run]) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield the artifacts and reports of runs: two cases each, one of which now and then passed only when run again."""
    for run in filter(is_tested, runs):
        found = {"artifact_id": run.number, "run_id": run.number, "report": "junit.xml"}
        cases = [
            {
                "position": place,
                "suite": "unit",
                "class_name": "CartTest",
                "name": test,
                "ordinal": 1,
                "result": "passed",
            }
            | {"rerun_count": int(test == "adds" and is_shaky(run))}
            for place, test in enumerate(("adds", "removes"), 1)
        ]
        read = {"state": "parsed", "root": "testsuites", "suite_count": 1, "case_count": 2, "passed_count": 2}
        artifact = {"id": run.number, "run_id": run.number, "name": "junit-build", "created_at": _text(_end(run))}
        artifact |= {"state": "parsed", "report_count": 1, "case_count": 2}
        yield "github_artifacts", run.repository, run.number, artifact
        yield "test_reports", run.repository, run.number, {**found, "part": 1, "cases": cases}
        yield "test_reports", run.repository, run.number, {**found, "part": 0, **read}


def _end(run: Run) -> datetime:
    return run.created_at + timedelta(seconds=run.final.queue_seconds + run.final.seconds)


def payloads(runs: list[Run]) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield what GitHub says of each attempt and its job, with the landing object and the repository."""
    for run in runs:
        for attempt, (job, started) in enumerate(zip(run.attempts, run.starts, strict=True), 1):
            ended = started + timedelta(seconds=job.queue_seconds + job.seconds)
            yield "github_runs", run.repository, run.number, _run(run, attempt, job, started, ended)
            yield "github_jobs", run.repository, run.number * 10 + attempt, _job(run, attempt, job, started, ended)


def _run(run: Run, attempt: int, job: Job, started: datetime, ended: datetime) -> dict[str, Any]:
    return {
        "id": run.number,
        "run_attempt": attempt,
        "run_number": run.number - 999,
        "workflow_id": WORKFLOWS.get((run.repository, run.workflow), 99),
        "name": run.workflow,
        "path": f".github/workflows/{run.workflow.lower()}.yml",
        "event": run.event,
        "head_branch": run.branch,
        "head_sha": run.sha,
        "head_commit": {"timestamp": _text(run.created_at - timedelta(minutes=10))},
        "head_repository": {"id": REPOSITORIES[run.repository]},
        "status": "completed",
        "conclusion": job.conclusion,
        "display_title": "Change",
        "created_at": _text(run.created_at),
        "run_started_at": _text(started),
        "updated_at": _text(ended),
        "html_url": run.url,
    }


def _job(run: Run, attempt: int, job: Job, started: datetime, ended: datetime) -> dict[str, Any]:
    began = started + timedelta(seconds=job.queue_seconds)
    times = {"status": "completed", "started_at": _text(began), "completed_at": _text(ended)}
    step = {"number": 1, "name": job.step or "Run it", "conclusion": job.conclusion, **times}
    return {
        "id": run.number * 10 + attempt,
        "run_id": run.number,
        "run_attempt": attempt,
        "name": job.name,
        "conclusion": job.conclusion,
        "created_at": _text(started),
        **times,
        "labels": [job.label],
        "runner_id": 7,
        "runner_name": "GitHub Actions 7",
        "runner_group_name": "GitHub Actions",
        "steps": [step],
        "html_url": f"{run.url}/job/{run.number * 10 + attempt}",
    }


def _deliver(home: Path, runs: list[Run], told: Sequence[Delivery]) -> None:
    """Let a simulated Argo CD do it, and look at it ten minutes after each sync, and at NOW."""
    commits = {run.number: run.sha for run in runs}
    began = told[0].at - timedelta(hours=1)
    actions: list[Action] = [Create(int(began.timestamp()), "shop-production", is_automated=False)]
    for number, one in enumerate(told):
        second = int(one.at.timestamp())
        if one.back_to is not None:
            actions.append(Rollback(second, "shop-production", one.back_to, by="ada"))
            continue
        image = {"api": f"ghcr.io/acme/shop/api:main-{commits[one.run]}"}
        outcome = Outcome("Failed", message="denied", applies=False) if one.is_failure else Outcome()
        actions.append(Commit(second, "shop-production", (f"{number + 1:07d}{number:033d}",), image))
        actions.append(Sync(second + 30, "shop-production", by="ada", outcome=outcome))
    cluster = Cluster(actions)
    with argocd_server.serving(cluster, began, token="t") as server:
        environ = {"PHOENIX_HOME": str(home), "PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": "t"}
        settings = load_settings(environ)
        for at in [*(one.at + timedelta(minutes=10) for one in told), NOW]:
            server.now = at
            sync_argocd(settings, lambda: server.now)
        assert cluster.refusals == []


def _land(home: Path, source: str, repository_id: int, number: int | None, payload: dict[str, Any]) -> None:
    write_batch(home, source, [Record(repository_id, number, NOW, json.dumps(payload))])


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
