"""The hourly request budget of one credential, shared by all its workers."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from phoenix_metrics.errors import BudgetError


class Budget:
    """Counts requests against what the response headers say is left, and keeps a reserve for people.

    A server that sends no rate headers (GitHub Enterprise Server by default) is not limited.
    """

    def __init__(self, reserve_ratio: float, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reserve_ratio = reserve_ratio
        self._clock = clock
        self._lock = threading.Lock()
        self.request_count = 0
        self.limit: int | None = None
        self.remaining: int | None = None
        self.resets_at: datetime | None = None

    def spend(self) -> None:
        """Take one request. Raises BudgetError, naming when to go on, once only the reserve is left."""
        with self._lock:
            if (
                self.remaining is not None
                and self.limit is not None
                and self._clock() < (self.resets_at or self._clock())
            ):
                if self.remaining <= self.limit * self._reserve_ratio:
                    raise self.spent()
                self.remaining -= 1
            self.request_count += 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what a response says of the budget; of late answers the lowest count holds."""
        if "x-ratelimit-remaining" not in headers or headers.get("x-ratelimit-resource", "core") != "core":
            return
        remaining = int(float(headers["x-ratelimit-remaining"]))
        resets_at = datetime.fromtimestamp(float(headers.get("x-ratelimit-reset", 0)), UTC)
        with self._lock:
            is_new_hour = self.resets_at is None or (resets_at - self.resets_at).total_seconds() > 1
            self.remaining = remaining if is_new_hour or self.remaining is None else min(remaining, self.remaining)
            self.resets_at = resets_at if is_new_hour else self.resets_at
            self.limit = int(float(headers.get("x-ratelimit-limit", remaining)))

    def spent(self) -> BudgetError:
        """Return the error that says when to go on."""
        resets = f"at {self.resets_at:%H:%M} UTC" if self.resets_at else "within the hour"
        return BudgetError(
            f"GitHub's rate limit is used up to its reserve; it refills {resets}, the next sync goes on from here"
        )
