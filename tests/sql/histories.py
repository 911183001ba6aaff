"""Random small histories of an organisation on GitHub, and what GitHub says of them while they happen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record

START = datetime(2026, 3, 1, 22, tzinfo=UTC)  # two hours before midnight: some runs are of the next day
PASS = START + timedelta(days=1)
CONCLUSIONS = (
    "success",
    "success",
    "failure",
    "timed_out",
    "startup_failure",
    "cancelled",
    "skipped",
    "neutral",
    "odd",
)
SPANS = (1, 60, 600, 35 * 86400, 35 * 86400 + 2)
DELAYS = (60, 6 * 3600, 6 * 3600 + 120, 9 * 86400)


@dataclass(frozen=True)
class Workflow:
    """A workflow of a repository, its title of today and the one it had when it was first listed, if it is listed."""

    workflow_id: int
    repository_id: int
    title: str
    old_title: str
    is_listed: bool

    @property
    def path(self) -> str:
        """Its file."""
        return f".github/workflows/{self.workflow_id}.yml"


@dataclass(frozen=True)
class Job:
    """A job as an attempt lists it; `is_copy` where it ran in an earlier one."""

    job_id: int
    name: str
    conclusion: str | None
    created_at: datetime
    started_at: datetime
    first_step_at: datetime | None
    completed_at: datetime | None
    runner_id: int | None
    is_copy: bool = False


@dataclass(frozen=True)
class Attempt:
    """An attempt of a run; `first_conclusion` is how it was first seen settled, `seen_at` when."""

    run_id: int
    run_attempt: int
    workflow: Workflow
    event: str
    head_branch: str | None
    head_repository_id: int | None
    created_at: datetime
    started_at: datetime
    conclusion: str | None
    first_conclusion: str | None
    updated_at: datetime
    seen_at: datetime
    jobs: tuple[Job, ...] = field(default=())
    is_stored: bool = True

    @property
    def head_sha(self) -> str:
        """Its commit: one of two, so that runs share them."""
        return f"{self.run_id % 2:040x}"


def seconds(low: float, high: float) -> st.SearchStrategy[timedelta]:
    """Return spans of whole and half seconds."""
    return st.integers(int(low * 2), int(high * 2)).map(lambda halves: timedelta(seconds=halves / 2))


@st.composite
def histories(draw: st.DrawFn, max_runs: int = 5) -> list[Attempt]:
    """Draw the attempts of some runs of up to three workflows in two repositories."""
    titles = st.sampled_from(["CI", "Build"])
    workflows = [Workflow(i, 7 + i // 3, draw(titles), draw(titles), draw(st.booleans())) for i in (1, 2, 3)]
    return [
        attempt
        for run_id in range(1, draw(st.integers(1, max_runs)) + 1)
        for attempt in draw(_runs(run_id, draw(st.sampled_from(workflows))))
    ]


@st.composite
def _runs(draw: st.DrawFn, run_id: int, workflow: Workflow) -> list[Attempt]:
    created_at = START + draw(seconds(0, 4 * 3600))
    event = draw(st.sampled_from(["push", "pull_request"]))
    branch = draw(st.sampled_from(["main", "main", "topic", None]))
    head_repository_id = draw(st.sampled_from([workflow.repository_id, workflow.repository_id, 99, None]))
    attempts: list[Attempt] = []
    started_at = created_at
    count = draw(st.sampled_from([1, 1, 2, 3]))
    for number in range(1, count + 1):
        earlier = [job for attempt in attempts for job in attempt.jobs if not job.is_copy]
        jobs = draw(_jobs(run_id * 100 + number * 10, started_at, earlier))
        conclusion = draw(st.sampled_from([*CONCLUSIONS, None]) if number == count else st.sampled_from(CONCLUSIONS))
        ended_at = max([started_at, *(job.completed_at for job in jobs if job.completed_at)])
        updated_at = ended_at + timedelta(seconds=draw(st.sampled_from(SPANS)))
        attempts.append(
            Attempt(
                run_id=run_id,
                run_attempt=number,
                workflow=workflow,
                event=event,
                head_branch=branch,
                head_repository_id=head_repository_id,
                created_at=created_at,
                started_at=started_at,
                conclusion=conclusion,
                first_conclusion=draw(st.sampled_from([conclusion, "cancelled"])) if conclusion else None,
                updated_at=updated_at,
                seen_at=updated_at + timedelta(seconds=draw(st.sampled_from(DELAYS))),
                jobs=tuple(jobs),
                is_stored=number == count or draw(st.booleans()),
            )
        )
        started_at = ended_at + timedelta(hours=1)
    return attempts


@st.composite
def _jobs(draw: st.DrawFn, first_id: int, started_at: datetime, earlier: list[Job]) -> list[Job]:
    jobs = [draw(_new_jobs(first_id + i, started_at)) for i in range(draw(st.integers(0, 3)))]
    for job in earlier:
        if job.conclusion == "success" and draw(st.booleans()):
            created_at = draw(st.sampled_from([started_at, job.created_at]))
            jobs.append(Job(**{**vars(job), "job_id": first_id + len(jobs), "created_at": created_at, "is_copy": True}))
    return jobs


@st.composite
def _new_jobs(draw: st.DrawFn, job_id: int, started_at: datetime) -> Job:
    created_at = started_at + timedelta(seconds=10)
    began_at = created_at + draw(seconds(-8, 8))
    conclusion = draw(st.sampled_from([*CONCLUSIONS, None]))
    shortest = -1 if began_at >= created_at - timedelta(seconds=5) else 10  # shorter, it might be taken for a copy
    span = draw(st.one_of(st.just(timedelta(seconds=max(shortest, 0))), seconds(shortest, 130)))
    return Job(
        job_id=job_id,
        name=draw(st.sampled_from(["lint", "test (3.11)", "test (3.12)"])),
        conclusion=conclusion,
        created_at=created_at,
        started_at=began_at,
        first_step_at=draw(st.sampled_from([None, began_at, began_at + timedelta(seconds=4)])),
        completed_at=began_at + span if conclusion else None,
        runner_id=draw(st.sampled_from([None, 5, 5])),
    )


def readings(history: list[Attempt]) -> list[tuple[str, Record]]:
    """Return everything GitHub said while a history happened: landing records with their object, oldest first."""
    said = [
        (
            "github_syncs",
            Record(
                7,
                None,
                PASS,
                as_text({"repository": "acme/7", "state": "ok", "repository_id": 7, "finished_at": text(PASS)}),
            ),
        )
    ]
    for repository_id in (7, 8):
        payload = {"id": repository_id, "full_name": f"acme/{repository_id}", "default_branch": "main"}
        said.append(("github_repositories", Record(repository_id, repository_id, START, as_text(payload))))
    for attempt in history:
        said += _of_workflow(attempt.workflow)
        said += _of_jobs(attempt)
        if attempt.is_stored:
            said += _of_attempt(attempt)
    return sorted(said, key=lambda one: one[1].fetched_at)


def _of_workflow(workflow: Workflow) -> Iterator[tuple[str, Record]]:
    for days, title in enumerate((workflow.old_title, workflow.title) if workflow.is_listed else ()):
        payload = {"id": workflow.workflow_id, "name": title, "path": workflow.path, "state": "active"}
        fetched_at = START + timedelta(days=days)
        yield "github_workflows", Record(workflow.repository_id, workflow.workflow_id, fetched_at, as_text(payload))


def _of_attempt(attempt: Attempt) -> Iterator[tuple[str, Record]]:
    last_seen_at = attempt.seen_at + timedelta(hours=1)
    yield _reading(attempt, "in_progress", None, attempt.started_at, attempt.started_at + timedelta(seconds=5))
    if attempt.conclusion:
        before = attempt.updated_at - timedelta(seconds=1)
        yield _reading(attempt, "completed", attempt.first_conclusion, before, attempt.seen_at)
        yield _reading(attempt, "completed", attempt.conclusion, attempt.updated_at, last_seen_at)


def _reading(
    attempt: Attempt, status: str, conclusion: str | None, updated_at: datetime, fetched_at: datetime
) -> tuple[str, Record]:
    workflow = attempt.workflow
    payload = {
        "id": attempt.run_id,
        "run_attempt": attempt.run_attempt,
        "workflow_id": workflow.workflow_id,
        "name": workflow.path if attempt.conclusion == "startup_failure" else workflow.title,
        "path": workflow.path,
        "event": attempt.event,
        "head_branch": attempt.head_branch,
        "head_sha": attempt.head_sha,
        "head_repository": {"id": attempt.head_repository_id},
        "status": status,
        "conclusion": conclusion,
        "created_at": text(attempt.created_at),
        "run_started_at": text(attempt.started_at),
        "updated_at": text(updated_at),
    }
    return "github_runs", Record(workflow.repository_id, attempt.run_id, fetched_at, as_text(payload))


def _of_jobs(attempt: Attempt) -> Iterator[tuple[str, Record]]:
    for job in attempt.jobs:
        payload: dict[str, Any] = {
            "id": job.job_id,
            "run_id": attempt.run_id,
            "run_attempt": attempt.run_attempt,
            "name": job.name,
            "status": "completed" if job.conclusion else "in_progress",
            "conclusion": job.conclusion,
            "created_at": text(job.created_at),
            "started_at": text(job.started_at),
            "completed_at": text(job.completed_at),
            "runner_id": job.runner_id or 0,
            "labels": ["Linux", "x64"],
            "steps": [
                {"number": 2, "name": "Run", "conclusion": job.conclusion, "started_at": text(job.first_step_at)}
            ],
        }
        before = {
            **payload,
            "status": "queued",
            "conclusion": None,
            "completed_at": None,
            "runner_id": None,
            "steps": [],
        }
        for number, stage in enumerate((before, payload)):
            fetched_at = attempt.started_at + timedelta(hours=number)
            yield "github_jobs", Record(attempt.workflow.repository_id, job.job_id, fetched_at, as_text(stage))
        if job.conclusion in ("failure", "timed_out"):
            yield _of_annotations(attempt, job)


def _of_annotations(attempt: Attempt, job: Job) -> tuple[str, Record]:
    """Return what the runner said of a job's end, read hours later: of every other job that it ran out of memory."""
    message = f"Process completed with exit code {137 if job.job_id % 2 else 1}."
    said = [{"path": ".github", "annotation_level": "failure", "message": message}]
    payload = {"job_id": job.job_id, "run_id": attempt.run_id, "annotation_count": 1, "annotations": said}
    fetched_at = attempt.started_at + timedelta(hours=9)
    return "github_annotations", Record(attempt.workflow.repository_id, job.job_id, fetched_at, as_text(payload))


def text(moment: datetime | None) -> str | None:
    """Return a time as GitHub writes it."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
