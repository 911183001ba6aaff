"""One pass over one Argo CD server: its applications, then what goes with those to which something happened.

Applications come first and alone decide whether a pass counts. Where a list breaks off, what came before is right, and
nothing is said of what did not come: the next pass reads the full list. What goes with them may be refused in part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phoenix_metrics.errors import CredentialError, SourceError
from phoenix_metrics.sources.argocd.asking import Reader
from phoenix_metrics.sources.argocd.events import due_events, fetch_events
from phoenix_metrics.sources.argocd.known import Known
from phoenix_metrics.sources.argocd.probe import Found, Probing
from phoenix_metrics.sources.argocd.revisions import fetch_revisions
from phoenix_metrics.sources.argocd.rollouts import fetch_rollouts
from phoenix_metrics.sources.argocd.sync_totals import fetch_sync_totals
from phoenix_metrics.sources.items import Batch, Item

PROBE_FROM = 300  # applications; of fewer the full list is one cheap request
SWEEP_EVERY = timedelta(minutes=15)
ITEMS_AT_ONCE = 200  # bounds what is in memory: an application is some 10 kB


@dataclass
class Outcome:
    """What a pass came to, filled while it goes on; refusals by what was asked for, the last of each kind."""

    version: str | None = None
    is_sweep: bool = False
    swept_at: datetime | None = None
    events_read_to: datetime | None = None
    found: Found = field(default_factory=Found)


class ServerPass:
    """Reads one server; `outcome` tells at any time how far it came."""

    def __init__(self, reader: Reader, known: Known, clock: Callable[[], datetime]) -> None:
        self.outcome = Outcome(swept_at=known.swept_at, events_read_to=known.events_read_to)
        self._reader = reader
        self._known = known
        self._clock = clock

    def fetch_batches(self) -> Iterator[Batch]:
        """Yield what is new in batches of a few hundred; also what came before an error, which is raised then."""
        batch: Batch = []
        try:
            for item in self._items():
                batch.append(item)
                if len(batch) >= ITEMS_AT_ONCE:
                    yield batch
                    batch = []
        except SourceError:
            yield batch
            raise
        yield batch

    def _items(self) -> Iterator[Item]:
        self.outcome.version = self._reader.client.version()
        yield from self._applications()
        for subject, part in (
            ("events", self._events),
            ("rollouts", self._rollouts),
            ("revisions", self._revisions),
            ("metrics", self._sync_totals),
        ):
            try:
                yield from part()
            except CredentialError:
                raise
            except SourceError as error:
                self.outcome.found.refuse(subject, error)

    def _applications(self) -> Iterator[Item]:
        now = self._clock()
        self.outcome.is_sweep = self._is_sweep(now)
        probing = Probing(self._reader, self._known, self._server_time(), self.outcome.found)
        yield from probing.sweep() if self.outcome.is_sweep else probing.probe()
        if self.outcome.is_sweep:
            self.outcome.swept_at = now
        yield from probing.look_for_absent(again=self.outcome.is_sweep)

    def _is_sweep(self, now: datetime) -> bool:
        """Whether to read the full list: of few, at first, from time to time, and after a pass that failed."""
        known = self._known
        is_small = sum(one.state == "seen" for one in known.applications.values()) <= PROBE_FROM
        is_gap = known.swept_at is None or known.state not in ("ok", "partial")
        return is_small or is_gap or now - (known.swept_at or now) >= SWEEP_EVERY

    def _server_time(self) -> datetime:
        return self._clock() + (self._reader.client.clock_skew or timedelta())

    def _events(self) -> Iterator[Item]:
        found = self.outcome.found
        due = due_events(self._known, found, self._server_time())
        yield from fetch_events(self._reader, self._known, found, due)
        self.outcome.events_read_to = due.read_to

    def _rollouts(self) -> Iterator[Item]:
        yield from fetch_rollouts(self._reader, self._known.trees, self.outcome.found)

    def _revisions(self) -> Iterator[Item]:
        yield from fetch_revisions(self._reader, self.outcome.found.commits.values())

    def _sync_totals(self) -> Iterator[Item]:
        yield from fetch_sync_totals(self._reader.server, self._known.sync_totals, self.outcome.found.seen.keys())
