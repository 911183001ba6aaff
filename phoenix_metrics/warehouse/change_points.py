"""Where a series of times moved to another level: the arithmetic behind `marts.duration_changes`.

The series is taken in logarithms, so that a change is a ratio and does not depend on the unit. Weekday and time of day
are taken out, outliers are drawn in, and an exact penalised segmentation (PELT, by `ruptures`) proposes changes. Each
is then tried against the noise between whole days: executions of one day resemble each other, so days are what counts
as evidence. The weakest proposal goes until all that are left hold. Nothing is random: equal series, equal changes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MIN_SAMPLES = 20  # of a series; of a shorter one nothing is said
MIN_SIDE = 8  # executions on either side of a change
MIN_BLOCKS = 3  # days on either side; where a day has fewer than three executions, groups of three
MAX_P_VALUE = 0.001  # docs/definitions.md lists the false alarms that this comes to
MIN_RATIO = 1.05  # smaller changes are not told
MIN_SECONDS = 5.0  # nor those
MAX_POINTS = 400  # a longer series is read in groups of consecutive executions, each by its median

_BLOCK = 3
_CLIP = 3.0  # deviations from the running median to which outliers are drawn in
_PENALTY = 1.5  # for each proposal, times the noise and log(points)
_SCREEN = 10.0  # the least gain in fit, in units of the noise, for which a series is looked at closely
_SEASON_DAYS = 21
_SHRINK = 10
_DAY, _PART_OF_DAY = 86_400, 4 * 3_600
_NORMAL = 1.4826  # a normal distribution's deviation in units of its median absolute deviation
_Z95 = 1.959963984540054
_MEDIAN_VARIANCE = math.pi / 2  # in units of that of a mean
_TINY = 1e-9


@dataclass(frozen=True)
class Change:
    """A change of level before the execution at `position`, from the level since `since` to the one until `until`.

    `ratio` is the median after over the median before, with its 95 % interval; `p_value` is how likely a change as
    clear as this is by chance, wherever in these two levels it might have shown.
    """

    position: int
    since: int
    until: int
    before_seconds: float
    after_seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    p_value: float


@dataclass(frozen=True)
class _Series:
    """A series as it is segmented: the level of each point, its block of days, and which execution it begins with."""

    times: Floats
    levels: Floats
    blocks: Ints
    starts: Ints
    at: Ints


def find_changes(seconds: Sequence[float] | Floats, moments: Sequence[int] | Ints) -> list[Change]:
    """Return the changes of level of a series, oldest first; none of one with fewer than MIN_SAMPLES.

    `seconds` stand in the order of the executions, `moments` are when each was triggered, in seconds since 1970. Times
    below a second count as one: GitHub tells no smaller ones.
    """
    if len(seconds) < MIN_SAMPLES:
        return []
    series = _series(np.asarray(seconds, np.float64), np.asarray(moments, np.int64))
    if not _is_worth_a_look(series):
        return []
    series = _prepared(series)
    cuts = _proposed(series)
    while cuts:
        changes = list(_tried(series, cuts))
        weakest = max(range(len(cuts)), key=lambda i: changes[i].p_value)
        if changes[weakest].p_value <= MAX_P_VALUE:
            return changes
        cuts.pop(weakest)
    return []


def _series(times: Floats, at: Ints) -> _Series:
    size = -(-len(times) // MAX_POINTS)
    starts = np.arange(len(times) % size, len(times), size)
    levels = np.log(np.maximum(times, 1.0))[starts[0] :].reshape(-1, size)
    medians = np.median(levels, axis=1) if size > 1 else levels[:, 0]
    return _Series(times, medians, _blocks(at[starts]), starts, at[starts])


def _is_worth_a_look(series: _Series) -> bool:
    """Tell whether one change, or one there and back, would explain much: what most series are spared the rest by."""
    centre = float(np.median(series.levels))
    rest = series.levels - centre
    spread = _NORMAL * float(np.median(np.abs(rest))) or float(rest.std())
    if spread < _TINY:
        return False
    rest = np.clip(rest, -_CLIP * spread, _CLIP * spread)
    count = len(rest)
    sums = np.cumsum(rest - rest.mean())[:-1]
    before = np.arange(1, count)
    one = float(np.max(sums**2 * count / (before * (count - before))))
    there_and_back = 4 * float(sums.max(initial=0) - sums.min(initial=0)) ** 2 / count
    noise = max(float(np.mean(np.diff(rest) ** 2)) / 2, _between_days(rest, series.blocks))
    return max(one, there_and_back) > _SCREEN * noise


def _between_days(levels: Floats, blocks: Ints) -> float:
    """Return the variance that neighbouring days show, in executions' worth; changes of level hardly move it."""
    sizes = np.bincount(blocks)
    means = np.bincount(blocks, weights=levels) / sizes
    steps = np.abs(np.diff(means)) / np.sqrt(1 / sizes[1:] + 1 / sizes[:-1])
    return (_NORMAL * float(np.median(steps))) ** 2 if len(steps) else 0.0


def _prepared(series: _Series) -> _Series:
    return replace(series, levels=_drawn_in(_without_seasons(series.levels, series.at)))


