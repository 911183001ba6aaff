"""The history of one repository: what to list, what changed, and the batches that bring it up to date.

GitHub offers no filter on updates, and a re-run keeps its run's id and creation time. So four loops together find
everything; each may be repeated or left half-way at any point and costs nothing but requests:

hot        runs by creation time: the end of the history, and what was never read of it
reconcile  the last 31 days again, in which a run can be run again; 66 days weekly, because a run may take 35
open       what is open by GitHub's lists, whatever its age, and what we hold open and no list shows
settle     jobs of completed runs that were not read when the runs were listed
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any, Protocol

from phoenix_metrics.errors import SourceError
from phoenix_metrics.sources.github.client import GitHubClient, Page
from phoenix_metrics.sources.github.detail import Detail, DetailReader, wants_jobs
from phoenix_metrics.sources.github.known import RUN_LIMIT, Known, Listing, RunState
from phoenix_metrics.sources.github.payloads import (
    digest,
    parse_time,
    repository_payload,
    run_payload,
    workflow_payload,
)
from phoenix_metrics.sources.github.windows import SECOND, Window, merged, missing
from phoenix_metrics.sources.items import Batch, Item, as_text

BATCH_RUNS = 100  # runs, with their jobs, that are landed together: what a kill can cost at most
LIST_CAP = 1000  # results GitHub lists for one filter; a window with more is split
LEAF_RUNS = 700  # size aimed at when splitting, below the cap because runs are not spread evenly
OPEN_STATUSES = ("in_progress", "queued", "waiting", "pending", "requested")
OVERLAP = timedelta(hours=1)  # runs can appear in lists a little after their creation
RERUN_REACH = timedelta(days=31)  # a run can be re-run for 30 days (GitHub's documentation on re-running workflows)
RECONCILE_EVERY = timedelta(days=1)
DEEP_EVERY = timedelta(days=7)
GAP_WITHOUT_SYNC = timedelta(hours=8)  # after which re-runs may have begun and ended unseen
MANY_UNLISTED = 20  # with more stored runs not listed any more, retention is likely to have removed a stretch
EXPIRED_PROBES = 5  # runs of it that are asked for before all of it is taken for gone


@dataclass
class Outcome:
    """What a pass over a repository found, filled while it goes on."""

    repository: str
    repository_id: int | None = None
    complete_since: datetime | None = None
    missing_window_count: int | None = None
    reconciled_to: datetime | None = None
    deep_reconciled_to: datetime | None = None
    listings: dict[str, Listing] = field(default_factory=dict)
    run_count: int = 0
    job_count: int = 0


class Progress(Protocol):
    """Told how many runs there are to look at and how many have been looked at."""

    def expect(self, count: int) -> None:
        """Expect so many more runs."""

    def advance(self, count: int) -> None:
        """Take note that so many runs are done."""


@dataclass(frozen=True)
class Wanted:
    """What one pass is to do: how far back, as of when, how to read jobs, and what to look for beyond what is due."""

    since: datetime
    now: datetime
    detail: Detail = Detail.FULL
    describe: bool = True  # ask for the repository's own description and its list of workflows
    reconcile: bool = False
    deep: bool = False


def fetch_repository(client: GitHubClient, name: str) -> dict[str, Any]:
    """Return GitHub's description of a repository, under whatever name it has today."""
    repository: dict[str, Any] = client.get(f"/repos/{name}")
    return repository


def wanted_windows(known: Known, since: datetime, now: datetime) -> list[Window]:
    """Return what to list by creation time, oldest first: the end of the history, and the gaps in it."""
    if known.newest_at is None:
        return [Window(since, now)]
    tail = Window(min(max(_hour(known.newest_at - OVERLAP), since), now), now)
    return merged([*missing(Window(since, max(known.newest_at, since)), known.windows), tail])


