"""A small organisation, written to landing by hand and published through the real path; its truth as plain values."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.demo.argocd.actions import Action, Commit, Create, Outcome, Rollback, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.landing import Record, write_batch
from tests import argocd_server
from tests.conftest import publish_landing
from tests.dashboards.stories import publish_story
from tests.report.story import story

PAGES = ("overview", "workflow", "flakiness", "cost", "deliveries", "quality", "alerts", "health", "sql")
APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
SHOP, TOOLS = "acme/shop", "acme/tools"
REPOSITORIES = {SHOP: 1, TOOLS: 2}
VISIBILITY = {SHOP: {"private": True}}  # of the other it is not known, so that its jobs have no price
USD_PER_MINUTE = 0.006  # of ubuntu-latest in a private repository, as GitHub lists it since January 2026
WORKFLOWS = {(SHOP, "CI"): 10, (SHOP, "Nightly"): 11, (TOOLS, "CI"): 20}
COMMITTED_BEFORE = timedelta(minutes=10)  # so long before its run a commit was made
SERVICES = {"production": ("api", "web"), "staging": ("api",)}
ROLLED_BACK_TO = 6  # of production's history, the entry before the newest eight days ago


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run, with one job that waited and then ran to the attempt's end."""

    conclusion: str
    minutes: float = 10
    queue_seconds: int = 5
    job: str = "test (3.12)"


@dataclass(frozen=True)
class Run:
    """A run as the tests know it: the truth the dashboard has to show."""

    age: timedelta
    attempts: tuple[Attempt, ...]
    repository: str = SHOP
    workflow: str = "CI"
    branch: str = "main"
    event: str = "push"

    @property
    def final(self) -> Attempt:
        """The attempt the run ended with."""
        return self.attempts[-1]


@dataclass(frozen=True)
class Organisation:
    """Runs, and how ingestion went for each repository: its state, a note, and stretches still missing."""

    runs: tuple[Run, ...]
    states: dict[str, tuple[str, str | None, int]] = field(default_factory=dict)


def organisation() -> Organisation:
    """Return 29 recent runs on main of which 9 failed, 2 others, and 25 calmer ones a period earlier."""
    recent = [
        Run(timedelta(hours=2, minutes=5 * index), (Attempt("failure" if index % 3 == 0 else "success", 10 + index),))
        for index in range(24)
    ]
    flaky = Run(timedelta(days=2), (Attempt("failure", 30, 41), Attempt("success", 50, 60)))
    nightly = [
        Run(timedelta(days=age), (Attempt("success", 90),), workflow="Nightly", event="schedule") for age in (1, 3)
    ]
    tools = [Run(timedelta(days=4), (Attempt("failure", 20),), repository=TOOLS)]
    stopped = [Run(timedelta(days=5), (Attempt("cancelled", 15),)), Run(timedelta(days=6), (Attempt("skipped", 1),))]
    branches = [Run(timedelta(hours=30), (Attempt("failure", 7),), branch=f"fix-{index}") for index in range(3)]
    earlier = [Run(timedelta(days=40), (Attempt("success" if index else "failure", 8),)) for index in range(25)]
    return Organisation((*recent, flaky, *nightly, *tools, *stopped, *branches, *earlier))


def publish(home: Path, world: Organisation, now: datetime) -> None:
    """Write the organisation's payloads to landing, then load, build and publish like the pipeline."""
    jobs, runs = [], []
    for run_id, run in enumerate(world.runs, start=1000):
        for payload, job in _payloads(run_id, run, now):
            repository_id = REPOSITORIES[run.repository]
            runs.append(Record(repository_id, run_id, now, json.dumps(payload)))
            jobs.append(Record(repository_id, job["id"], now, json.dumps(job)))
    described = [
        Record(id_, id_, now, json.dumps({"full_name": name, "default_branch": "main", **VISIBILITY.get(name, {})}))
        for name, id_ in REPOSITORIES.items()
    ]
    syncs = [Record(id_, None, now, json.dumps(_sync(name, id_, world, now))) for name, id_ in REPOSITORIES.items()]
    write_batch(home, "github_repositories", described)
    write_batch(home, "github_syncs", syncs)
    if runs:
        write_batch(home, "github_jobs", jobs)
        write_batch(home, "github_runs", runs)
    publish_landing(home)


def _payloads(run_id: int, run: Run, now: datetime) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    created = now - run.age
    started = created
    for number, attempt in enumerate(run.attempts, start=1):
        ended = started + timedelta(minutes=attempt.minutes)
        url = f"https://github.com/{run.repository}/actions/runs/{run_id}"
        yield (
            {
                "id": run_id,
                "run_attempt": number,
                "run_number": run_id - 999,
                "workflow_id": WORKFLOWS[run.repository, run.workflow],
                "name": run.workflow,
                "path": f".github/workflows/{run.workflow.lower()}.yml",
                "event": run.event,
                "head_branch": run.branch,
                "head_sha": commit(run_id),
                "head_commit": {"timestamp": _text(created - COMMITTED_BEFORE)},
                "head_repository": {"id": REPOSITORIES[run.repository]},
                "status": "completed",
                "conclusion": attempt.conclusion,
                "display_title": f"Change <b>{run_id}</b>",
                "created_at": _text(created),
                "run_started_at": _text(started),
                "updated_at": _text(ended),
                "html_url": url,
                "actor": {"login": "ada"},
            },
            {
                "id": run_id * 10 + number,
                "run_id": run_id,
                "run_attempt": number,
                "name": attempt.job,
                "status": "completed",
                "conclusion": attempt.conclusion,
                "created_at": _text(started),
                "started_at": _text(started + timedelta(seconds=attempt.queue_seconds)),
                "completed_at": _text(ended),
                "labels": ["ubuntu-latest"],
                "runner_id": 7,
                "runner_name": "GitHub Actions 7",
                "html_url": f"{url}/job/{run_id * 10 + number}",
            },
        )
        started = ended + timedelta(minutes=5)