def _without_seasons(levels: Floats, at: Ints) -> Floats:
    """Take out by how much weekdays and times of day usually differ from the weeks around; the rarer, the less."""
    days = (at[-1] - at[0]) / _DAY
    if days < _SEASON_DAYS:
        return levels
    week = int(np.clip(7 * len(levels) / days, 15, 101))
    rest = levels - _running_median(levels, week)
    season = np.zeros_like(levels)
    for kind in (at // _DAY % 7, at % _DAY // _PART_OF_DAY):
        for one in np.unique(kind):
            same = kind == one
            count = int(same.sum())
            usual = float(np.median(rest[same])) * count / (count + _SHRINK)
            season[same] += usual
            rest[same] -= usual
    return levels - season


def _drawn_in(levels: Floats) -> Floats:
    usual = _running_median(levels, 2 * MIN_SIDE - 1)
    rest = levels - usual
    reach = _CLIP * max(_NORMAL * float(np.median(np.abs(rest))) or float(rest.std()), _TINY)
    return np.clip(levels, usual - reach, usual + reach)


def _running_median(levels: Floats, width: int) -> Floats:
    half = min(width, len(levels) - 1) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(levels, half, mode="reflect"), 2 * half + 1)
    return np.asarray(np.median(windows, axis=1), np.float64)


def _blocks(at: Ints) -> Ints:
    """Return for each point the number of its day, counting days with few points together with the next ones."""
    _, counts = np.unique(at // _DAY, return_counts=True)
    sizes = [0]
    for count in counts.tolist():
        if sizes[-1] >= _BLOCK:
            sizes.append(0)
        sizes[-1] += count
    if sizes[-1] < _BLOCK and len(sizes) > 1:
        sizes[-2:] = [sum(sizes[-2:])]
    return np.repeat(np.arange(len(sizes)), sizes)


def _proposed(series: _Series) -> list[int]:
    levels, between = series.levels, _between_days(series.levels, series.blocks)
    within = float(np.var(levels - _running_median(levels, 2 * MIN_SIDE - 1)))
    penalty = _PENALTY * max(between, within / 2, _TINY) * math.log(len(levels))
    found = _segmentation()(kernel="linear", min_size=MIN_SIDE).fit(levels[:, None]).predict(pen=penalty)
    return [int(cut) for cut in found[:-1]]


@cache
def _segmentation() -> Any:
    from ruptures import KernelCPD  # noqa: PLC0415  # brings scipy's statistics, which take a second to load

    return KernelCPD


def _tried(series: _Series, cuts: Sequence[int]) -> Iterator[Change]:
    """Yield each proposal with how likely it is by chance: 1 where it is too small, or too little speaks for it."""
    bounds = [0, *cuts, len(series.levels)]
    noise, freedom = _noise(series, bounds)
    for start, cut, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        yield _change(series, (start, cut, end), noise, freedom)


def _noise(series: _Series, bounds: Sequence[int]) -> tuple[float, int]:
    """Return the variance that days have within segments, in executions' worth, and its degrees of freedom."""
    segments = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    _, pieces = np.unique(np.stack([segments, series.blocks]), axis=1, return_inverse=True)
    pieces = pieces.ravel()
    sizes = np.bincount(pieces)
    means = np.bincount(pieces, weights=series.levels) / sizes
    levels = np.bincount(segments, weights=series.levels) / np.bincount(segments)
    owner = segments[np.unique(pieces, return_index=True)[1]]
    freedom = len(sizes) - len(levels)
    if freedom < 1:
        return math.inf, 1
    return max(float(np.sum(sizes * (means - levels[owner]) ** 2)) / freedom, _TINY**2), freedom


def _change(series: _Series, span: tuple[int, int, int], noise: float, freedom: int) -> Change:
    start, cut, end = span
    error = math.sqrt(noise * (1 / (cut - start) + 1 / (end - cut)))
    position = _refined(series, span)
    first, last = int(series.starts[start]) if start else 0, _begin(series, end)
    before, after = float(np.median(series.times[first:position])), float(np.median(series.times[position:last]))
    ratio = max(after, 1.0) / max(before, 1.0)
    reach = math.exp(_Z95 * math.sqrt(_MEDIAN_VARIANCE) * error)
    shift = abs(float(series.levels[start:cut].mean() - series.levels[cut:end].mean()))
    blocks = [len(np.unique(series.blocks[a:b])) for a, b in ((start, cut), (cut, end))]
    is_told = max(ratio, 1 / ratio) >= MIN_RATIO and abs(after - before) >= MIN_SECONDS and min(blocks) >= MIN_BLOCKS
    p_value = min(1.0, 2 * _student_tail(shift / error, freedom) * sum(blocks)) if is_told else 1.0
    return Change(position, first, last, before, after, ratio, ratio / reach, ratio * reach, p_value)


def _begin(series: _Series, point: int) -> int:
    return int(series.starts[point]) if point < len(series.starts) else len(series.times)


def _refined(series: _Series, span: tuple[int, int, int]) -> int:
    """Return the execution before which the level changes: where points are groups, the best split of two of them."""
    start, cut, end = span
    position = _begin(series, cut)
    size = position - _begin(series, cut - 1)
    if size == 1:
        return position
    low, high = _begin(series, max(start, cut - 3)), _begin(series, min(end, cut + 3))
    levels = np.log(np.maximum(series.times[low:high], 1.0))
    middle = (np.median(levels[: position - low]) + np.median(levels[position - low :])) / 2
    sums = np.abs(np.cumsum(np.sign(levels - middle)))
    near = np.arange(position - size - low, position + size - low)
    return low + int(near[np.argmax(sums[near])]) + 1


def _student_tail(value: float, freedom: int) -> float:
    from scipy.special import stdtr  # noqa: PLC0415  # see above

    return float(stdtr(freedom, -value))