def reconciled_window(known: Known, wanted: Wanted, newest: datetime) -> Window | None:
    """Return the stretch before the known end in which runs may have been run again, if it is time to look there.

    `newest` is the creation of the newest run, as far as it is known by now.
    """
    if known.newest_at is None:
        return None
    if _is_deep(known, wanted, newest):
        return _before((known.deep_reconciled_to or known.newest_at) - RERUN_REACH - RUN_LIMIT, known)
    if _is_due(known, wanted, newest):
        return _before((known.reconciled_to or known.newest_at) - RERUN_REACH, known)
    return None


def _before(start: datetime, known: Known) -> Window:
    """Return the stretch from a moment to the known end, as far as it has been read before."""
    end = known.newest_at or start
    return Window(min(max([start, *(window.start for window in known.windows[:1])]), end), end)


def _is_due(known: Known, wanted: Wanted, newest: datetime) -> bool:
    if wanted.reconcile or known.reconciled_to is None or known.synced_at is None:
        return True
    return newest - known.reconciled_to >= RECONCILE_EVERY or wanted.now - known.synced_at >= GAP_WITHOUT_SYNC


def _is_deep(known: Known, wanted: Wanted, newest: datetime) -> bool:
    is_old = known.deep_reconciled_to is not None and newest - known.deep_reconciled_to >= DEEP_EVERY
    return wanted.deep or is_old


