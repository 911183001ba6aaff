"""Intervals of the headline cards against SciPy's, and what they let a card say."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dashboards.evidence import Interval, dispersion, is_evident, percentile_ends, wilson

COUNTS = st.integers(1, 5_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


@given(COUNTS)
def test_ratios_have_wilsons_interval(counts: tuple[int, int]) -> None:
    """Without dispersion the interval is SciPy's."""
    part, whole = counts
    known = binomtest(part, whole).proportion_ci(method="wilson")
    found = wilson(part, whole)
    assert found.low == pytest.approx(known.low, abs=1e-9)
    assert found.high == pytest.approx(known.high, abs=1e-9)


@given(COUNTS, st.floats(1, 50))
def test_dispersion_widens(counts: tuple[int, int], factor: float) -> None:
    """Days that differ more than chance allows never narrow an interval."""
    narrow, wide = wilson(*counts), wilson(*counts, factor)
    assert wide.low <= narrow.low + 1e-12
    assert wide.high >= narrow.high - 1e-12


@given(COUNTS, COUNTS)
def test_evidence_has_no_direction(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Whether two periods differ is the same from both sides, and a period does not differ from itself."""
    assert is_evident(wilson(*one), wilson(*other)) == is_evident(wilson(*other), wilson(*one))
    assert is_evident(wilson(*one), wilson(*one)) is False


def test_newcombes_example() -> None:
    """56 of 70 and 48 of 80 differ by 0.0524 to 0.3339, says Newcombe (1998, table II a); 54 of 80 do not."""
    assert is_evident(wilson(56, 70), wilson(48, 80)) is True
    assert is_evident(wilson(56, 70), wilson(54, 80)) is False
    numbers = pd.Series({"part": 54.0, "whole": 80.0})  # as cards have them
    assert is_evident(wilson(56, 70), wilson(numbers["part"], numbers["whole"])) is False


def test_unbounded_samples_tell_nothing() -> None:
    """Where order statistics do not bound a percentile from the side that matters, there is no verdict."""
    assert percentile_ends(0.95, 20)[1] is None
    assert is_evident(Interval(10, 8, None), Interval(5, 4, None)) is None
    assert is_evident(Interval(10, 9, None), Interval(5, 4, 6)) is True


def test_dispersion_is_pearsons() -> None:
    """Days of 5 and 15 failures among 20 each: (25 + 25) / (20 / 4) over one degree of freedom; even days have 1."""
    assert dispersion([5, 15], [20, 20]) == pytest.approx(10)
    assert dispersion([5, 5, 0], [20, 20, 0]) == 1
    assert dispersion([], []) == 1
    assert dispersion([20, 20], [20, 20]) == 1
