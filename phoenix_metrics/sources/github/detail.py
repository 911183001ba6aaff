"""The jobs of runs: when to read them, and by which of GitHub's interfaces."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from phoenix_metrics.errors import RepositoryError, SourceError
from phoenix_metrics.sources.github.bulk import fetch_check_runs
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.in_order import in_order
from phoenix_metrics.sources.github.known import Known, KnownRun, RunState
from phoenix_metrics.sources.github.payloads import job_payload, run_payload
from phoenix_metrics.sources.items import Batch, Item, as_text

LONG_RUN = timedelta(hours=1)  # a run open for longer has its jobs read before it ends, and again as often
DELIVERY_GRACE = timedelta(minutes=15)  # webhooks that have not come by then are taken for lost
GREEN = ("success", "skipped", "neutral")


class Detail(StrEnum):
    """How the jobs of runs are read.

    full      REST, one request a run once it has completed; hourly while it runs for longer, and at once where an
              earlier attempt of it is not known
    live      as full, and open runs at every pass
    failed    GraphQL, 100 runs a request, for runs that passed at once; REST for the others
    bulk      GraphQL for all but re-run runs; no queue time, runner, steps or cost
    webhooks  from deliveries; REST for runs whose deliveries did not come
    """

    FULL = "full"
    LIVE = "live"
    FAILED = "failed"
    BULK = "bulk"
    WEBHOOKS = "webhooks"


def wants_jobs(run: RunState, known: Known, policy: Detail, now: datetime) -> bool:
    """Whether the jobs of a run, in the state it is in, are still to be read."""
    stored = known.runs.get(run.run_id)
    if run.status != "completed":
        return _wants_open_jobs(run, stored, known, policy, now)
    if stored is not None and stored.has_jobs_of(run):
        return stored.has_open_jobs and known.is_alive(run)
    return policy is not Detail.WEBHOOKS or not _may_be_delivered(run, stored, now)


def _wants_open_jobs(run: RunState, stored: KnownRun | None, known: Known, policy: Detail, now: datetime) -> bool:
    read_at = stored.detail_read_at if stored and stored.detail_attempt == run.run_attempt else None
    if policy is Detail.LIVE:
        return read_at is None or known.is_alive(run)
    if policy is Detail.WEBHOOKS:
        return False
    if read_at is None and not _has_earlier_attempts(run, stored):
        return True  # a failure that is over does not wait for what followed it
    if now - run.started_at < LONG_RUN:
        return False
    return read_at is None or (known.is_alive(run) and now - read_at >= LONG_RUN)


def _may_be_delivered(run: RunState, stored: KnownRun | None, now: datetime) -> bool:
    """Whether a completed run's deliveries have come, or may still be on their way."""
    if now - run.updated_at < DELIVERY_GRACE:
        return True
    is_whole = stored is not None and stored.job_count > 0 and not stored.has_open_jobs
    return is_whole and _has_earlier_attempts(run, stored)


def _has_earlier_attempts(run: RunState, stored: KnownRun | None) -> bool:
    """Whether every attempt before the latest is stored as it ended."""
    settled = stored.settled_attempts if stored else frozenset()
    return set(range(1, run.run_attempt)) <= settled


