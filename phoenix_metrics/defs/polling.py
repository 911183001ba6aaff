"""Polling GitHub: which repositories are measured, which are due, and one pass over each, side by side."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from phoenix_metrics.defs.intake import (
    REPOSITORIES_AT_ONCE,
    Visit,
    connected,
    land,
    note_visits,
    state_of,
    utc_now,
)
from phoenix_metrics.defs.known import Standing, ask, ask_known, ask_standings
from phoenix_metrics.errors import GoneError, RepositoryError, SettingsError, SourceError
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.github.detail import Detail
from phoenix_metrics.sources.github.history import Outcome, Progress, RepositoryPass, Wanted, fetch_repository
from phoenix_metrics.sources.github.in_order import worker_pool
from phoenix_metrics.sources.github.known import Known
from phoenix_metrics.sources.github.organizations import discover
from phoenix_metrics.sources.github.tiers import is_due
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing

DESCRIBE_EVERY = timedelta(hours=1)  # descriptions and workflow lists seldom change
DISCOVER_EVERY = timedelta(hours=1)  # nor do the repositories of an organisation
Clock = Callable[[], datetime]

REPOSITORIES_TOGETHER = 40  # whose stored state is asked for at once, and whose passes are noted in one file


@dataclass(frozen=True)
class Asked:
    """A repository to measure, by the name it is asked for, with its description where a list just gave it."""

    name: str
    description: Mapping[str, Any] | None = None
    is_discovered: bool = False


@dataclass
class Pass:
    """How one pass over a repository went: ok, or why not, what it found and how many rows it landed."""

    state: str
    note: str | None
    outcome: Outcome
    asked: str
    landed: Counter[str] = field(default_factory=Counter)
    described_at: datetime | None = None
    listings_scope: str | None = None
    request_count: int = 0
    requests_left: int | None = None
    request_limit: int | None = None


@dataclass(frozen=True)
class Target:
    """A repository that one pass is about to read: what GitHub says of it, and what the pass is to do."""

    asked: str
    client: GitHubClient
    repository: Mapping[str, Any]
    wanted: Wanted
    described_at: datetime


@dataclass(frozen=True)
class Poll:
    """What one poll is to do: with `everything`, also what is not due; `reconcile` and `deep` look for re-runs now."""

    everything: bool = True
    reconcile: bool = False
    deep: bool = False


def sync_github(
    settings: Settings, poll: Poll = Poll(), progress: Progress | None = None, clock: Clock = utc_now
) -> list[Pass]:
    """Bring every measured repository that is due up to date in landing; one that fails does not stop the others.

    Raises SettingsError when nothing to measure is configured; with Argo CD alone there is nothing to do.
    """
    if not settings.has_github:
        if settings.has_sources:
            return []
        raise SettingsError(
            "PHOENIX_GITHUB_REPOSITORIES: set it, or PHOENIX_GITHUB_ORGANIZATIONS, to say what to measure"
        )
    with (
        connected(settings, clock) as connections,
        worker_pool() as workers,
        ThreadPoolExecutor(REPOSITORIES_AT_ONCE, thread_name_prefix="repository") as repositories,
    ):
        asked, passes = _asked(connections, settings, poll, clock())
        _note_passes(settings.home, passes, clock())
        session = _Session(
            settings, connections, ask_standings(settings.home), poll, repositories, workers, progress, clock
        )
        due = session.due(asked)
        for start in range(0, len(due), REPOSITORIES_TOGETHER):
            done = session.read(due[start : start + REPOSITORIES_TOGETHER])
            _note_passes(settings.home, done, clock())
            passes += done
    return passes


@dataclass(frozen=True)
class _Session:
    """What the passes of one poll share."""

    settings: Settings
    connections: Connections
    standings: Mapping[str, Standing]
    poll: Poll
    repositories: ThreadPoolExecutor
    workers: ThreadPoolExecutor
    progress: Progress | None
    clock: Clock

    def due(self, asked: Sequence[Asked]) -> list[Asked]:
        """Return what is to be polled now, what waited longest first, so that a spent budget starves nobody."""
        now = self.clock()
        due = [one for one in asked if self.poll.everything or self._is_due(one, now)]
        return sorted(due, key=self._synced_at)

    def read(self, asked: Sequence[Asked]) -> list[Pass]:
        """Make one pass over each of a few repositories: describe them, ask the store once, read them side by side."""
        described = list(self.repositories.map(self._target, asked))
        targets = [one for one in described if isinstance(one, Target)]
        known = ask_known(self.settings.home, {target.repository["id"]: target.wanted for target in targets})

        def read(target: Target) -> Pass:
            return self._pass(target, known[target.repository["id"]])

        return [*(one for one in described if isinstance(one, Pass)), *self.repositories.map(read, targets)]

    def _is_due(self, asked: Asked, now: datetime) -> bool:
        standing = self.standings.get(asked.name.lower())
        return standing is None or is_due(now, standing.tried_at, standing.state, standing.active_at)

    def _synced_at(self, asked: Asked) -> datetime:
        standing = self.standings.get(asked.name.lower())
        return (standing.synced_at if standing else None) or datetime.min.replace(tzinfo=UTC)

    def _target(self, asked: Asked) -> Target | Pass:
        """Return what a pass over a repository needs, asking GitHub for its description where that is due."""
        standing = self.standings.get(asked.name.lower())
        known_as = Outcome(asked.name, standing.repository_id if standing else None)
        try:
            client = self.connections.client_for(asked.name).counted()
        except SourceError as error:
            return Pass(state_of(error), str(error), known_as, asked.name)
        now = self.clock().replace(microsecond=0)
        remembered = None if self.poll.everything else _remembered(asked, standing, now)
        try:
            repository = remembered or asked.description or _description(client, asked, standing)
        except SourceError as error:
            return _refused(asked.name, known_as, client, error)
        wanted = Wanted(
            since=self.settings.since_at(now),
            now=now,
            detail=Detail(self.settings.github_detail),
            describe=remembered is None,
            reconcile=self.poll.reconcile,
            deep=self.poll.deep,
        )
        described_at = now if remembered is None or standing is None else standing.described_at or now
        return Target(asked.name, client, repository, wanted, described_at)

    def _pass(self, target: Target, known: Known) -> Pass:
        """Read one repository and land what it yields."""
        client, name = target.client, target.repository["full_name"]
        steps = RepositoryPass(client, self.workers, target.repository, known, target.wanted, progress=self.progress)
        landed: Counter[str] = Counter()
        try:
            for batch in steps.fetch_batches():
                landed += land(self.settings.home, target.repository["id"], batch, self.clock())
        except SourceError as error:
            done = _refused(target.asked, steps.outcome, client, error)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{name}: GitHub's answer is not as documented ({error!r})"
            done = Pass("failed", reason, steps.outcome, target.asked)
        else:
            renamed = None if name.lower() == target.asked.lower() else f"renamed from {target.asked}"
            done = Pass("ok", renamed, steps.outcome, target.asked, listings_scope=client.etag_scope)
            done.described_at = target.described_at
        done.landed = landed
        return _with_requests(done, client)


def _asked(connections: Connections, settings: Settings, poll: Poll, now: datetime) -> tuple[list[Asked], list[Pass]]:
    """Return each repository once, those named and those the organisations have, and the organisations that failed."""
    asked = [Asked(name) for name in settings.github_repositories]
    failed = []
    before = {row["organization"]: row for row in ask(settings.home, "discovered", {})}
    for organization in settings.github_organizations:
        known = before.get(organization)
        if known is not None and not poll.everything and now - known["listed_at"] < DISCOVER_EVERY:
            asked += [Asked(name, is_discovered=True) for name in json.loads(known["names"])]
            continue
        try:
            client = connections.client_for(organization).counted()
            asked += _discovered(settings, client, organization, now)
        except SourceError as error:
            failed.append(Pass(state_of(error), str(error), Outcome(organization), organization))
    return list({one.name.lower(): one for one in asked}.values()), failed


def _discovered(settings: Settings, client: GitHubClient, organization: str, now: datetime) -> list[Asked]:
    """Return the repositories of an organisation that are to be measured, and remember their names for an hour."""
    found = discover(
        client,
        organization,
        include=settings.github_include,
        exclude=settings.github_exclude,
        with_archived=settings.github_archived,
    )
    asked = [Asked(one.payload["full_name"], one.payload, is_discovered=True) for one in found if one.excluded is None]
    names = json.dumps([one.name for one in asked])
    visit = Visit("discovery", organization, cursor=names, request_count=client.request_count)
    note_visits(settings.home, [visit], now)
    return asked


def _remembered(asked: Asked, standing: Standing | None, now: datetime) -> Mapping[str, Any] | None:
    """Return what identifies a repository that was described a short while ago, or will be when it is next listed."""
    if standing is None or standing.described_at is None or standing.full_name is None:
        return None
    is_fresh = now - standing.described_at < DESCRIBE_EVERY or (asked.is_discovered and asked.description is None)
    return {"id": standing.repository_id, "full_name": standing.full_name} if is_fresh else None


def _description(client: GitHubClient, asked: Asked, standing: Standing | None) -> Mapping[str, Any]:
    """Return GitHub's description of a repository, by the number we know it by where its name is gone."""
    try:
        return fetch_repository(client, asked.name)
    except RepositoryError as error:
        if standing is None or standing.repository_id is None:
            raise
        try:
            repository: dict[str, Any] = client.get(f"/repositories/{standing.repository_id}")
        except RepositoryError:
            raise GoneError(
                f"{asked.name}: is gone, or this token may not see it any more; its history stays"
            ) from error
    return repository


