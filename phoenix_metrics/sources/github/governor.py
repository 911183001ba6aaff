"""The governor of one credential: what GitHub lets it ask, shared by all workers that use it.

GitHub limits a credential in two ways. Primary limits grant so many requests an hour for each resource (core, graphql)
and are told in the headers of every answer. Secondary limits are not told: points a minute, requests at once, and the
summed time of the answers (GitHub's documentation, "Rate limits for the REST API", "Secondary rate limits").

A primary budget is spent down to a reserve that is left to people. There, and when GitHub refuses, everything that uses
the credential ends with a BudgetError that says when to go on; nothing sleeps for it, but for waits of a few seconds.
Secondary limits pace: a request waits for its turn within the minute.
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
SKEW = timedelta(seconds=1)  # GitHub tells resets in whole seconds


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
    """The primary budget of one resource."""

    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    request_count: int = 0


@dataclass
class _Minute:
    """What was spent in the last minute, by the monotonic clock."""

    limit: float
    spent: deque[tuple[float, float]] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Return the seconds until there is room for more; zero if there is."""
        while self.spent and self.spent[0][0] <= now - MINUTE:
            self.spent.popleft()
        if sum(amount for _, amount in self.spent) < self.limit:
            return 0.0
        return self.spent[0][0] + MINUTE - now


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
        first_wait: timedelta = FIRST_WAIT,
    ) -> None:
        self.credential = credential
        self._reserve_ratio = reserve_ratio
        self._clock, self._sleep, self._first_wait = clock, sleep, first_wait
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
    def turn(self, resource: str = "core", points: int = 1) -> Iterator[None]:
        """Let the block make one request, when it is its turn. Raises BudgetError where that is too far off."""
        self._pace(resource, points)
        with self._slots:
            self.spend(resource)
            started = time.monotonic()
            try:
                yield
            finally:
                if self._minutes:
                    with self._lock:
                        ended = time.monotonic()
                        self._minutes["seconds"].spent.append((ended, ended - started))

    def spend(self, resource: str = "core") -> None:
        """Take one request. Raises BudgetError, naming when to go on, once only the reserve is left."""
        while wait := self._take(resource):
            self._sleep(wait)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer says of its budget; of late answers in one window the lowest count holds."""
        if "x-ratelimit-remaining" not in headers:
            return
        remaining = int(float(headers["x-ratelimit-remaining"]))
        resets_at = self._local_time(headers, float(headers.get("x-ratelimit-reset", 0)))
        with self._lock:
            book = self._books.setdefault(headers.get("x-ratelimit-resource", "core"), _Book())
            is_new = book.resets_at is None or abs(resets_at - book.resets_at) > 2 * SKEW
            if is_new and book.resets_at is not None and resets_at < book.resets_at and self._clock() < book.resets_at:
                return  # an answer from the window before
            book.remaining = remaining if is_new or book.remaining is None else min(remaining, book.remaining)
            book.resets_at = resets_at if is_new else book.resets_at
            book.limit = int(float(headers.get("x-ratelimit-limit", remaining)))

    def accepted(self, headers: Mapping[str, str], *, is_free: bool = False) -> None:
        """Note a request that was answered; one that cost nothing (304) is given back."""
        with self._lock:
            book = self._books.get(headers.get("x-ratelimit-resource", "core"))
            if is_free and book is not None and book.remaining is not None:
                book.remaining += 1
            self._refusal_count = 0
        self.learn(headers)

    def refused(self, headers: Mapping[str, str], resource: str = "core") -> None:
        """Note that GitHub limits the credential: all its workers stop until GitHub's time, or longer each time."""
        with self._lock:
            now = self._clock()
            if headers.get("x-ratelimit-remaining") == "0" and "retry-after" not in headers:
                book = self._books.setdefault(headers.get("x-ratelimit-resource", resource), _Book())
                book.remaining, book.limit = 0, int(float(headers.get("x-ratelimit-limit", 0))) or book.limit
                book.resets_at = self._local_time(headers, float(headers.get("x-ratelimit-reset", 0)))
                return
            if "retry-after" in headers:
                wait = timedelta(seconds=float(headers["retry-after"]))
            else:
                wait = min(self._first_wait * 2**self._refusal_count, LONGEST_WAIT)
            self._refusal_count += 1
            self._not_before = max(now + wait, self._not_before or now)

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

    def _take(self, resource: str) -> float:
        """Take one request and return 0, or return the few seconds to wait for it."""
        with self._lock:
            now = self._clock()
            if self._not_before is not None and now < self._not_before:
                return self._bridge(now, self._not_before, "refuses requests for a while (a secondary rate limit)")
            book = self._books.setdefault(resource, _Book())
            if book.resets_at is not None and now >= book.resets_at:
                book.remaining, book.resets_at = book.limit, None
            if book.remaining is not None and book.limit is not None:
                if book.remaining <= book.limit * self._reserve_ratio:
                    until = book.resets_at or now + LONGEST_WAIT
                    return self._bridge(now, until, f"grants no more {resource} requests but its reserve")
                book.remaining -= 1
            book.request_count += 1
            return 0.0

    def _bridge(self, now: datetime, until: datetime, reason: str) -> float:
        if until - now <= BRIDGED:
            return max((until - now).total_seconds(), 0.001)
        raise BudgetError(
            f"GitHub {reason}: its rate limit refills at {until:%H:%M} UTC, the next sync goes on from here", until
        )

    def _pace(self, resource: str, points: int) -> None:
        """Wait until the last minute has room for a request, and book it there."""
        if not self._minutes:
            return
        own = self._minutes["graphql" if resource == "graphql" else "core"]
        while True:
            with self._lock:
                now = time.monotonic()
                wait = max(own.wait(now), self._minutes["seconds"].wait(now))
                if not wait:
                    own.spent.append((now, points))
                    return
            self._sleep(wait)

    def _local_time(self, headers: Mapping[str, str], reset: float) -> datetime:
        """Return a reset by our clock, which may differ from the server's."""
        told = datetime.fromtimestamp(reset, UTC)
        now = self._clock()
        if "date" not in headers:
            return told + SKEW
        skew = now - parsedate_to_datetime(headers["date"])
        return told + SKEW + (skew if abs(skew) > 2 * SKEW else timedelta(0))

    def _remember(self, reading: Reading) -> None:
        if reading.not_before is not None:
            self._not_before = max(reading.not_before, self._not_before or reading.not_before)
            self._refusal_count = max(reading.refusal_count, self._refusal_count)
        self._books[reading.resource] = _Book(reading.limit, reading.remaining, reading.resets_at)
