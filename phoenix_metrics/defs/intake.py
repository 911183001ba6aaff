"""What every ingesting asset shares: how batches are landed, and how a side loop visits the measured repositories."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from phoenix_metrics.defs.known import ask
from phoenix_metrics.errors import (
    AccessError,
    BlockedError,
    BudgetError,
    GoneError,
    RepositoryError,
    SourceError,
)
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.github.governor import Reading
from phoenix_metrics.sources.github.tiers import is_visit_due
from phoenix_metrics.sources.items import Batch, as_text
from phoenix_metrics.warehouse import landing

REPOSITORIES_AT_ONCE = 4
SIDE_RESERVE_RATIO = 0.5  # of a budget, which side loops leave to the polls of runs and jobs


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Measured:
    """A repository that is measured, and where a side loop stands with it."""

    repository_id: int
    full_name: str
    default_branch: str | None
    is_private: bool | None
    active_at: datetime | None
    tried_at: datetime | None
    state: str | None
    cursor: str | None
    etag: str | None
    etag_scope: str | None

    @property
    def path(self) -> str:
        """Its address by number, which a rename does not redirect."""
        return f"/repositories/{self.repository_id}"


@dataclass
class Visit:
    """How one visit of a side loop to one subject went; `cursor` says where the next one goes on.

    `etag`, under its scope, is that of the list it read, for asking whether anything has changed since.
    """

    loop: str
    subject: str
    repository_id: int | None = None
    state: str = "ok"
    note: str | None = None
    cursor: str | None = None
    etag: str | None = None
    etag_scope: str | None = None
    request_count: int = 0
    landed: Counter[str] = field(default_factory=Counter)


Fetch = Callable[[GitHubClient, Measured, Visit], Iterable[Batch]]


def visit_repositories(
    home: Path,
    client_for: Callable[[str], GitHubClient],
    loop: str,
    every: timedelta,
    fetch: Fetch,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> list[Visit]:
    """Let a side loop visit each measured repository it has not visited for `every`, and land what it yields.

    Quiet repositories are visited less often, and those longest not visited first. One that refuses does not stop the
    others; a budget that ends leaves the rest of its owner's to the next time. How each visit went is landed, too.
    """
    now = clock()
    measured = [Measured(**row) for row in ask(home, "measured", {"loop": loop})]
    due = [one for one in measured if is_visit_due(now, every, one.tried_at, one.state, one.active_at)]
    due.sort(key=lambda one: one.tried_at or datetime.min.replace(tzinfo=UTC))
    spent: set[str] = set()

    def visit(one: Measured) -> Visit | None:
        owner = one.full_name.partition("/")[0]
        if owner in spent:
            return None
        done = Visit(
            loop, one.full_name, one.repository_id, cursor=one.cursor, etag=one.etag, etag_scope=one.etag_scope
        )
        land_visit(home, done, lambda: _fetch_of_repository(client_for, one, done, fetch))
        if done.state == "partial":
            spent.add(owner)
        return done

    with ThreadPoolExecutor(REPOSITORIES_AT_ONCE, thread_name_prefix=loop) as pool:
        visits = [done for done in pool.map(visit, due) if done is not None]
    note_visits(home, visits, clock())
    return visits


def _fetch_of_repository(
    client_for: Callable[[str], GitHubClient], measured: Measured, visit: Visit, fetch: Fetch
) -> Iterator[Batch]:
    client = client_for(measured.full_name).counted(SIDE_RESERVE_RATIO)
    try:
        yield from fetch(client, measured, visit)
    finally:
        visit.request_count = client.request_count


def land_visit(home: Path, visit: Visit, fetch: Callable[[], Iterable[Batch]]) -> Visit:
    """Land the batches of one visit and say in it how it went."""
    try:
        for batch in fetch():
            visit.landed += land(home, visit.repository_id, batch)
    except SourceError as error:
        visit.state, visit.note = state_of(error), str(error)
    except (KeyError, TypeError, ValueError) as error:
        visit.state, visit.note = "failed", f"{visit.subject}: GitHub's answer is not as documented ({error!r})"
    return visit


def state_of(error: SourceError) -> str:
    """Return how a visit that ended with an error is shown in data_health."""
    states = {
        BudgetError: "partial",
        AccessError: "no_access",
        GoneError: "gone",
        BlockedError: "blocked",
        RepositoryError: "unavailable",
    }
    return next((state for kind, state in states.items() if isinstance(error, kind)), "failed")


def land(home: Path, repository_id: int | None, batch: Batch, at: datetime | None = None) -> Counter[str]:
    """Write a batch as fetched at a moment (now), one file for each source object; return how many rows of each."""
    now = at or datetime.now(UTC)
    landed: Counter[str] = Counter()
    for source_object in landing.OBJECTS:
        records = [
            landing.Record(repository_id, item.object_id, now, item.payload)
            for item in batch
            if item.source_object == source_object
        ]
        if records:
            landing.write_batch(home, source_object, records)
            landed[source_object] = len(records)
    return landed


def note_visits(home: Path, visits: Iterable[Visit], at: datetime | None = None) -> None:
    """Write down how visits went, for data_health and for the next visits, in one file; they ended now, or `at`."""
    records = list(_visit_records(visits, at or utc_now()))
    if records:
        landing.write_batch(home, "github_visits", records)


def _visit_records(visits: Iterable[Visit], now: datetime) -> Iterator[landing.Record]:
    for visit in visits:
        payload = {
            "loop": visit.loop,
            "subject": visit.subject,
            "state": visit.state,
            "note": visit.note,
            "cursor": visit.cursor,
            "etag": visit.etag,
            "etag_scope": visit.etag_scope,
            "request_count": visit.request_count,
            "finished_at": now.isoformat(),
        }
        yield landing.Record(visit.repository_id, None, now, as_text(payload))


def connect(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Connections:
    """Return the clients that the settings allow, with what earlier runs knew of their budgets."""
    return Connections(settings, [Reading(**row) for row in ask(settings.home, "budgets", {})], clock)


@contextmanager
def connected(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Iterator[Connections]:
    """Lend the clients that the settings allow, and write down what they know of their budgets in the end."""
    connections = connect(settings, clock)
    try:
        yield connections
    finally:
        note_budgets(settings.home, connections)


def note_budgets(home: Path, connections: Connections) -> None:
    """Write down what is known of the budgets, so that the next run asks nothing before GitHub's time."""
    records = [
        landing.Record(
            None, None, reading.read_at, as_text({key: _text(value) for key, value in asdict(reading).items()})
        )
        for reading in connections.readings()
    ]
    if records:
        landing.write_batch(home, "github_budgets", records)


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
