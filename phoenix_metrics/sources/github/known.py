"""What is stored of a repository before a pass, as far as a pass needs it to ask for nothing twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from phoenix_metrics.sources.github.payloads import parse_time
from phoenix_metrics.sources.github.windows import Window

RUN_LIMIT = timedelta(days=35)  # the longest a run can take


@dataclass(frozen=True)
class RunState:
    """A run as one answer described it: its latest attempt, where that is, and what its jobs are listed under."""

    run_id: int
    run_attempt: int
    status: str
    conclusion: str | None
    created_at: datetime
    started_at: datetime
    updated_at: datetime
    suite_node_id: str | None = None

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> "RunState":
        """Return the state that a run's payload describes; answers from before 2021 lack attempt and start."""
        return cls(
            run_id=run["id"],
            run_attempt=run.get("run_attempt") or 1,
            status=run["status"],
            conclusion=run["conclusion"],
            created_at=parse_time(run["created_at"]),
            started_at=parse_time(run.get("run_started_at") or run["created_at"]),
            updated_at=parse_time(run["updated_at"]),
            suite_node_id=run.get("check_suite_node_id"),
        )


@dataclass(frozen=True)
class KnownRun:
    """What is stored of a run: its latest attempt as last seen, and how much of the rest is here.

    `settled_attempts` are the attempts stored as completed; `detail_*` say for which state of the run, and when, its
    jobs were read to the end; they are None if they never were.
    """

    state: RunState
    settled_attempts: frozenset[int] = frozenset()
    job_count: int = 0
    has_open_jobs: bool = False
    is_gone: bool = False
    detail_attempt: int | None = None
    detail_updated_at: datetime | None = None
    detail_read_at: datetime | None = None

    @property
    def is_unverified(self) -> bool:
        """Whether the run has ended and nothing says that its jobs were read to the end."""
        return self.state.status == "completed" and not self.is_gone and not self.has_jobs_of(self.state)

    def has_jobs_of(self, run: RunState) -> bool:
        """Whether the jobs were read since the run came into this state."""
        return (self.detail_attempt, self.detail_updated_at) == (run.run_attempt, run.updated_at)

    def differs_from(self, run: RunState) -> bool:
        """Whether the run is not as it is stored."""
        stored = self.state
        return self.is_gone or (
            (stored.run_attempt, stored.status, stored.conclusion, stored.updated_at)
            != (run.run_attempt, run.status, run.conclusion, run.updated_at)
        )


@dataclass(frozen=True)
class Listing:
    """A list that came in one page: the ETag it came with and the runs it held."""

    etag: str
    run_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Known:
    """What is stored of a repository before a pass; `newest_at` is the creation of its newest run.

    `listings` are short lists of the last complete pass, by name, for conditional requests; they hold for the
    credential that `listings_scope` names.
    """

    digests: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    newest_at: datetime | None = None
    reconciled_to: datetime | None = None
    deep_reconciled_to: datetime | None = None
    synced_at: datetime | None = None
    listings: Mapping[str, Listing] = field(default_factory=dict)
    listings_scope: str | None = None
    runs: Mapping[int, KnownRun] = field(default_factory=dict)

    def is_alive(self, run: RunState) -> bool:
        """Whether a run can still change, as of the newest run known."""
        return self.newest_at is None or run.started_at >= self.newest_at - RUN_LIMIT