class DetailReader:
    """Reads runs with all that belongs to them: their jobs and earlier attempts."""

    def __init__(self, client: GitHubClient, pool: ThreadPoolExecutor, base: str, known: Known, policy: Detail) -> None:
        self._client = client
        self._pool = pool
        self._base = base
        self._known = known
        self._policy = policy

    def read(self, runs: Sequence[RunState]) -> Iterator[tuple[RunState, Batch | None]]:
        """Yield each run with its jobs, earlier attempts and the record of it; with None where it is gone by now."""
        bulk = [run for run in runs if self._goes_in_bulk(run)]
        suites = dict(self._read_in_bulk(bulk)) if bulk else {}

        def one(run: RunState) -> tuple[RunState, Batch | None]:
            return run, suites[run.run_id] if run.run_id in suites else self._read_by_rest(run)

        yield from in_order(self._pool, one, runs)

    def verify(self, runs: Sequence[RunState]) -> Iterator[tuple[RunState, Batch | None]]:
        """Yield for each run the record that as many jobs were delivered as GitHub counts, or else the run as read."""
        by_suite = {run.suite_node_id: run for run in runs if run.suite_node_id and run.run_attempt == 1}
        counts = {
            by_suite[suite.node_id].run_id: suite.total_count
            for suite in fetch_check_runs(self._client, list(by_suite))
        }
        doubtful = []
        for run in runs:
            count = self._known.runs[run.run_id].job_count
            if counts.get(run.run_id) == count:
                yield run, [_detail_item(run, "webhook", count)]
            else:
                doubtful.append(run)
        yield from self.read(doubtful)

    def fetch_run(self, run_id: int, attempt: int | None = None) -> dict[str, Any] | None:
        """Return a run, or one of its attempts; None where it is deleted at the source."""
        path = f"{self._base}/runs/{run_id}" + (f"/attempts/{attempt}" if attempt else "")
        try:
            run: dict[str, Any] = self._client.get(path)
        except RepositoryError:
            return None
        return run

    def fetch_earlier(self, run: RunState) -> Iterator[Item]:
        """Yield the attempts before the latest that are not stored as they ended."""
        stored = self._known.runs.get(run.run_id)
        settled = stored.settled_attempts if stored else frozenset()
        for number in range(1, run.run_attempt):
            attempt = None if number in settled else self.fetch_run(run.run_id, number)
            if attempt is not None:
                yield Item("github_runs", run.run_id, run_payload(attempt))

    def _goes_in_bulk(self, run: RunState) -> bool:
        """Whether GraphQL can stand for REST: it knows one attempt only, and no runner, queue or step."""
        if run.run_attempt > 1 or run.status != "completed" or run.suite_node_id is None:
            return False
        return self._policy is Detail.BULK or (self._policy is Detail.FAILED and run.conclusion in GREEN)

    def _read_in_bulk(self, runs: Sequence[RunState]) -> Iterator[tuple[int, Batch]]:
        by_suite = {run.suite_node_id: run for run in runs if run.suite_node_id}
        for suite in fetch_check_runs(self._client, list(by_suite)):
            run = by_suite[suite.node_id]
            if not suite.needs_rest:
                jobs = [{**job, "run_id": run.run_id, "run_attempt": 1, "source": "graphql"} for job in suite.jobs]
                yield run.run_id, [*_job_items(jobs), _detail_item(run, "graphql", len(jobs))]

    def _read_by_rest(self, run: RunState) -> Batch | None:
        path = f"{self._base}/runs/{run.run_id}"
        try:
            jobs = list(self._client.items(f"{path}/jobs", "jobs", filter="all"))
        except RepositoryError as error:
            if self.fetch_run(run.run_id) is None:
                return None
            raise SourceError(f"{path}: GitHub gives the run, but not its jobs ({error})") from None
        if any(job["run_id"] != run.run_id for job in jobs):
            raise SourceError(f"{path}: GitHub answered with the jobs of another run")
        return [*_job_items(jobs), *self.fetch_earlier(run), _detail_item(run, "rest", len(jobs))]


def _job_items(jobs: Iterable[dict[str, Any]]) -> Iterator[Item]:
    return (Item("github_jobs", job["id"], job_payload(job)) for job in jobs)


def _detail_item(run: RunState, source: str, job_count: int) -> Item:
    """Return the record that the jobs of a run, in this state, were read to the end."""
    payload = {
        "run_id": run.run_id,
        "run_attempt": run.run_attempt,
        "run_updated_at": run.updated_at.isoformat(),
        "source": source,
        "job_count": job_count,
    }
    return Item("github_run_details", run.run_id, as_text(payload))
