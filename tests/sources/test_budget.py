"""The shared request budget: what headers say, the reserve, late answers."""

from datetime import UTC, datetime, timedelta

import pytest

from phoenix_metrics.errors import BudgetError
from phoenix_metrics.sources.github.governor import Governor

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def headers(remaining: int, *, reset: datetime = NOW + timedelta(minutes=30), resource: str = "core") -> dict[str, str]:
    return {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(int(reset.timestamp())),
        "x-ratelimit-resource": resource,
    }


def test_it_stops_at_the_reserve_and_names_the_time_of_refill() -> None:
    """Of 100 requests the last 10 are left to people."""
    budget = Governor(0.1, clock=lambda: NOW)
    budget.learn(headers(12))
    budget.spend()
    budget.spend()
    with pytest.raises(BudgetError, match="12:30 UTC"):
        budget.spend()
    assert budget.request_count == 2


def test_it_goes_on_after_the_refill() -> None:
    """Once the hour has passed, an old count no longer holds."""
    clock = [NOW]
    budget = Governor(0.1, clock=lambda: clock[0])
    budget.learn(headers(0))
    clock[0] = NOW + timedelta(minutes=31)
    budget.spend()


def test_late_answers_do_not_raise_the_count() -> None:
    """Answers of parallel requests arrive in any order; the lowest count of the hour holds."""
    budget = Governor(0.1, clock=lambda: NOW)
    budget.learn(headers(40))
    budget.learn(headers(43))
    assert budget.remaining == 40
    budget.learn(headers(99, reset=NOW + timedelta(minutes=90)))
    assert budget.remaining == 99


def test_other_resources_do_not_count() -> None:
    """GraphQL has a budget of its own, told in the same headers."""
    budget = Governor(0.1, clock=lambda: NOW)
    budget.learn(headers(3, resource="graphql"))
    assert budget.remaining is None


def test_a_server_without_rate_headers_is_not_limited() -> None:
    """GitHub Enterprise Server sends none by default."""
    budget = Governor(0.1, clock=lambda: NOW)
    budget.learn({})
    for _ in range(1000):
        budget.spend()
    assert budget.request_count == 1000
