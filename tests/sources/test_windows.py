"""The algebra of windows: what is read, what is missing, how a window is cut."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phoenix_metrics.sources.github.windows import SECOND, Window, merged, missing

START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = 40
seconds = st.integers(0, HORIZON)
windows = st.builds(lambda a, b: window(min(a, b), max(a, b)), seconds, seconds)


def window(first: int, last: int) -> Window:
    return Window(START + first * SECOND, START + last * SECOND)


def covered(found: list[Window]) -> set[int]:
    """The seconds, counted one by one, that some window holds."""
    return {
        second for second in range(-1, HORIZON + 2) if any(w.start <= START + second * SECOND <= w.end for w in found)
    }


@given(st.lists(windows))
def test_merging_keeps_the_same_seconds_in_windows_that_do_not_touch(read: list[Window]) -> None:
    """Merged windows cover what the windows covered, are sorted, and have a gap between each two."""
    result = merged(read)
    assert covered(result) == covered(read)
    assert all(a.end + SECOND < b.start for a, b in pairwise(result))


@given(windows, st.lists(windows))
def test_missing_and_read_together_are_what_was_wanted(wanted: Window, read: list[Window]) -> None:
    """What is missing is exactly the wanted seconds that no window covers."""
    assert covered(missing(wanted, read)) == covered([wanted]) - covered(read)


@given(windows, st.integers(1, 9))
def test_a_split_window_is_the_same_seconds_once(whole: Window, count: int) -> None:
    """The parts of a split window neither overlap nor leave a second out, and are as few as asked for."""
    parts = whole.split(count)
    assert len(parts) <= count
    assert sum(int((part.end - part.start) / SECOND) + 1 for part in parts) == len(covered([whole]))
    assert covered(parts) == covered([whole])


def test_a_window_becomes_an_inclusive_range_of_whole_seconds() -> None:
    """GitHub's `created` includes both ends, in seconds, in UTC."""
    assert Window(START, START + timedelta(hours=1)).filter == "2026-01-01T00:00:00Z..2026-01-01T01:00:00Z"
