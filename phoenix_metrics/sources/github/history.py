"""The history of one repository: what to list, what changed, and the batches that bring it up to date.

GitHub offers no filter on updates, and a re-run keeps its run's id and creation time. So a pass lists new runs by
creation time, lists what is open, asks for open runs that no list shows any more, and, when due, lists the last 31 days
before what it already knows, the time in which a run can be run again (GitHub's documentation on re-running workflows).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from phoenix_metrics.errors import RepositoryError, SourceError
from phoenix_metrics.sources.github.client import GitHubClient, Page
from phoenix_metrics.sources.github.items import Batch, Item
from phoenix_metrics.sources.github.payloads import (
    as_text,
    digest,
    job_payload,
    parse_time,
    repository_payload,
    run_payload,
    workflow_payload,
)
from phoenix_metrics.sources.github.windows import SECOND, Window, merged, missing

WORKERS = 4  # GitHub limits the summed response time, not the connections: more workers would not be faster
BATCH_RUNS = 100  # runs, with their jobs, that are landed together: what a kill can cost at most
LIST_CAP = 1000  # results GitHub lists for one filter; a window with more is split
LEAF_RUNS = 700  # size aimed at when splitting, below the cap because runs are not spread evenly
OPEN_STATUSES = ("in_progress", "queued", "waiting", "pending", "requested")
OVERLAP = timedelta(hours=1)  # runs can appear in lists a little after their creation
RERUN_REACH = timedelta(days=31)  # a run can be re-run for 30 days
RUN_LIMIT = timedelta(days=35)  # the longest a run can take
RECONCILE_EVERY = timedelta(days=1)
GAP_WITHOUT_SYNC = timedelta(hours=6)  # after which re-runs may have begun and ended unseen

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class KnownRun:
    """What is stored of a run: the state its latest attempt was last seen in, and whether all of it is here."""

    run_attempt: int
    status: str
    conclusion: str | None
    updated_at: datetime
    started_at: datetime
    has_open_jobs: bool
    has_all_attempts: bool

    def is_alive(self, newest: datetime) -> bool:
        """Whether it can still change, as of the newest run known when it was last read."""
        return self.started_at >= newest - RUN_LIMIT


@dataclass(frozen=True)
class Known:
    """What is stored of a repository before a pass; `newest_at` is the creation of its newest run."""

    digests: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    newest_at: datetime | None = None
    reconciled_to: datetime | None = None
    synced_at: datetime | None = None
    runs: Mapping[int, KnownRun] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a pass over a repository found, filled while it goes on."""

    repository: str
    repository_id: int | None = None
    complete_since: datetime | None = None
    missing_window_count: int | None = None
    reconciled_to: datetime | None = None
    run_count: int = 0
    job_count: int = 0


class Progress(Protocol):
    """Told how many runs there are to look at and how many have been looked at."""

    def expect(self, count: int) -> None:
        """Expect so many more runs."""

    def advance(self, count: int) -> None:
        """Take note that so many runs are done."""


def fetch_repository(client: GitHubClient, name: str) -> dict[str, Any]:
    """Return GitHub's description of a repository, under whatever name it has today."""
    repository: dict[str, Any] = client.get(f"/repos/{name}")
    return repository


def fetch_organization_repositories(client: GitHubClient, organization: str) -> Iterator[str]:
    """Yield the full names of an organisation's repositories that are neither archived nor disabled."""
    for repository in client.items(f"/orgs/{organization}/repos", None, sort="pushed"):
        if not repository.get("archived") and not repository.get("disabled"):
            yield repository["full_name"]


def wanted_windows(known: Known, since: datetime, now: datetime) -> list[Window]:
    """Return what to list by creation time, oldest first: the end of the history, and the gaps in it."""
    if known.newest_at is None:
        return [Window(since, now)]
    tail = Window(min(max(known.newest_at - OVERLAP, since), now), now)
    return merged([*missing(Window(since, max(known.newest_at, since)), known.windows), tail])


def reconciled_window(known: Known) -> Window | None:
    """Return the stretch before the known end in which runs may have been run again since it was last looked at."""
    if known.newest_at is None:
        return None
    return Window((known.reconciled_to or known.newest_at) - RERUN_REACH, known.newest_at)


