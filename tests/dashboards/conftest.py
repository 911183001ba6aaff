"""A small organisation, written to landing by hand and published through the real path; its truth as plain values."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from phoenix_metrics.warehouse.landing import Record, write_batch
from tests.conftest import publish_landing

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
SHOP, TOOLS = "acme/shop", "acme/tools"
REPOSITORIES = {SHOP: 1, TOOLS: 2}
WORKFLOWS = {(SHOP, "CI"): 10, (SHOP, "Nightly"): 11, (TOOLS, "CI"): 20}


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run, with one job that waited and then ran to the attempt's end."""

    conclusion: str
    minutes: float = 10
    queue_seconds: int = 5


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
        Record(id_, id_, now, json.dumps({"full_name": name, "default_branch": "main"}))
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
                "head_sha": f"{run_id:040x}",
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
                "name": "test (3.12)",
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


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the dashboard on a home, with query parameters, and return it."""

    def open_page(home: Path, page: str = "overview", **parameters: str) -> AppTest:
        for name in [name for name in os.environ if name.startswith("PHOENIX_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PHOENIX_HOME", str(home))
        app = AppTest.from_file(str(APP), default_timeout=20)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page != "overview":
            app.switch_page(f"views/{page}.py")
        app.run()
        assert not app.exception
        return app

    return open_page
