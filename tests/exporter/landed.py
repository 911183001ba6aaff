"""Attempts of workflow runs written by hand, landed as GitHub's payloads and published as a snapshot."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from phoenix_metrics.warehouse.landing import Record, write_batch
from tests.conftest import publish_landing

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REPOSITORIES = {"acme/shop": 1, "acme/api": 2}
PRIVATE = {"acme/shop"}  # others cost nothing on standard runners
WORKFLOWS = {("acme/shop", "CI"): 10, ("acme/shop", "Deploy"): 11, ("acme/api", "CI"): 20}


def ago(**span: float) -> datetime:
    """Return a moment before NOW."""
    return NOW - timedelta(**span)


@dataclass(frozen=True)
class Attempt:
    """An attempt with one job that waited, then ran to the attempt's end; open without a conclusion."""

    run_id: int
    started_at: datetime
    conclusion: str | None = "success"
    duration_seconds: int = 100
    queue_seconds: int = 5
    repository: str = "acme/shop"
    workflow: str = "CI"
    workflow_id: int = 0  # by its name unless said
    run_attempt: int = 1
    runner: str = "ubuntu-latest"
    event: str = "push"
    has_job: bool = True
    seen_at: datetime | None = None  # a minute after the end unless said

    @property
    def number(self) -> int:
        """The workflow's id."""
        known = WORKFLOWS.get((self.repository, self.workflow))
        return self.workflow_id or known or id_of(f"{self.repository} {self.workflow}")

    @property
    def ended_at(self) -> datetime:
        """When the last job ended."""
        return self.started_at + timedelta(seconds=self.duration_seconds)

    @property
    def fetched_at(self) -> datetime:
        """When we read it."""
        return self.seen_at or self.ended_at + timedelta(minutes=1)

    @property
    def is_late(self) -> bool:
        """Whether we read it more than six hours after its end."""
        return self.fetched_at - self.ended_at > timedelta(hours=6)


def id_of(name: str) -> int:
    """Return the id of a repository, or of anything else by its name."""
    return REPOSITORIES.get(name) or zlib.crc32(name.encode())


def publish(home: Path, attempts: Iterable[Attempt] = (), *, passed_at: datetime = NOW, **passes: Any) -> None:
    """Land attempts and a successful pass over every repository, build the marts and publish."""
    for attempt in attempts:
        land(home, attempt)
    for repository in REPOSITORIES:
        land_pass(home, repository, passed_at, **passes)
    publish_landing(home)


def land(home: Path, *attempts: Attempt) -> None:
    """Write attempts and their jobs."""
    jobs = [
        Record(id_of(attempt.repository), None, attempt.fetched_at, json.dumps(_job(attempt)))
        for attempt in attempts
        if attempt.has_job
    ]
    if jobs:
        write_batch(home, "github_jobs", jobs)
    runs = [
        Record(id_of(attempt.repository), attempt.run_id, attempt.fetched_at, json.dumps(_run(attempt)))
        for attempt in attempts
    ]
    write_batch(home, "github_runs", runs)


def land_repositories(home: Path, known_at: datetime) -> None:
    """Write the repositories and the list of their workflows, first known at a moment."""
    for name, repository_id in REPOSITORIES.items():
        payload = {"full_name": name, "default_branch": "main", "private": name in PRIVATE, "archived": False}
        write_batch(home, "github_repositories", [Record(repository_id, None, known_at, json.dumps(payload))])
    for repository, workflow in WORKFLOWS:
        land_workflow(home, repository, workflow, known_at)


def land_workflow(home: Path, repository: str, workflow: str, known_at: datetime, workflow_id: int = 0) -> None:
    """Write one workflow of the list."""
    number = workflow_id or WORKFLOWS.get((repository, workflow)) or id_of(f"{repository} {workflow}")
    payload = {"id": number, "name": workflow, "path": f".github/workflows/{number}.yml", "state": "active"}
    record = Record(id_of(repository), number, known_at, json.dumps(payload))
    write_batch(home, "github_workflows", [record])


def land_pass(home: Path, repository: str, finished_at: datetime, state: str = "ok", remaining: int = 4000) -> None:
    """Write how a pass over a repository ended."""
    payload = {
        "repository": repository,
        "repository_id": REPOSITORIES.get(repository),
        "state": state,
        "finished_at": finished_at.isoformat(),
        "missing_window_count": 0,
        "request_count": 3,
        "rate_limit": 5000,
        "rate_limit_remaining": remaining,
    }
    record = Record(REPOSITORIES.get(repository), None, finished_at, json.dumps(payload))
    write_batch(home, "github_syncs", [record])


def _run(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.run_id,
        "run_attempt": attempt.run_attempt,
        "run_number": attempt.run_id,
        "workflow_id": attempt.number,
        "name": attempt.workflow,
        "path": f".github/workflows/{attempt.number}.yml",
        "event": attempt.event,
        "head_branch": "main",
        "head_sha": f"{attempt.run_id:040x}",
        "status": "completed" if attempt.conclusion else "in_progress",
        "conclusion": attempt.conclusion,
        "created_at": _text(attempt.started_at),
        "run_started_at": _text(attempt.started_at),
        "updated_at": _text(attempt.ended_at),
    }


def _job(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.run_id * 100 + attempt.run_attempt,
        "run_id": attempt.run_id,
        "run_attempt": attempt.run_attempt,
        "name": "build",
        "status": "completed" if attempt.conclusion else "in_progress",
        "conclusion": attempt.conclusion,
        "created_at": _text(attempt.started_at),
        "started_at": _text(attempt.started_at + timedelta(seconds=attempt.queue_seconds)),
        "completed_at": _text(attempt.ended_at) if attempt.conclusion else None,
        "labels": [attempt.runner],
        "runner_id": 7,
        "runner_name": "runner 7",
        "runner_group_name": "GitHub Actions",
        "steps": [],
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
