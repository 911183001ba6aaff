"""Runs, durations, cost and deployments day by day, over the period and the one before, as plots."""

from datetime import date

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Period
from phoenix_metrics.report.document import Plot, Series, Style
from phoenix_metrics.words import FEW

_COUNTS = tuple(float(step * 10**power) for power in range(8) for step in (1, 2, 5))
_AMOUNTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, *_COUNTS)
_MINUTES = tuple(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 30))
_HOURS = tuple(3600.0 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 96, 240, 1000))
_TIMES = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, *_MINUTES, *_HOURS)

_RUNS = """
    select
        day,
        sum(failure_count) as failure,
        sum(success_count) as success,
        sum(run_count - success_count - failure_count) as other
    from marts.workflow_daily
    where day >= $previous_start and day < $end
    group by day
"""
_DURATIONS = """
    select
        day,
        count(duration_seconds) as n,
        quantile_cont(duration_seconds, 0.5) as median,
        quantile_cont(duration_seconds, 0.95) as p95
    from marts.workflow_runs
    where day >= $previous_start and day < $end and outcome in ('success', 'failure')
    group by day
    having count(duration_seconds) > 0
"""
_COSTS = """
    select day, sum(waste_usd) as wasted, sum(cost_usd) - sum(waste_usd) as "the rest"
    from marts.costs_daily
    where day >= $previous_start and day < $end
    group by day
    having sum(cost_usd) > 0
"""
_DEPLOYMENTS = """
    select
        day,
        count(*) filter (where is_change_failure) as failed,
        count(*) filter (where is_decided and not is_change_failure) as held,
        count(*) filter (where not is_decided and not is_change_failure) as undecided
    from marts.deliveries
    where day >= $deliveries_previous_start and day < $deliveries_end
    group by day
"""

_Values = dict[date, dict[str, float | None]]


def plots(book: Book) -> tuple[Plot, ...]:
    """Return those of the four plots that have anything to show."""
    found = (_runs(book), _durations(book), _costs(book), _deployments(book))
    return tuple(plot for plot in found if plot is not None)


def _runs(book: Book) -> Plot | None:
    values = _by_day(book, _RUNS)
    if not values:
        return None
    shares: dict[str, Style] = {"failure": "bad", "success": "good", "other": "rest"}
    series = tuple(_series(values, book.runs, name, style) for name, style in shares.items())
    title, days = "Runs a day", book.runs
    return Plot(title, "columns", days.both, days.start, series, words.count, words.count, _COUNTS)


def _durations(book: Book) -> Plot | None:
    values = _by_day(book, _DURATIONS)
    if not values:
        return None
    lines: dict[str, Style] = {"p95": "main", "median": "soft"}
    few = tuple((values.get(day, {}).get("n") or FEW) < FEW for day in book.runs.both)
    series = tuple(_series(values, book.runs, name, style, few) for name, style in lines.items())
    return Plot(
        "Duration of runs", "points", book.runs.both, book.runs.start, series, words.duration, words.duration, _TIMES
    )


def _costs(book: Book) -> Plot | None:
    values = _by_day(book, _COSTS)
    if not values:
        return None
    parts: dict[str, Style] = {"wasted": "bad", "the rest": "main"}
    series = tuple(_series(values, book.runs, name, style) for name, style in parts.items())
    return Plot(
        "Cost a day, USD", "columns", book.runs.both, book.runs.start, series, words.usd, "{:,.4g}".format, _AMOUNTS
    )


def _deployments(book: Book) -> Plot | None:
    values = _by_day(book, _DEPLOYMENTS)
    if not values:
        return None
    shares: dict[str, Style] = {"failed": "bad", "held": "good", "undecided": "rest"}
    title, days = "Deployments a day", book.deliveries
    series = tuple(_series(values, days, name, style) for name, style in shares.items())
    return Plot(title, "columns", days.both, days.start, series, words.count, words.count, _COUNTS)


def _by_day(book: Book, query: str) -> _Values:
    """Return what a query found of each day that has anything."""
    return {row.pop("day"): row for row in book.ask(query)}


def _series(values: _Values, days: Period, name: str, style: Style, few: tuple[bool, ...] = ()) -> Series:
    numbers = [values.get(day, {}).get(name) for day in days.both]
    return Series(name, style, tuple(None if number is None else float(number) for number in numbers), few)