class RepositoryPass:
    """One pass over one repository, as batches in the order in which they must be landed.

    What says that something was read stands in or after the batch that holds it, so landing any prefix of the batches
    leaves nothing that looks finished and is not.
    """

    def __init__(
        self,
        client: GitHubClient,
        pool: ThreadPoolExecutor,
        repository: Mapping[str, Any],
        known: Known,
        wanted: Wanted,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._client = client
        self._repository = repository
        self._base = f"/repositories/{repository['id']}/actions"  # by number: a rename would redirect the name
        self._known = known
        self._wanted = wanted
        self._progress = progress
        self._detail = DetailReader(client, pool, self._base, known, wanted.detail)
        self._seen: set[int] = set()  # runs that GitHub still lists
        self._done: set[int] = set()  # runs that this pass has looked at
        self._newest = known.newest_at
        self._read: list[Window] = list(known.windows)
        self._listings = dict(known.listings) if known.listings_scope == client.etag_scope else {}
        kept = {} if wanted.describe else {name: self._listings[name] for name in self._listings if name == "workflows"}
        self.outcome = Outcome(
            repository["full_name"],
            repository["id"],
            listings=kept,
            reconciled_to=known.reconciled_to,
            deep_reconciled_to=known.deep_reconciled_to,
        )

    def fetch_batches(self) -> Iterator[Batch]:
        """Yield everything new or changed. Raises a SourceError when GitHub refuses; what was yielded stays good."""
        try:
            if self._wanted.describe:
                yield self._describe()
            for window in reversed(wanted_windows(self._known, self._wanted.since, self._wanted.now)):
                yield from self._fetch_window(window)
            yield from self._reconcile()
            yield from self._fetch_open()
            yield from self._settle()
        finally:
            self._assess()

    def _describe(self) -> Batch:
        items = [Item("github_repositories", self._repository["id"], repository_payload(self._repository))]
        first = self._listed("workflows", "workflows", "workflows")
        if first is not None:
            for page in chain((first,), self._client.pages_after(first, "workflows")):
                items += [Item("github_workflows", flow["id"], workflow_payload(flow)) for flow in page.items]
        return [item for item in items if digest(item.payload) not in self._known.digests]

    def _fetch_window(self, window: Window, *, listed: set[int] | None = None) -> Iterator[Batch]:
        """Yield the runs created in a window, newest first, splitting it where GitHub would cut the list."""
        stack = [window]
        while stack:
            part = stack.pop()
            page = self._first_page(part)
            if page is None:
                continue
            if page.total_count > LIST_CAP and part.start < part.end:
                stack.extend(part.split(max(-(-page.total_count // LEAF_RUNS), 2)))
                continue
            self._expect(page.total_count)
            yield from self._fetch_changed(self._all_pages(page, listed))
            yield self._window_read(part, page.total_count)

    def _first_page(self, window: Window) -> Page | None:
        """Return the first page of a window; None if it is the end of the history and unchanged since the last pass."""
        if window.end < self._wanted.now:
            return self._client.page(f"{self._base}/runs", "workflow_runs", created=window.filter)
        created = window.open_filter  # the same text at every pass within the hour, so that its ETag can hold
        return self._listed(f"created {created}", "runs", "workflow_runs", created=created)

    def _listed(self, name: str, path: str, key: str, **parameters: str) -> Page | None:
        """Return a list's first page, or None if it is as the last pass listed it; its runs then count as seen."""
        before = self._listings.get(name)
        etag = before.etag if before else None
        page = self._client.page(f"{self._base}/{path}", key, etag=etag, **parameters)
        if page.is_unchanged and before is not None:
            self.outcome.listings[name] = before
            self._seen.update(before.run_ids)
            return None
        if page.etag and not page.next_url:
            self.outcome.listings[name] = Listing(page.etag, tuple(item["id"] for item in page.items))
        return page

    def _reconcile(self) -> Iterator[Batch]:
        """Yield runs that were run again since their neighbourhood was last listed, and note those that are gone."""
        if self._newest is None:
            return
        window = reconciled_window(self._known, self._wanted, self._newest)
        if window is not None:
            listed: set[int] = set()
            yield from self._fetch_window(window, listed=listed)
            yield list(self._gone_from(window, listed))
            yield from self._verify()
        if window is not None or self._known.newest_at is None:
            if self._known.deep_reconciled_to is None or _is_deep(self._known, self._wanted, self._newest):
                self.outcome.deep_reconciled_to = self._newest
            self.outcome.reconciled_to = self._newest

    def _verify(self) -> Iterator[Batch]:
        """Yield the proof, or else the jobs, of runs whose jobs are only as complete as their deliveries were."""
        delivered = [
            run.state
            for run in self._known.runs.values()
            if self._wanted.detail is Detail.WEBHOOKS and run.is_unverified and not self._wants_jobs(run.state)
        ]
        for chunk in _chunks(delivered, BATCH_RUNS):
            yield [item for _, items in self._detail.verify(chunk) for item in items or ()]

    def _gone_from(self, window: Window, listed: set[int]) -> Iterator[Item]:
        """Yield the stored runs of a window that GitHub does not list any more and does not give either.

        Retention removes whole stretches: where a few of many are gone the rest of them are not asked for one by one.
        """
        unlisted = [
            run_id
            for run_id, run in self._known.runs.items()
            if run_id not in listed and not run.is_gone and window.start <= run.state.created_at <= window.end
        ]
        unlisted.sort()
        probes = unlisted[:: len(unlisted) // EXPIRED_PROBES] if len(unlisted) > MANY_UNLISTED else unlisted
        gone = [run_id for run_id in probes if self._detail.fetch_run(run_id) is None]
        yield from map(self._gone, unlisted if gone == probes else gone)

    def _fetch_open(self) -> Iterator[Batch]:
        """Yield runs that are open, and those that were and are not any more."""
        for status in OPEN_STATUSES:
            page = self._listed(f"status {status}", "runs", "workflow_runs", status=status)
            if page is not None:
                self._expect(page.total_count)
                yield from self._fetch_changed(self._all_pages(page))
        lost = [
            run_id
            for run_id, run in self._known.runs.items()
            if run.state.status != "completed" and not run.is_gone and run_id not in self._seen
        ]
        self._expect(len(lost))
        gone: Batch = []
        yield from self._fetch_changed(self._found(lost, gone))
        yield gone

    def _found(self, run_ids: Iterable[int], gone: Batch) -> Iterator[dict[str, Any]]:
        for run_id in run_ids:
            run = self._detail.fetch_run(run_id)
            if run is not None:
                yield run
            else:
                gone.append(self._gone(run_id))
                self._advance()

    def _settle(self) -> Iterator[Batch]:
        """Yield the jobs of stored runs, newest first, that are still to be read and were not listed anew."""
        waiting = [
            run.state
            for run_id, run in self._known.runs.items()
            if run_id not in self._done and not run.is_gone and self._wants_jobs(run.state)
        ]
        waiting.sort(key=lambda run: run.created_at, reverse=True)
        self._expect(len(waiting))
        for chunk in _chunks(waiting, BATCH_RUNS):
            yield from self._fetch_chunk(chunk, {})

    def _fetch_changed(self, runs: Iterable[dict[str, Any]]) -> Iterator[Batch]:
        """Yield the given runs that are new, changed or lack their jobs, with what belongs to them, in batches."""
        for chunk in _chunks(self._changed(runs), BATCH_RUNS):
            yield from self._fetch_chunk([RunState.of(run) for run in chunk], {run["id"]: run for run in chunk})

    def _fetch_chunk(self, runs: Sequence[RunState], payloads: Mapping[int, dict[str, Any]]) -> Iterator[Batch]:
        """Yield one batch: the runs as listed, with jobs and earlier attempts of those whose jobs are to be read."""
        batch: Batch = []
        wanting = {run.run_id: run for run in runs if self._wants_jobs(run)}
        for run in runs:
            stored = self._known.runs.get(run.run_id)
            if stored is not None and stored.is_gone:
                batch.append(self._gone(run.run_id, is_gone=False))
            if run.run_id not in wanting:
                batch.append(Item("github_runs", run.run_id, run_payload(payloads[run.run_id])))
                self._count([])
        try:
            for run, items in self._detail.read(list(wanting.values())):
                batch += self._complete(run, items, payloads)
        except SourceError:
            yield batch  # what came before the refusal is whole
            raise
        yield batch

    def _complete(self, run: RunState, items: Batch | None, payloads: Mapping[int, dict[str, Any]]) -> Batch:
        if items is None:
            self._advance()
            return [self._gone(run.run_id)] if run.run_id in self._known.runs else []
        self._count(items)
        listed = [payloads[run.run_id]] if run.run_id in payloads else []
        return [*items, *(Item("github_runs", run.run_id, run_payload(payload)) for payload in listed)]

    def _changed(self, runs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for run in runs:
            created = parse_time(run["created_at"])
            self._newest = created if self._newest is None else max(self._newest, created)
            if run["id"] not in self._done and self._is_news(run):
                yield run
            else:
                self._advance()
            self._seen.add(run["id"])
            self._done.add(run["id"])

    def _is_news(self, run: Mapping[str, Any]) -> bool:
        state = RunState.of(run)
        stored = self._known.runs.get(run["id"])
        return stored is None or stored.differs_from(state) or self._wants_jobs(state)

    def _wants_jobs(self, run: RunState) -> bool:
        return wants_jobs(run, self._known, self._wanted.detail, self._wanted.now)

    def _all_pages(self, first: Page, listed: set[int] | None = None) -> Iterator[dict[str, Any]]:
        for page in chain((first,), self._client.pages_after(first, "workflow_runs")):
            if listed is not None:
                listed.update(run["id"] for run in page.items)
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

    def _gone(self, run_id: int, *, is_gone: bool = True) -> Item:
        """Return the note that a stored run is not at the source any more, or is back."""
        return Item("github_gone_runs", run_id, as_text({"run_id": run_id, "is_gone": is_gone}))

    def _assess(self) -> None:
        """Say how much of the wanted history has been read."""
        if self._newest is None:
            return
        since = self._wanted.since
        gaps = missing(Window(since, self._newest), self._read) if since <= self._newest else []
        self.outcome.missing_window_count = len(gaps)
        self.outcome.complete_since = gaps[-1].end + SECOND if gaps else since

    def _count(self, items: Sequence[Item]) -> None:
        self.outcome.run_count += 1
        self.outcome.job_count += sum(item.source_object == "github_jobs" for item in items)
        self._advance()

    def _expect(self, count: int) -> None:
        if self._progress is not None:
            self._progress.expect(count)

    def _advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(1)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
