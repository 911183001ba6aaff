"""What happens in the organisation: triggers, runs, attempts and jobs, each with all its times."""

from dataclasses import dataclass

from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.workflows import STANDARD_RUNNER, JobTemplate, Workflow


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit at the head of a branch."""

    sha: str
    title: str
    author: Developer
    at: int


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request into main."""

    number: int
    title: str
    branch: str
    base_sha: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event that starts a workflow; `defect` names the job that its code breaks."""

    at: int
    workflow: Workflow
    event: str
    branch: str
    commit: Commit
    actor: Developer
    title: str
    pull_request: PullRequest | None = None
    defect: str | None = None
    superseded_at: int | None = None
    is_malformed: bool = False  # the workflow file itself is broken: no job can start


@dataclass(frozen=True, slots=True)
class Job:
    """A job of an attempt; without a runner it never started."""

    id: int
    name: str
    template: JobTemplate
    created_at: int
    started_at: int
    completed_at: int
    conclusion: str
    runner: int | None = None
    planned_seconds: int = 0  # what it would have taken if nobody had stopped it
    label: str = STANDARD_RUNNER


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run; it counts as completed from `settled_at` on."""

    number: int
    actor: Developer
    started_at: int
    settled_at: int
    conclusion: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow run with everything that will ever happen to it; `ordinal` counts the runs of its workflow."""

    id: int
    ordinal: int
    trigger: Trigger
    attempts: tuple[Attempt, ...]
