"""The governor of one credential: what GitHub lets it ask, shared by all workers that use it.

GitHub limits a credential in two ways. Primary limits grant so many requests an hour for each resource (core, graphql)
and are told in the headers of every answer. Secondary limits are not told: points a minute, requests at once, and the
summed time of the answers (GitHub's documentation, "Rate limits for the REST API", "Secondary rate limits").

A primary budget is spent down to a reserve that is left to people. There, and when GitHub refuses, everything that uses
the credential ends with a BudgetError that says when to go on; nothing sleeps for it, but for waits of a few seconds.
Secondary limits pace: a request waits for its turn within the minute.

What is left is counted as GitHub last told, less the requests that are under way: their answers may tell of less.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from phoenix_metrics.errors import BudgetError

CONCURRENT = 50  # of the 100 that GitHub allows
MINUTE = 60.0
RESPONSE_SECONDS = 60.0  # summed over a minute; GitHub allows 90 for REST and GraphQL together
GRAPHQL_POINTS = 2000  # a minute, where REST has 900
BRIDGED = timedelta(seconds=5)  # a wait not worth ending a run for
FIRST_WAIT = timedelta(seconds=60)  # GitHub's advice where a refusal does not say how long it lasts
LONGEST_WAIT = timedelta(hours=1)
DOUBLINGS = 10  # of the first wait, by which time it is at its longest
SKEW = timedelta(seconds=1)  # GitHub tells resets in whole seconds
JITTER = timedelta(seconds=10)  # by which one reset seems to move: GitHub's servers differ, and answers take their time
SETTLING = 0.02  # seconds between two looks at whether requests under way have told what is left


@dataclass(frozen=True)
class Reading:
    """What is known of one budget of one credential at a time; times are UTC, `credential` is a fingerprint."""

    credential: str
    resource: str
    limit: int | None
    remaining: int | None
    resets_at: datetime | None
    not_before: datetime | None
    refusal_count: int
    request_count: int
    read_at: datetime


@dataclass
class _Book:
    """The primary budget of one resource; `is_told` once a request of this process was answered in its window."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    request_count: int = 0
    under_way: int = 0
    is_told: bool = False

    def refill(self) -> None:
        """Start a new window, of which nothing is known but that it is another."""
        self.remaining, self.resets_at, self.is_told = self.limit, None, False

    def spend_unseen(self) -> None:
        """Count a request whose answer does not tell of the budget: it was counted, perhaps."""
        if self.remaining is not None:
            self.remaining = max(self.remaining - 1, 0)


@dataclass
class _Minute:
    """What was spent in the last minute, by the monotonic clock."""

    limit: float
    spent: deque[tuple[float, float]] = field(default_factory=deque)

    def wait(self, now: float, amount: float = 0.0) -> float:
        """Return the seconds until there is room for an amount; zero if there is, or if nothing else is there."""
        while self.spent and self.spent[0][0] <= now - MINUTE:
            self.spent.popleft()
        if not self.spent or sum(spent for _, spent in self.spent) + amount <= self.limit:
            return 0.0
        return max(self.spent[0][0] + MINUTE - now, 0.001)


