"""What GitHub holds: repositories, runs, attempts and jobs."""

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(eq=False)
class Job:
    """A job as an attempt lists it; one carried over ran in an earlier attempt."""

    job_id: int
    name: str
    attempt: int
    created_at: str
    started_at: str
    status: str = "queued"
    conclusion: str | None = None
    completed_at: str | None = None
    labels: tuple[str, ...] = ("ubuntu-latest",)
    runner_id: int | None = None
    is_carried_over: bool = False


@dataclass(eq=False)
class Attempt:
    """One attempt at a run."""

    number: int
    started_at: str
    updated_at: str
    status: str = "queued"
    conclusion: str | None = None
    jobs: list[Job] = field(default_factory=list)


@dataclass(eq=False)
class Run:
    """A run with all its attempts, oldest first; `gone` says why GitHub does not show it any more."""

    run_id: int
    repository: "Repository" = field(repr=False)
    workflow: str
    number: int
    created_at: str
    event: str
    branch: str
    sha: str
    attempts: list[Attempt] = field(default_factory=list)
    gone: str | None = None

    @property
    def latest(self) -> Attempt:
        return self.attempts[-1]

    @property
    def suite_id(self) -> int:
        return self.run_id + 20_000_000_000

    @property
    def suite_node_id(self) -> str:
        return f"CS_{self.suite_id}"

    @property
    def age_key(self) -> tuple[str, int]:
        return self.created_at, self.run_id


@dataclass(eq=False)
class Repository:
    """A repository; `state` is ok, deleted (404), blocked (451), forbidden (403 for its Actions) or hidden (404)."""

    repository_id: int
    owner: str
    name: str
    created_at: str
    pushed_at: str
    updated_at: str
    default_branch: str = "main"
    private: bool = True
    archived: bool = False
    disabled: bool = False
    state: str = "ok"
    workflows: dict[str, int] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list, repr=False)  # oldest first

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


def iso(moment: datetime) -> str:
    """Return a moment as GitHub writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