class RepositoryPass:
    """One pass over one repository, as batches in the order in which they must be landed.

    A batch holds runs together with all their jobs, and a window is told as read only after its runs, so landing any
    prefix of the batches leaves nothing that looks finished and is not.
    """

    def __init__(
        self,
        client: GitHubClient,
        repository: Mapping[str, Any],
        known: Known,
        *,
        since: datetime,
        now: datetime,
        reconcile: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._client = client
        self._repository = repository
        self._base = f"/repos/{repository['full_name']}/actions"
        self._known = known
        self._since = since
        self._now = now
        self._reconcile = reconcile
        self._progress = progress
        self._seen: set[int] = set()
        self._newest = known.newest_at
        self._read: list[Window] = list(known.windows)
        self.outcome = Outcome(repository["full_name"], repository["id"], reconciled_to=known.reconciled_to)

    def fetch_batches(self) -> Iterator[Batch]:
        """Yield everything new or changed. Raises a SourceError when GitHub refuses; what was yielded stays good."""
        yield self._new([Item("github_repositories", self._repository["id"], repository_payload(self._repository))])
        workflows = self._client.items(f"{self._base}/workflows", "workflows")
        yield self._new([Item("github_workflows", flow["id"], workflow_payload(flow)) for flow in workflows])
        try:
            with _worker_pool() as pool:
                for window in reversed(wanted_windows(self._known, self._since, self._now)):
                    yield from self._fetch_window(pool, window)
                yield from self._fetch_reruns(pool)
                yield from self._fetch_open(pool)
        finally:
            self._assess()

    def _fetch_window(self, pool: ThreadPoolExecutor, window: Window) -> Iterator[Batch]:
        """Yield the runs created in a window, newest first, splitting it where GitHub would cut the list."""
        stack = [window]
        while stack:
            part = stack.pop()
            page = self._client.page(f"{self._base}/runs", "workflow_runs", created=part.filter)
            if page.total_count > LIST_CAP and part.start < part.end:
                stack.extend(part.split(max(-(-page.total_count // LEAF_RUNS), 2)))
                continue
            self._expect(page.total_count)
            yield from self._fetch_changed(pool, self._all_pages(page))
            yield self._window_read(part, page.total_count)

    def _fetch_reruns(self, pool: ThreadPoolExecutor) -> Iterator[Batch]:
        """Yield runs that were run again since their neighbourhood was last listed, when it is time to look."""
        window = reconciled_window(self._known)
        if self._newest is not None and (window is None or self._is_due(self._newest)):
            if window is not None:
                yield from self._fetch_window(pool, window)
            self.outcome.reconciled_to = self._newest

    def _is_due(self, newest: datetime) -> bool:
        known = self._known
        if self._reconcile or known.reconciled_to is None or known.synced_at is None:
            return True
        return newest - known.reconciled_to >= RECONCILE_EVERY or self._now - known.synced_at >= GAP_WITHOUT_SYNC

    def _fetch_open(self, pool: ThreadPoolExecutor) -> Iterator[Batch]:
        """Yield runs that are open, and those that were and are not any more."""
        for status in OPEN_STATUSES:
            page = self._client.page(f"{self._base}/runs", "workflow_runs", status=status)
            self._expect(page.total_count)
            yield from self._fetch_changed(pool, self._all_pages(page))
        unfinished = (
            run_id
            for run_id, run in self._known.runs.items()
            if run.status != "completed" or self._has_unread_jobs(run)
        )
        lost = [run_id for run_id in unfinished if run_id not in self._seen]
        self._expect(len(lost))
        yield from self._fetch_changed(pool, (run for run in map(self._fetch_run, lost) if run))

    def _fetch_run(self, run_id: int, attempt: str = "") -> dict[str, Any] | None:
        try:
            run: dict[str, Any] = self._client.get(f"{self._base}/runs/{run_id}{attempt}")
        except RepositoryError:
            return None  # deleted at the source; what we hold of it stays
        return run

    def _fetch_changed(self, pool: ThreadPoolExecutor, runs: Iterable[dict[str, Any]]) -> Iterator[Batch]:
        """Yield the given runs that are new or changed, each with its jobs and earlier attempts, in batches."""
        batch: list[Item] = []
        count = 0
        try:
            for items in _in_order(pool, self._fetch_detail, self._changed(runs)):
                batch += items
                count += 1
                self._count(items)
                if count == BATCH_RUNS:
                    yield batch
                    batch, count = [], 0
        except SourceError:
            yield batch  # what came before the refusal is whole
            raise
        yield batch

    def _changed(self, runs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for run in runs:
            created = parse_time(run["created_at"])
            self._newest = created if self._newest is None else max(self._newest, created)
            if run["id"] not in self._seen and self._is_changed(run):
                yield run
            else:
                self._advance()
            self._seen.add(run["id"])

    def _is_changed(self, run: Mapping[str, Any]) -> bool:
        known = self._known.runs.get(run["id"])
        if known is None:
            return True
        state = (run.get("run_attempt") or 1, run["status"], run["conclusion"], parse_time(run["updated_at"]))
        stored = (known.run_attempt, known.status, known.conclusion, known.updated_at)
        return state != stored or not known.has_all_attempts or self._has_unread_jobs(known)

    def _has_unread_jobs(self, run: KnownRun) -> bool:
        return run.has_open_jobs and self._known.newest_at is not None and run.is_alive(self._known.newest_at)

    def _fetch_detail(self, run: dict[str, Any]) -> list[Item]:
        """Return a run with the jobs of all its attempts and its earlier attempts; nothing if it is gone by now."""
        path = f"{self._base}/runs/{run['id']}"
        try:
            jobs = list(self._client.items(f"{path}/jobs", "jobs", filter="all"))
        except RepositoryError:
            if self._fetch_run(run["id"]) is None:
                return []
            raise
        if any(job["run_id"] != run["id"] for job in jobs):
            raise SourceError(f"{path}: GitHub answered with the jobs of another run")
        known = self._known.runs.get(run["id"])
        latest = run.get("run_attempt") or 1
        is_rerun = known is None or known.run_attempt < latest or not known.has_all_attempts
        earlier = [self._fetch_run(run["id"], f"/attempts/{number}") for number in range(1, latest)] if is_rerun else []
        return [
            *(Item("github_jobs", job["id"], job_payload(job)) for job in jobs),
            *(Item("github_runs", attempt["id"], run_payload(attempt)) for attempt in [*earlier, run] if attempt),
        ]

    def _all_pages(self, first: Page) -> Iterator[dict[str, Any]]:
        yield from first.items
        for page in self._client.pages_after(first, "workflow_runs"):
            yield from page.items

    def _window_read(self, window: Window, run_count: int) -> Batch:
        """Tell a window as read, up to the newest run known: later runs may be created before they are listed."""
        if self._newest is None or window.start > self._newest:
            return []
        read = Window(window.start, min(window.end, self._newest))
        if not missing(read, self._read):
            return []
        self._read.append(read)
        times = {"window_start": read.start.isoformat(), "window_end": read.end.isoformat()}
        return [Item("github_windows", self._repository["id"], as_text({**times, "run_count": run_count}))]

    def _new(self, items: Sequence[Item]) -> Batch:
        return [item for item in items if digest(item.payload) not in self._known.digests]

    def _assess(self) -> None:
        """Say how much of the wanted history has been read."""
        if self._newest is None:
            return
        gaps = missing(Window(self._since, self._newest), self._read) if self._since <= self._newest else []
        self.outcome.missing_window_count = len(gaps)
        self.outcome.complete_since = gaps[-1].end + SECOND if gaps else self._since

    def _count(self, items: Sequence[Item]) -> None:
        self.outcome.run_count += bool(items)
        self.outcome.job_count += sum(item.source_object == "github_jobs" for item in items)
        self._advance()

    def _expect(self, count: int) -> None:
        if self._progress is not None:
            self._progress.expect(count)

    def _advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(1)


@contextmanager
def _worker_pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="github")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield function(item) in order, with a few items under way and never all of them."""
    under_way: deque[Future[R]] = deque()
    for item in items:
        under_way.append(pool.submit(function, item))
        if len(under_way) >= 4 * WORKERS:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
