"""What GitHub charges the organisation for Actions: each executed job in whole minutes, less what the plan includes."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from phoenix_metrics.demo.identity import LONGEST_WAIT_DAYS
from phoenix_metrics.demo.repositories import ORGANIZATION
from phoenix_metrics.demo.runner_prices import usd_per_minute
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import DAY, FOUNDED
from phoenix_metrics.demo.workflows import STANDARD_RUNNER
from phoenix_metrics.demo.world import World

_EPOCH = date(1970, 1, 1)
_SKUS = {STANDARD_RUNNER: "Actions Linux", "ubuntu-latest-8-cores": "Actions Linux 8-core"}  # by a runner's label
_INCLUDED_MINUTES = 3_000  # a month of standard runners, with GitHub Team
_MOST_REPOSITORIES = 50  # the busiest, which are charged; to add up more of them would take too long
_PARTS: tuple[str, ...] = ("year", "month", "day")
_LONGEST_DAYS = LONGEST_WAIT_DAYS + 2  # from a run's creation to the last start of a job of it


class BadPeriodError(ValueError):
    """A year, month or day that is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the jobs of a repository that started on a day on one kind of runner cost, in minutes and USD."""

    day: int
    repository: str
    label: str
    minutes: int
    included_minutes: int

    @property
    def price(self) -> float:
        """USD for a minute on that day."""
        return float(usd_per_minute(self.label, self.day * DAY))

    @property
    def sku(self) -> str:
        """What the runner is called on the bill."""
        return _SKUS[self.label]


@dataclass(frozen=True, slots=True)
class Period:
    """The days asked for, and how they were asked for."""

    first_day: int
    last_day: int
    asked: Mapping[str, int]


def period(query: Mapping[str, str], now: int) -> Period:
    """Return the period that a question names, this month if it names none. Raises BadPeriodError."""
    today = datetime.fromtimestamp(now, UTC).date()
    asked = {name: _number(name, query[name]) for name in _PARTS if query.get(name)}
    if "day" in asked or not asked:
        asked = {"month": today.month, **asked}
    asked = {"year": today.year, **asked}
    year, month, day = (asked.get(name, 0) for name in _PARTS)
    try:
        first = date(year, month or 1, day or 1)
        last = first if day else date(year, month or 12, monthrange(year, month or 12)[1])
    except ValueError:
        raise BadPeriodError("there is no such day") from None
    return Period((first - _EPOCH).days, (last - _EPOCH).days, asked)


def lines(worlds: Sequence[World], wanted: Period, now: int) -> list[Line]:
    """Return a line for each repository, day of a period and kind of runner a job started on, if jobs have ended."""
    first = _start_of_month(max(wanted.first_day, FOUNDED))
    until = min(now, (wanted.last_day + 1) * DAY)
    minutes: dict[tuple[int, str, str], int] = {}
    for world in worlds[:_MOST_REPOSITORIES]:
        for (day, label), count in _minutes(world.since((first - _LONGEST_DAYS) * DAY, until), now).items():
            minutes[day, world.repository.full_name, label] = count
    return [line for line in _included(minutes, first) if wanted.first_day <= line.day <= wanted.last_day]


def executed(run: Run) -> Iterator[Job]:
    """Yield the jobs of a run that had a runner, each where it ran and not where a later attempt shows it again."""
    for attempt in run.attempts:
        yield from (job for job in attempt.jobs if job.runner is not None and job.started_at >= attempt.started_at)


def usage_payload(line: Line) -> dict[str, Any]:
    """Return a line of the bill."""
    return {
        "date": written(line.day * DAY),
        "product": "Actions",
        "sku": line.sku,
        "quantity": line.minutes,
        "unitType": "Minutes",
        "pricePerUnit": line.price,
        **_amounts([line]),
        "organizationName": ORGANIZATION,
        "repositoryName": line.repository,
    }


def summary_payload(found: list[Line], wanted: Period) -> dict[str, Any]:
    """Return the bill in sum, in the other words that GitHub has for it there; one item for each runner and price."""
    kinds = sorted({(line.sku, line.price) for line in found})
    items = [_summed([line for line in found if (line.sku, line.price) == kind]) for kind in kinds]
    return {"timePeriod": dict(wanted.asked), "organization": ORGANIZATION, "usageItems": items}


def _summed(found: list[Line]) -> dict[str, Any]:
    gross, discount = sum(line.minutes for line in found), sum(line.included_minutes for line in found)
    return {
        "product": "Actions",
        "sku": found[0].sku.lower().replace(" ", "_").replace("-", "_"),
        "unitType": "minutes",
        "pricePerUnit": found[0].price,
        "grossQuantity": gross,
        "discountQuantity": discount,
        "netQuantity": gross - discount,
        **_amounts(found),
    }


def _amounts(found: list[Line]) -> dict[str, float]:
    gross = sum(line.minutes * line.price for line in found)
    discount = sum(line.included_minutes * line.price for line in found)
    return {
        "grossAmount": round(gross, 6),
        "discountAmount": round(discount, 6),
        "netAmount": round(gross - discount, 6),
    }


def _minutes(runs: Iterable[Run], now: int) -> Counter[tuple[int, str]]:
    """Return the minutes of each day and label: every job counts from its start to its end, rounded up."""
    found = Counter[tuple[int, str]]()
    for run in runs:
        for job in executed(run):
            if job.completed_at <= now:
                found[job.started_at // DAY, job.label] += max(1, -(-(job.completed_at - job.started_at) // 60))
    return found


def _included(minutes: Mapping[tuple[int, str, str], int], first: int) -> Iterator[Line]:
    """Yield the lines from a first day of a month on; those that come first in a month use up what is included.

    Larger runners are charged from the first minute on.
    """
    left, month = _INCLUDED_MINUTES, first
    for day, repository, label in sorted(key for key in minutes if key[0] >= first):
        if _start_of_month(day) != month:
            left, month = _INCLUDED_MINUTES, _start_of_month(day)
        count = minutes[day, repository, label]
        used = min(left, count) if label == STANDARD_RUNNER else 0
        left -= used
        yield Line(day, repository, label, count, used)


def _start_of_month(day: int) -> int:
    return day - date.fromordinal(_EPOCH.toordinal() + day).day + 1


def _number(name: str, text: str) -> int:
    if not (text.isdecimal() and len(text) <= 4):
        raise BadPeriodError(f"{name}: {text!r} is not a number")
    return int(text)
