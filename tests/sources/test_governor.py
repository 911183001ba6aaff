"""The governor: what headers say, the reserve, refusals, the minute; by clocks that the tests move."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_metrics.errors import BudgetError
from phoenix_metrics.sources.github.governor import CONCURRENT, Governor

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RESET = NOW + timedelta(minutes=30)


class Clock:
    """A clock that stands until it is moved; sleeping moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def read(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def governed(clock: Clock, reserve_ratio: float = 0.1, points_per_minute: int | None = None) -> Governor:
    return Governor(
        reserve_ratio,
        points_per_minute=points_per_minute,
        clock=clock.read,
        sleep=clock.sleep,
        monotonic=clock.monotonic,
    )


def headers(remaining: int, reset: datetime = RESET, resource: str = "core", **more: str) -> dict[str, str]:
    return {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(int(reset.timestamp())),
        "x-ratelimit-resource": resource,
        **more,
    }


def ask(governor: Governor, answer: dict[str, str], resource: str = "core") -> None:
    with governor.turn(resource):
        governor.learn(answer, resource)


def test_it_stops_at_the_reserve_and_names_the_time_of_refill() -> None:
    """Of 100 requests the last 10 are left to people; the refusal says when to go on and asks nothing."""
    governor = governed(Clock())
    ask(governor, headers(12))
    ask(governor, headers(11))
    ask(governor, headers(10))
    with pytest.raises(BudgetError, match="12:30 UTC") as caught:
        ask(governor, headers(9))
    assert caught.value.retry_at == RESET + timedelta(seconds=1)
    assert (governor.request_count, governor.remaining) == (3, 10)


def test_what_can_wait_leaves_half_to_what_cannot() -> None:
    """With 50 of 100 left, a side loop stops, and a poll of runs goes on down to people's reserve."""
    governor = governed(Clock())
    ask(governor, headers(50))
    with pytest.raises(BudgetError, match="12:30 UTC"), governor.turn(reserve_ratio=0.5):
        pytest.fail("it was its turn")
    ask(governor, headers(49))
    assert governor.remaining == 49


def test_each_resource_has_its_own_reserve() -> None:
    """GraphQL's points may be spent while REST goes on, and the other way round."""
    governor = governed(Clock())
    ask(governor, headers(10, resource="graphql"), "graphql")
    with pytest.raises(BudgetError, match="no more graphql requests"):
        ask(governor, headers(9, resource="graphql"), "graphql")
    ask(governor, headers(50))
    assert (governor.limit, governor.remaining) == (100, 50)


def test_it_goes_on_after_the_refill() -> None:
    """Once the hour has passed, an old count no longer holds, and nothing is known of the new one but its size."""
    clock = Clock()
    governor = governed(clock)
    ask(governor, headers(0))
    clock.now = RESET + timedelta(seconds=1)
    ask(governor, headers(99, clock.now + timedelta(hours=1)))
    assert governor.remaining == 99


def test_late_answers_do_not_raise_the_count() -> None:
    """Answers of parallel requests come in any order: the lowest of a window holds, an earlier window's is ignored."""
    governor = governed(Clock())
    governor.learn(headers(40))
    governor.learn(headers(43))
    assert governor.remaining == 40
    later = RESET + timedelta(hours=1)
    governor.learn(headers(99, later))
    governor.learn(headers(39))
    assert (governor.remaining, governor.resets_at) == (99, later + timedelta(seconds=1))


def test_one_window_told_a_little_differently_is_one_window() -> None:
    """GitHub's servers do not agree to the second on when a window ends; that gives nothing back."""
    governor = governed(Clock())
    governor.learn(headers(40))
    governor.learn(headers(43, RESET + timedelta(seconds=3)))
    assert (governor.remaining, governor.resets_at) == (40, RESET + timedelta(seconds=1))


def test_unchanged_answers_cost_nothing() -> None:
    """A 304 leaves GitHub's count where it was, and so ours: 1,000 of them fit where 90 requests would."""
    governor = governed(Clock())
    for _ in range(1000):
        ask(governor, headers(80))
    assert governor.remaining == 80


def test_an_answer_that_never_came_was_counted_perhaps() -> None:
    """A connection that breaks off costs one of what is left, until GitHub says otherwise."""
    governor = governed(Clock())
    ask(governor, headers(50))
    with pytest.raises(ConnectionResetError), governor.turn():
        raise ConnectionResetError
    assert governor.remaining == 49


def test_a_server_without_rate_headers_is_not_limited() -> None:
    """GitHub Enterprise Server sends none by default."""
    governor = governed(Clock())
    for _ in range(1000):
        ask(governor, {})
    assert (governor.request_count, governor.remaining) == (1000, None)


class Counted:
    """A server with a budget of its own, which answers after a while and in no order."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.overdrawn = 0
        self.lock = threading.Lock()

    def answer(self) -> dict[str, str]:
        with self.lock:
            if self.left == 0:
                self.overdrawn += 1
            self.left = max(self.left - 1, 0)
            told = headers(self.left)
        time.sleep(0.001 * (self.left % 4))
        return told


@pytest.mark.parametrize("others", [0, 60])
def test_eight_workers_together_never_touch_the_reserve(others: int) -> None:
    """Of 100 requests 90 are made, or 30 where somebody else had spent 60: not one more, whatever the order."""
    server = Counted(100 - others)
    governor = Governor(0.1, clock=lambda: NOW)

    def work(_: int) -> bool:
        try:
            with governor.turn():
                governor.learn(server.answer())
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(work, range(200)))
    assert (made, server.left, server.overdrawn) == (90 - others, 10, 0)


def test_no_more_than_half_of_githubs_concurrency_is_used() -> None:
    """GitHub allows 100 requests at once; of 80 workers 50 make one, and another only when one of these has ended."""
    governor, inside, most, gate, full = Governor(0.1), 0, 0, threading.Lock(), threading.Event()

    def work(_: int) -> None:
        nonlocal inside, most
        with governor.turn():
            with gate:
                inside += 1
                most = max(most, inside)
                if inside == CONCURRENT:
                    full.set()
            full.wait(60)
            time.sleep(0.01)  # in which a worker too many would come in
            with gate:
                inside -= 1
            governor.learn({})

    with governor.turn():
        governor.learn({})
    with ThreadPoolExecutor(80) as pool:
        list(pool.map(work, range(200)))
    assert most == CONCURRENT == 50


def test_refusals_without_a_time_wait_longer_each_time() -> None:
    """A minute, two, four, … an hour at most, and a minute again once a request was answered."""
    clock = Clock()
    governor = governed(clock)
    waits = []
    for _ in range(9):
        governor.refused({})
        with pytest.raises(BudgetError, match="secondary rate limit") as caught:
            ask(governor, {})
        assert caught.value.retry_at is not None
        waits.append((caught.value.retry_at - clock.now).total_seconds())
        clock.now = caught.value.retry_at
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    governor.accepted()
    governor.refused({})
    with pytest.raises(BudgetError) as caught:
        ask(governor, {})
    assert caught.value.retry_at == clock.now + timedelta(minutes=1)


def test_a_refusal_stops_every_worker_and_every_resource() -> None:
    """Secondary limits are the credential's: after one refusal neither REST nor GraphQL asks."""
    governor = governed(Clock())
    governor.refused({"retry-after": "90"})
    for resource in ("core", "graphql"):
        with pytest.raises(BudgetError):
            ask(governor, {}, resource)
    assert governor.request_count == 0


def test_refusals_of_requests_that_were_under_way_count_once() -> None:
    """Eight workers are refused together: that is one refusal, not eight, and the longest time told holds."""
    clock = Clock()
    governor = governed(clock)
    for _ in range(8):
        governor.refused({})
    governor.refused({"retry-after": "45"})
    assert governor.readings()[0].refusal_count == 1
    assert governor.readings()[0].not_before == NOW + timedelta(minutes=1)
    governor.refused({"retry-after": "75"})
    assert governor.readings()[0].not_before == NOW + timedelta(seconds=75)


def test_an_answer_to_a_request_sent_before_a_refusal_does_not_end_it() -> None:
    """It says nothing of what GitHub would answer now."""
    governor = governed(Clock())
    governor.refused({})
    governor.accepted()
    with pytest.raises(BudgetError):
        ask(governor, {})
    assert governor.readings()[0].refusal_count == 1


@pytest.mark.parametrize(
    ("told", "wait"),
    [("30", 30), ("0", 1), ("-5", 1), (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40)],
)
def test_retry_after_is_seconds_or_a_date(told: str, wait: int) -> None:
    """GitHub sends seconds, some proxies a date; never less than a second."""
    governor = governed(Clock())
    governor.refused({"retry-after": told})
    assert governor.readings()[0].not_before == NOW + timedelta(seconds=wait)


def test_a_primary_refusal_is_an_empty_budget_until_its_reset() -> None:
    """403 with nothing remaining: nobody asks before the reset, then there is no doubling."""
    clock = Clock()
    governor = governed(clock)
    governor.refused(headers(0))
    with pytest.raises(BudgetError, match="12:30 UTC"):
        ask(governor, headers(99))
    clock.now = RESET + timedelta(seconds=1)
    ask(governor, headers(99, clock.now + timedelta(hours=1)))
    assert governor.readings()[0].refusal_count == 0


def test_a_wait_of_seconds_is_sat_out() -> None:
    """Five seconds are waited for; six end the pass."""
    clock = Clock()
    governor = governed(clock)
    governor.refused({"retry-after": "5"})
    ask(governor, {})
    assert clock.slept == [5]
    governor.refused({"retry-after": "6"})
    with pytest.raises(BudgetError):
        ask(governor, {})
    assert clock.slept == [5]


def test_what_one_process_learned_binds_the_next() -> None:
    """Readings written at the end of a pass stop the next one from asking before GitHub's time."""
    clock = Clock()
    first = governed(clock)
    ask(first, headers(10))
    first.refused({"retry-after": "2400"})
    later = Governor(0.1, readings=first.readings(), clock=clock.read)
    assert [(told.resource, told.limit, told.remaining, told.request_count) for told in first.readings()] == [
        ("core", 100, 10, 1)
    ]
    with pytest.raises(BudgetError, match="12:40 UTC"):
        ask(later, headers(9))
    clock.now = NOW + timedelta(minutes=25)
    with pytest.raises(BudgetError, match="12:40 UTC"):
        ask(later, headers(9))
    assert later.request_count == 0


def test_a_reading_is_only_what_was_last_seen() -> None:
    """Others spend, too: the first request goes alone, however much seemed to be left, and eight workers see it."""
    earlier = governed(Clock())
    ask(earlier, headers(90))
    server = Counted(12)
    governor = Governor(0.1, readings=earlier.readings(), clock=lambda: NOW)

    def work(_: int) -> int:
        try:
            with governor.turn():
                governor.learn(server.answer())
        except BudgetError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(50))) == 2
    assert server.left == 10


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(minutes=7), timedelta(seconds=1)])
def test_a_wrong_clock_of_the_server_does_not_move_the_reset(skew: timedelta) -> None:
    """Resets are told by GitHub's clock and kept by ours, from the Date header; a second's difference is none."""
    governor = governed(Clock())
    governor.learn(headers(5, RESET + skew, date=format_datetime(NOW + skew, usegmt=True)))
    assert governor.resets_at is not None
    assert abs(governor.resets_at - RESET) <= timedelta(seconds=2)


@given(
    st.lists(st.tuples(st.sampled_from(["core", "graphql"]), st.integers(1, 5), st.floats(0, 5)), max_size=400),
    st.integers(20, 60),
)
def test_no_minute_holds_more_points_than_allowed(asked: list[tuple[str, int, float]], limit: int) -> None:
    """Whatever is asked and however long answers take: in any 60 s, so many REST points and 60 s of answers begun."""
    clock = Clock()
    governor = governed(clock, points_per_minute=limit)
    taken: list[tuple[float, int]] = []
    ended: list[tuple[float, float]] = []
    starts: list[float] = []
    for resource, points, seconds in asked:
        with governor.turn(resource, points):
            began = clock.monotonic()
            starts.append(began)
            if resource == "core":
                taken.append((began, points))
            clock.now += timedelta(seconds=seconds)
            governor.learn({})
        ended.append((clock.monotonic(), clock.monotonic() - began))
    for began, _ in taken:
        assert sum(points for at, points in taken if began - 60 < at <= began) <= limit
    for began in starts:
        assert sum(seconds for at, seconds in ended if began - 60 < at <= began) <= 60 + 1e-3