class Governor:
    """Grants requests to the workers of one credential; safe to use from many threads.

    A server that sends no rate headers (GitHub Enterprise Server by default) has no primary limits, and without
    `points_per_minute` there is no pacing. `readings` are what an earlier process knew.
    """

    def __init__(
        self,
        reserve_ratio: float,
        *,
        credential: str = "anonymous",
        points_per_minute: int | None = None,
        readings: Iterable[Reading] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.credential = credential
        self._reserve_ratio = reserve_ratio
        self._clock, self._sleep, self._monotonic = clock, sleep, monotonic
        self._lock = threading.RLock()
        self._slots = threading.BoundedSemaphore(CONCURRENT)
        self._books: dict[str, _Book] = {"core": _Book()}
        self._minutes: dict[str, _Minute] = {}
        if points_per_minute:
            self._minutes = {
                "core": _Minute(points_per_minute),
                "graphql": _Minute(GRAPHQL_POINTS),
                "seconds": _Minute(RESPONSE_SECONDS),
            }
        self._not_before: datetime | None = None
        self._refusal_count = 0
        for reading in readings:
            self._remember(reading)

    @property
    def request_count(self) -> int:
        """Requests made so far."""
        return sum(book.request_count for book in self._books.values())

    @property
    def limit(self) -> int | None:
        """REST requests an hour, as last told."""
        return self._books["core"].limit

    @property
    def remaining(self) -> int | None:
        """REST requests left, as last told."""
        return self._books["core"].remaining

    @property
    def resets_at(self) -> datetime | None:
        """When the REST budget refills, UTC."""
        return self._books["core"].resets_at

    @contextmanager
    def turn(self, resource: str = "core", points: int = 1, reserve_ratio: float = 0.0) -> Iterator[None]:
        """Let the block make one request, when it is its turn, and `learn` from its answer.

        What can wait leaves a larger reserve than people's to what cannot. Raises BudgetError, naming when to go on,
        once only the reserve is left or while GitHub refuses.
        """
        with self._slots:
            while wait := self._take(resource, points, max(reserve_ratio, self._reserve_ratio)):
                self._sleep(wait)
            started = self._monotonic()
            try:
                yield
            except BaseException:
                with self._lock:
                    self._books[resource].spend_unseen()
                raise
            finally:
                self._end(resource, started)

    def learn(self, headers: Mapping[str, str], resource: str = "core") -> None:
        """Take over what an answer says of its budget; of late answers in one window the lowest count holds."""
        with self._lock:
            book = self._books.setdefault(headers.get("x-ratelimit-resource", resource), _Book())
            if "x-ratelimit-remaining" not in headers:
                book.spend_unseen()
                return
            remaining = int(float(headers["x-ratelimit-remaining"]))
            resets_at = self._reset(headers)
            is_new = book.resets_at is None or abs(resets_at - book.resets_at) > JITTER
            if is_new and book.resets_at is not None and resets_at < book.resets_at and self._clock() < book.resets_at:
                return  # an answer from the window before
            book.remaining = remaining if is_new or book.remaining is None else min(remaining, book.remaining)
            book.resets_at = resets_at if is_new else book.resets_at
            book.limit = int(float(headers.get("x-ratelimit-limit", remaining)))

    def accepted(self) -> None:
        """Note a request that was answered: a series of refusals is over."""
        with self._lock:
            if self._not_before is None or self._clock() >= self._not_before:  # else it was sent before the refusal
                self._refusal_count = 0

    def refused(self, headers: Mapping[str, str], resource: str = "core") -> None:
        """Note that GitHub limits the credential: all its workers stop until GitHub's time, or longer each time."""
        with self._lock:
            now, resets_at = self._clock(), self._reset(headers)
            is_spent = float(headers.get("x-ratelimit-remaining", 1)) <= 0 and "retry-after" not in headers
            if is_spent and resets_at > now:
                book = self._books.setdefault(headers.get("x-ratelimit-resource", resource), _Book())
                book.limit = int(float(headers.get("x-ratelimit-limit", 0))) or book.limit or 1
                book.remaining, book.resets_at = 0, resets_at
                return
            is_same = self._not_before is not None and now < self._not_before  # sent before the first was refused
            if "retry-after" in headers:
                until = now + _wait_told(headers["retry-after"], now)
            elif is_same:
                return
            else:
                until = now + min(FIRST_WAIT * 2 ** min(self._refusal_count, DOUBLINGS), LONGEST_WAIT)
            self._refusal_count += not is_same
            self._not_before = max(until, self._not_before or until)

    def readings(self) -> list[Reading]:
        """Return what is known of each budget, for the next process."""
        with self._lock:
            now = self._clock()
            return [
                Reading(
                    self.credential,
                    resource,
                    book.limit,
                    book.remaining,
                    book.resets_at,
                    self._not_before,
                    self._refusal_count,
                    book.request_count,
                    now,
                )
                for resource, book in self._books.items()
            ]

    def _take(self, resource: str, points: int, reserve_ratio: float) -> float:
        """Take one request and return 0, or return the few seconds to wait for it."""
        with self._lock:
            now, ticks = self._clock(), self._monotonic()
            if self._not_before is not None and now < self._not_before:
                return self._bridge(now, self._not_before, "refuses requests for a while (a secondary rate limit)")
            book = self._books.setdefault(resource, _Book())
            if wait := self._wait_for_budget(book, resource, now, reserve_ratio):
                return wait
            if wait := self._wait_for_minute(resource, points, ticks):
                return wait
            book.under_way += 1
            book.request_count += 1
            if self._minutes:
                self._minutes[_paced_as(resource)].spent.append((ticks, points))
            return 0.0

    def _wait_for_budget(self, book: _Book, resource: str, now: datetime, reserve_ratio: float) -> float:
        """Return how long to wait for the primary budget. Raises BudgetError where that is too long."""
        if book.resets_at is not None and now >= book.resets_at:
            book.refill()
        if book.under_way and not book.is_told:
            return SETTLING  # the first of a window goes alone: others may have spent it already
        if book.remaining is None or book.limit is None:
            return 0.0
        reserve = book.limit * reserve_ratio
        if book.remaining <= reserve:
            until = book.resets_at or now + LONGEST_WAIT
            return self._bridge(now, until, f"grants no more {resource} requests but its reserve")
        return SETTLING if book.remaining - book.under_way <= reserve else 0.0

    def _wait_for_minute(self, resource: str, points: int, ticks: float) -> float:
        """Return how long to wait until the last minute has room for a request."""
        if not self._minutes:
            return 0.0
        return max(self._minutes[_paced_as(resource)].wait(ticks, points), self._minutes["seconds"].wait(ticks))

    def _end(self, resource: str, started: float) -> None:
        """Note that a request is not under way any more, and what it took."""
        with self._lock:
            self._books[resource].under_way -= 1
            self._books[resource].is_told = True
            if self._minutes:
                ended = self._monotonic()
                self._minutes["seconds"].spent.append((ended, ended - started))

    def _bridge(self, now: datetime, until: datetime, reason: str) -> float:
        if until - now <= BRIDGED:
            return max((until - now).total_seconds(), 0.001)
        raise BudgetError(
            f"GitHub {reason}: its rate limit refills at {until:%H:%M} UTC, the next sync goes on from here", until
        )

    def _reset(self, headers: Mapping[str, str]) -> datetime:
        """Return a reset by our clock, which may differ from the server's."""
        told = datetime.fromtimestamp(float(headers.get("x-ratelimit-reset", 0)), UTC) + SKEW
        if "date" not in headers:
            return told
        skew = self._clock() - parsedate_to_datetime(headers["date"])
        return told + (skew if abs(skew) > 2 * SKEW else timedelta(0))

    def _remember(self, reading: Reading) -> None:
        if reading.not_before is not None:
            self._not_before = max(reading.not_before, self._not_before or reading.not_before)
            self._refusal_count = max(reading.refusal_count, self._refusal_count)
        self._books[reading.resource] = _Book(reading.limit, reading.remaining, reading.resets_at)


def _paced_as(resource: str) -> str:
    return "graphql" if resource == "graphql" else "core"


def _wait_told(text: str, now: datetime) -> timedelta:
    """Return what Retry-After asks for: seconds, or the date that some proxies send."""
    try:
        wait = timedelta(seconds=float(text))
    except ValueError:
        wait = parsedate_to_datetime(text) - now
    return max(wait, SKEW)
