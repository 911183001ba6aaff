"""Whether a figure moved by more than chance allows: intervals of 95 %, made as marts.period_comparisons makes them.

Runs of a day share their troubles, so intervals are widened by how much hours or days differ more than chance allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  # of a normal distribution, for 95 %


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its interval; None where the samples do not bound it."""

    value: float
    low: float | None
    high: float | None


def wilson(part: float, whole: float, dispersion: float = 1.0) -> Interval:
    """Return a ratio with Wilson's interval, as if of `whole / dispersion` samples. `whole` must be above 0."""
    value, number = part / whole, whole / dispersion
    middle = (value + Z**2 / (2 * number)) / (1 + Z**2 / number)
    half = Z * sqrt(value * (1 - value) / number + Z**2 / (4 * number**2)) / (1 + Z**2 / number)
    return Interval(value, max(middle - half, 0.0), min(middle + half, 1.0))


def percentile_ends(share: float, number: float, dispersion: float = 1.0) -> tuple[float | None, float | None]:
    """Return which percentiles (0 to 1) bound that of a share of so many samples; None where they do not reach."""
    half = Z * sqrt(share * (1 - share) * dispersion / number)
    low, high = share - half, share + half
    return (low if low > 0 else None), (high if high < 1 else None)


def dispersion(parts: Sequence[float], wholes: Sequence[float]) -> float:
    """Return by how much more than chance ratios of hours or days differ, at least 1: Pearson's over its freedom."""
    pairs = [(part, whole) for part, whole in zip(parts, wholes, strict=True) if whole > 0]
    number = sum(whole for _, whole in pairs)
    ratio = sum(part for part, _ in pairs) / number if number else 0.0
    if len(pairs) < 2 or not 0 < ratio < 1:
        return 1.0
    pearson = sum((part - whole * ratio) ** 2 / (whole * ratio * (1 - ratio)) for part, whole in pairs)
    return max(pearson / (len(pairs) - 1), 1.0)


def is_evident(now: Interval, before: Interval) -> bool | None:
    """Whether Newcombe's interval of the difference leaves out zero; None where an end of it is not bounded."""
    difference = now.value - before.value
    if difference > 0:
        now_reach, before_reach = _gap(now.value, now.low), _gap(before.high, before.value)
    else:
        now_reach, before_reach = _gap(now.high, now.value), _gap(before.value, before.low)
    if now_reach is None or before_reach is None:
        return None
    return bool(abs(difference) > sqrt(now_reach**2 + before_reach**2))  # a plain one, also of numbers of NumPy


def _gap(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low
