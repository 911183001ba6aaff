"""What holds of every series whose level changed, and of those whose level did not."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.change_points import MIN_RATIO, MIN_SAMPLES, MIN_SECONDS, MIN_SIDE, find_changes

DAY, WEEK = 86_400, 7 * 86_400
MONDAY = 20_514 * DAY

few = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def series(draw: st.DrawFn, *, min_size: int = MIN_SAMPLES) -> tuple[list[float], list[int]]:
    """Draw times of a few executions a day around a level that may change once or twice."""
    count = draw(st.integers(min_size, 90))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = np.full(count, draw(st.sampled_from([20.0, 300.0, 5_000.0])))
    for _ in range(draw(st.integers(0, 2))):
        levels[draw(st.integers(0, count - 1)) :] *= draw(st.sampled_from([0.5, 1.1, 1.5, 3.0]))
    times = levels * np.exp(chance.normal(0, draw(st.sampled_from([0.0, 0.05, 0.3])), count))
    moments = MONDAY + np.cumsum(chance.integers(3_600, DAY, count))
    return [round(float(t), 3) for t in times], [int(m) for m in moments]


def planted(seed: int, *, ratio: float, at: int = 60, count: int = 120, day_noise: float = 0.0) -> tuple[list, list]:
    """Return four executions a day that take `ratio` times as long from the one at `at` on."""
    chance = np.random.default_rng(seed)
    days = np.arange(count) // 4
    noise = chance.normal(0, 0.1, count) + chance.normal(0, day_noise or 1e-9, days[-1] + 1)[days]
    times = 300 * np.exp(noise) * np.where(np.arange(count) >= at, ratio, 1.0)
    return times.tolist(), (MONDAY + days * DAY + 9 * 3_600 + np.arange(count) % 4 * 3_600).tolist()


@given(drawn=series())
@few
def test_a_change_says_what_its_series_says(drawn: tuple[list[float], list[int]]) -> None:
    """Levels follow each other without a gap; medians and counts are those of the executions; the interval holds."""
    times, moments = drawn
    changes = find_changes(times, moments)
    bounds = [0, *(change.position for change in changes), len(times)]
    for number, change in enumerate(changes):
        before, after = times[bounds[number] : bounds[number + 1]], times[bounds[number + 1] : bounds[number + 2]]
        assert (change.since, change.until) == (bounds[number], bounds[number + 2])
        assert (change.before_seconds, change.after_seconds) == (median(before), median(after))
        assert change.ratio == pytest.approx(median(after) / median(before))
        assert change.ratio_low <= change.ratio <= change.ratio_high
        assert max(change.ratio, 1 / change.ratio) >= MIN_RATIO
        assert abs(median(after) - median(before)) >= MIN_SECONDS
        assert min(len(before), len(after)) >= MIN_SIDE
        assert 0 <= change.p_value <= 0.001


@given(drawn=series(), factor=st.sampled_from([2, 16, 1_024]))
@few
def test_what_takes_twice_as_long_changes_alike(drawn: tuple[list[float], list[int]], factor: int) -> None:
    """Times in another unit have the same changes, as long as the seconds that make one worth telling are reached."""
    times, moments = [time + 100 for time in drawn[0]], drawn[1]
    scaled = {change.position: change for change in find_changes([time * factor for time in times], moments)}
    changes = find_changes(times, moments)
    assert {change.position for change in changes} <= set(scaled) or len(changes) < len(scaled)
    for change in changes:
        if len(changes) == len(scaled):
            assert math.isclose(scaled[change.position].ratio, change.ratio, rel_tol=1e-9)
            assert math.isclose(scaled[change.position].ratio_low, change.ratio_low, rel_tol=1e-6)


@given(drawn=series(), weeks=st.integers(-50, 50))
@few
def test_some_weeks_later_the_same_has_changed(drawn: tuple[list[float], list[int]], weeks: int) -> None:
    """Only weekday and time of day matter of when something ran."""
    times, moments = drawn
    assert find_changes(times, [moment + weeks * WEEK for moment in moments]) == find_changes(times, moments)


@given(drawn=series(min_size=1))
@few
def test_of_few_executions_nothing_is_said(drawn: tuple[list[float], list[int]]) -> None:
    """A series shorter than the minimum has no changes, whatever it holds."""
    times, moments = drawn[0][: MIN_SAMPLES - 1], drawn[1][: MIN_SAMPLES - 1]
    assert find_changes(times, moments) == []
    assert find_changes([*times[:9], *(time * 9 for time in times[9:])], moments) == []


def test_what_never_changes_has_no_changes() -> None:
    """Equal times, zeros and one outlier among equal times are all stationary."""
    moments = [MONDAY + number * 6 * 3_600 for number in range(60)]
    for times in ([90.0] * 60, [0.0] * 60, [*[90.0] * 30, 9_000.0, *[90.0] * 29]):
        assert find_changes(times, moments) == []


@pytest.mark.parametrize("ratio", [1.5, 1 / 1.5])
def test_a_planted_change_is_found(ratio: float) -> None:
    """Nearly each of forty series that change by half has one change, within two executions, and its ratio in reach."""
    found = [find_changes(*planted(seed, ratio=ratio)) for seed in range(40)]
    assert sum(len(changes) == 1 and abs(changes[0].position - 60) <= 2 for changes in found) >= 37
    assert sum(changes[0].ratio_low <= ratio <= changes[0].ratio_high for changes in found) >= 34


def test_days_of_their_own_speed_are_no_changes() -> None:
    """Executions of a day that share a slow machine or a slow network do not make up a change of level."""
    found = [find_changes(*planted(seed, ratio=1, day_noise=0.15)) for seed in range(60)]
    assert sum(len(changes) for changes in found) <= 1


def test_a_long_series_is_split_at_an_execution() -> None:
    """Also where executions are read in groups, the change is placed at one of them."""
    times, moments = planted(1, ratio=1.5, at=1_003, count=1_800)
    moments = [MONDAY + number * 1_200 for number in range(1_800)]
    changes = find_changes(times, moments)
    assert [abs(change.position - 1_003) <= 2 for change in changes] == [True]
