"""Where the parts of a plot lie: columns, lines and points in a small picture of fixed size.

The picture itself is SVG in a template. Of the libraries that stand in pyproject.toml, plotly needs a script of 5 MB in
the page or a browser to make a picture, and neither it nor any other gives pictures that follow the page's colours
on a light and on a dark screen and on paper; these have no script and 5 kB each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from phoenix_metrics.report.document import Plot, Series
from phoenix_metrics.words import FEW, counted

WIDTH, HEIGHT = 300, 150
LEFT, RIGHT, TOP, BOTTOM = 44.0, 298.0, 20.0, 126.0
LINES = 4  # of the scale, at most, above zero
FILLED = 0.72  # of a day's width by its column
HEADROOM = 1.04


@dataclass(frozen=True)
class Bar:
    """A part of a day's column."""

    x: float
    y: float
    width: float
    height: float
    style: str
    is_before: bool


@dataclass(frozen=True)
class Dot:
    """A value of a day; hollow where it rests on few samples."""

    x: float
    y: float
    style: str
    is_hollow: bool
    is_before: bool


@dataclass(frozen=True)
class Path:
    """Values of days in a row, as the points of a line."""

    points: str
    style: str
    is_before: bool


@dataclass(frozen=True)
class Day:
    """The stretch of a day, and all its values in words."""

    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Mark:
    """Words at a place of one of the two axes."""

    at: float
    words: str


@dataclass(frozen=True)
class Picture:
    """All parts of a plot."""

    bars: tuple[Bar, ...]
    paths: tuple[Path, ...]
    dots: tuple[Dot, ...]
    days: tuple[Day, ...]
    scale: tuple[Mark, ...]
    dates: tuple[Mark, ...]
    border: float


@dataclass(frozen=True)
class _Field:
    """The plane: how wide a day is and how high a unit."""

    plot: Plot
    top: float

    @property
    def step(self) -> float:
        return (RIGHT - LEFT) / len(self.plot.days)

    def left(self, index: int) -> float:
        return LEFT + index * self.step

    def middle(self, index: int) -> float:
        return self.left(index) + self.step / 2

    def height(self, value: float) -> float:
        return (BOTTOM - TOP) * value / self.top

    def is_before(self, index: int) -> bool:
        return self.plot.days[index] < self.plot.since


def picture(plot: Plot) -> Picture:
    """Return where the parts of a plot lie."""
    highest = max(_highest(plot), default=0.0)
    field = _Field(plot, (highest or plot.steps[0]) * HEADROOM)
    step = next((step for step in plot.steps if field.top / step <= LINES), plot.steps[-1])
    lines = [number * step for number in range(int(field.top / step) + 1)]
    return Picture(
        bars=tuple(_bars(field)) if plot.form == "columns" else (),
        paths=tuple(_paths(field)) if plot.form == "points" else (),
        dots=tuple(_dots(field)) if plot.form == "points" else (),
        days=tuple(Day(field.left(index), field.step, _told(plot, index, day)) for index, day in enumerate(plot.days)),
        scale=tuple(Mark(BOTTOM - field.height(line), plot.scale(line) if line else "0") for line in lines),
        dates=tuple(_dates(field)),
        border=field.left(plot.days.index(plot.since)),
    )


def _highest(plot: Plot) -> Iterator[float]:
    """Yield how high each day reaches."""
    for values in zip(*(series.values for series in plot.series), strict=True):
        known = [value for value in values if value is not None]
        yield (sum(known) if plot.form == "columns" else max(known)) if known else 0.0


def _bars(field: _Field) -> Iterator[Bar]:
    for index in range(len(field.plot.days)):
        y = BOTTOM
        for series in field.plot.series:
            height = field.height(series.values[index] or 0.0)
            y -= height
            if height:
                x, width = field.left(index) + field.step * (1 - FILLED) / 2, field.step * FILLED
                yield Bar(x, y, width, height, series.style, field.is_before(index))


def _paths(field: _Field) -> Iterator[Path]:
    """Yield a line for each stretch of days that all have a value, and one for either period."""
    for series in field.plot.series:
        stretches = [(value is None, field.is_before(index)) for index, value in enumerate(series.values)]
        for (is_gap, is_before), indices in groupby(range(len(stretches)), stretches.__getitem__):
            if not is_gap:
                places = [f"{x:.1f},{y:.1f}" for x, y in (_place(field, series, index) for index in indices)]
                yield Path(" ".join(places), series.style, is_before)


def _dots(field: _Field) -> Iterator[Dot]:
    for series in field.plot.series:
        for index, value in enumerate(series.values):
            if value is not None:
                few = bool(series.few and series.few[index])
                yield Dot(*_place(field, series, index), series.style, few, field.is_before(index))


def _place(field: _Field, series: Series, index: int) -> tuple[float, float]:
    return field.middle(index), BOTTOM - field.height(series.values[index] or 0.0)


def _told(plot: Plot, index: int, day: date) -> str:
    values = [
        f"{series.name} {plot.written(value)}" for series in plot.series if (value := series.values[index]) is not None
    ]
    few = any(series.few and series.few[index] for series in plot.series)
    told = (", ".join(values) or "nothing") + (f", of fewer than {counted(FEW, 'run')}" if few and values else "")
    return f"{day.day} {day:%b}: {told}"


def _dates(field: _Field) -> Iterator[Mark]:
    """Yield the first day of either period, and the last of all."""
    days = field.plot.days
    places = {0: LEFT, days.index(field.plot.since): field.left(days.index(field.plot.since)), len(days) - 1: RIGHT}
    for index, at in places.items():
        yield Mark(at, f"{days[index].day} {days[index]:%b}")