def _refused(asked: str, outcome: Outcome, client: GitHubClient, error: SourceError) -> Pass:
    return _with_requests(Pass(state_of(error), str(error), outcome, asked), client)


def _with_requests(done: Pass, client: GitHubClient) -> Pass:
    done.request_count = client.request_count
    done.requests_left, done.request_limit = client.governor.remaining, client.governor.limit
    return done


def _note_passes(home: Path, passes: Iterable[Pass], now: datetime) -> None:
    """Write down how passes went, for data_health and for the next ones, in one file."""
    records = list(_records(passes, now))
    if records:
        landing.write_batch(home, "github_syncs", records)


def _records(passes: Iterable[Pass], now: datetime) -> Iterator[landing.Record]:
    for done in passes:
        outcome = done.outcome
        payload = {
            "repository": outcome.repository,
            "asked": done.asked,
            "repository_id": outcome.repository_id,
            "state": done.state,
            "note": done.note,
            "finished_at": now.isoformat(),
            "complete_since": _iso(outcome.complete_since),
            "missing_window_count": outcome.missing_window_count,
            "reconciled_to": _iso(outcome.reconciled_to),
            "deep_reconciled_to": _iso(outcome.deep_reconciled_to),
            "described_at": _iso(done.described_at),
            "listings": as_text({name: asdict(one) for name, one in outcome.listings.items()}),
            "listings_scope": done.listings_scope,
            "request_count": done.request_count,
            "rate_limit": done.request_limit,
            "rate_limit_remaining": done.requests_left,
        }
        yield landing.Record(outcome.repository_id, None, now, as_text(payload))


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