def _sync(repository: str, repository_id: int, world: Organisation, now: datetime) -> dict[str, Any]:
    state, note, missing = world.states.get(repository, ("ok", None, 0))
    return {
        "repository": repository,
        "repository_id": repository_id,
        "state": state,
        "note": note,
        "finished_at": now.isoformat(),
        "complete_since": "2020-01-01T00:00:00Z",
        "missing_window_count": missing,
    }


def commit(run_id: int) -> str:
    """Return the commit that a run is of."""
    return f"{run_id:040x}"


STEPS = (  # days ago, environment, how it ends
    *((days, "production", Outcome()) for days in (45, 40, 38, 20, 18, 16)),
    (12, "production", Outcome("Failed", message="denied", applies=False)),
    *((days, "production", Outcome()) for days in (11.9, 8, 5, 3, 1)),
    *((days, "staging", Outcome()) for days in (10, 2)),
)
STRANGE = 9  # the step whose commit no run is of
UNSEEN = 20  # days ago: after that step nobody looked before the next one, so that its images are not known


def delivering() -> Organisation:
    """Return an organisation with a run for each step that is delivered some hours later."""
    runs = [
        Run(timedelta(days=days, hours=2 + number), (Attempt("success"),)) for number, (days, *_) in enumerate(STEPS)
    ]
    return Organisation(tuple(runs))


def delivered(now: datetime) -> list[tuple[datetime, list[Action]]]:
    """Return what Argo CD is asked to do and when: the steps, and that production goes back once."""
    told: list[tuple[datetime, list[Action]]] = []
    for number, (days, environment, outcome) in enumerate(STEPS):
        at = now - timedelta(days=days)
        application, sha = f"shop-{environment}", commit(1000 + number + (500 if number == STRANGE else 0))
        images = {service: f"ghcr.io/acme/shop/{service}:main-{sha}" for service in SERVICES[environment]}
        seconds = int(at.timestamp())
        committed = Commit(seconds, application, (f"{number + 1:040d}",), images)
        told.append((at, [committed, Sync(seconds + 30, application, by="grace", outcome=outcome)]))
    back = now - timedelta(days=7.9)
    told.append((back, [Rollback(int(back.timestamp()), "shop-production", ROLLED_BACK_TO, "linus")]))
    return sorted(told, key=lambda found: found[0])


def publish_deliveries(home: Path, now: datetime, steps: Sequence[tuple[datetime, list[Action]]]) -> None:
    """Let Argo CD do some steps, look at it after each but one, and publish that with the runs."""
    began = min([now, *(at for at, _ in steps)]) - timedelta(hours=1)
    created = [Create(int(began.timestamp()), f"shop-{name}", is_automated=False) for name in SERVICES]
    cluster = Cluster([*created, *(action for _, actions in steps for action in actions)])
    with argocd_server.serving(cluster, began, token="t") as server:
        address = {"PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": "t"}
        settings = load_settings({"PHOENIX_HOME": str(home), **address})
        for at in [*(at + timedelta(minutes=10) for at, _ in steps if at != now - timedelta(days=UNSEEN)), now]:
            server.now = at
            sync_argocd(settings, lambda: server.now)
        assert cluster.refusals == []
    publish(home, delivering(), now)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="session")
def world() -> Organisation:
    """Return the organisation that most tests look at."""
    return organisation()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, world: Organisation) -> Path:
    """Return a home in which that organisation is published."""
    path = tmp_path_factory.mktemp("dashboard")
    publish(path, world, datetime.now(UTC))
    return path


@pytest.fixture(scope="session")
def delivering_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which an organisation delivers to staging and production."""
    path = tmp_path_factory.mktemp("deliveries")
    now = datetime.now(UTC)
    publish_deliveries(path, now, delivered(now))
    return path


@pytest.fixture(scope="session")
def story_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the story of six weeks is published, with flakes, schedules, reports and objectives."""
    path = tmp_path_factory.mktemp("story")
    publish_story(path, story())
    return path


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the dashboard on a home, with query parameters, and return it."""

    def open_page(home: Path, page: str = "overview", **parameters: str) -> AppTest:
        for name in [name for name in os.environ if name.startswith("PHOENIX_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PHOENIX_HOME", str(home))
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page != "overview":
            app.switch_page(f"views/{page}.py")
        app.run()
        assert not app.exception
        return app

    return open_page
