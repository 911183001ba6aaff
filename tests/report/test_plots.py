"""Plots draw what they are given: heights are proportional, the scale fits, and gaps stay gaps."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_metrics.report.document import Plot, Series, Style
from phoenix_metrics.report.plots import BOTTOM, LEFT, LINES, RIGHT, TOP, picture

STYLES: tuple[tuple[str, Style], ...] = (("a", "bad"), ("b", "good"), ("c", "rest"))
STEPS = tuple(float(step * 10**power) for power in range(-2, 9) for step in (1, 2, 5))
amounts = st.one_of(st.none(), st.just(0.0), st.floats(0.01, 1e6))
few_or_many = st.sampled_from((14, 56))
quick = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def plots(draw: st.DrawFn, form: str) -> Plot:
    """Draw a plot of two or three series over one or four weeks and as many before."""
    count = draw(few_or_many)
    days = tuple(date(2026, 11, 1) + timedelta(days=number) for number in range(count))
    values = st.lists(amounts, min_size=count, max_size=count).map(tuple)
    series = tuple(Series(name, style, draw(values)) for name, style in STYLES[: draw(st.integers(1, 3))])
    return Plot("Plot", form, days, days[count // 2], series, str, "{:g}".format, STEPS)  # type: ignore[arg-type]


@given(plot=plots("columns"))
@quick
def test_columns_are_as_high_as_their_values(plot: Plot) -> None:
    """Within the field, standing on each other and on the ground, each day's in its own stretch, to one scale."""
    drawn = picture(plot)
    by_day: dict[int, list[tuple[float, float]]] = {}
    for bar in drawn.bars:
        index = next(index for index, day in enumerate(drawn.days) if day.x <= bar.x < day.x + day.width)
        assert bar.x >= LEFT
        assert bar.x + bar.width <= RIGHT
        assert bar.y >= TOP
        by_day.setdefault(index, []).append((bar.y, bar.height))
        assert bar.is_before == (plot.days[index] < plot.since)
    scales = set()
    for index in range(len(plot.days)):
        values = [series.values[index] for series in plot.series if series.values[index]]
        bars = by_day.get(index, [])
        assert len(bars) == len(values)
        ground = BOTTOM
        for (y, height), value in zip(bars, values, strict=True):
            assert y + height == pytest.approx(ground)
            ground = y
            scales.add(round(height / (value or 1) * _highest(plot), 6))
    assert len(scales) <= 1


@given(plot=plots("points"))
@quick
def test_points_and_lines_meet_and_leave_gaps(plot: Plot) -> None:
    """A dot for each value, on a line with its neighbours of the same period, none where there is no value."""
    drawn = picture(plot)
    known = [value for series in plot.series for value in series.values if value is not None]
    assert len(drawn.dots) == len(known)
    corners = [corner for path in drawn.paths for corner in path.points.split()]
    assert corners == [f"{dot.x:.1f},{dot.y:.1f}" for dot in drawn.dots]
    assert len(drawn.paths) == sum(_stretches(series, plot) for series in plot.series)
    assert all(LEFT <= dot.x <= RIGHT and TOP <= dot.y <= BOTTOM for dot in drawn.dots)


@given(plot=st.sampled_from(("columns", "points")).flatmap(plots))
@quick
def test_the_scale_says_how_high_values_are(plot: Plot) -> None:
    """From zero in steps that people count in, a few of them, each where a value of that size would end."""
    drawn = picture(plot)
    assert 1 <= len(drawn.scale) <= LINES + 1
    assert drawn.scale[0].words == "0"
    assert drawn.scale[0].at == BOTTOM
    if len(drawn.scale) > 1:
        step = float(drawn.scale[1].words)
        assert step in STEPS
        unit = (BOTTOM - drawn.scale[1].at) / step
        assert [mark.at for mark in drawn.scale] == pytest.approx(
            [BOTTOM - unit * step * n for n in range(len(drawn.scale))]
        )
        if plot.form == "points" and drawn.dots:
            values = [value for series in plot.series for value in series.values if value is not None]
            assert [BOTTOM - dot.y for dot in drawn.dots] == pytest.approx([unit * value for value in values])
    assert [mark.words for mark in drawn.dates] == [
        f"{day.day} {day:%b}" for day in (plot.days[0], plot.since, plot.days[-1])
    ]


def test_words_of_a_day() -> None:
    """Each day says its values, that there is nothing, or that few runs stand behind it."""
    days = tuple(date(2026, 11, 30) + timedelta(days=number) for number in range(4))
    series = Series("p95", "main", (1.0, None, 3.0, 4.0), (False, False, False, True))
    plot = Plot("Duration", "points", days, days[2], (series,), "{:g} s".format, "{:g}".format, STEPS)
    assert [day.words for day in picture(plot).days] == [
        "30 Nov: p95 1 s",
        "1 Dec: nothing",
        "2 Dec: p95 3 s",
        "3 Dec: p95 4 s, of fewer than 20\N{NO-BREAK SPACE}runs",
    ]
    assert [dot.is_hollow for dot in picture(plot).dots] == [False, False, True]


def _highest(plot: Plot) -> float:
    return max(sum(series.values[index] or 0.0 for series in plot.series) for index in range(len(plot.days)))


def _stretches(series: Series, plot: Plot) -> int:
    """Count how often a value follows a gap or begins a period."""
    starts = [
        value is not None and (index == 0 or series.values[index - 1] is None or plot.days[index] == plot.since)
        for index, value in enumerate(series.values)
    ]
    return sum(starts)
