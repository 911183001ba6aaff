"""The story's figures in plain Python, by the definitions: nothing here asks the database or our SQL."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import NormalDist, fmean, stdev

from tests.report.story import END, Job, Run

DAYS = 7
Z = NormalDist().inv_cdf(0.975)
STUDENT = 2.4469118487916806  # of a 95 % interval with six degrees of freedom
PRICES = {"ubuntu-latest": Decimal("0.006")}  # USD a minute; the other label has none
START, BEFORE = END - timedelta(days=DAYS), END - timedelta(days=2 * DAYS)


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its interval, None where the samples do not bound it, and what it rests on."""

    value: float
    low: float | None
    high: float | None
    count: int


def current(runs: Iterable[Run]) -> list[Run]:
    """Return the runs of the seven days."""
    return [run for run in runs if START <= run.created_at.date() < END]


def previous(runs: Iterable[Run]) -> list[Run]:
    """Return the runs of the seven days before."""
    return [run for run in runs if BEFORE <= run.created_at.date() < START]


def executions(runs: Iterable[Run]) -> Iterator[tuple[Run, Job]]:
    """Yield every job of every attempt with its run."""
    yield from ((run, job) for run in runs for job in run.attempts)


def has_failed(run: Run) -> bool:
    """Whether its last attempt failed."""
    return run.final.conclusion == "failure"


def is_flaky(run: Run) -> bool:
    """Whether an attempt failed and a later one passed."""
    return run.final.conclusion == "success" and any(job.conclusion == "failure" for job in run.attempts)


def minutes(job: Job) -> int:
    """Return the minutes that a job is billed."""
    return math.ceil(job.seconds / 60)


def cost(runs: Iterable[Run]) -> Decimal:
    """Return what the jobs of runs cost, as far as they have a price."""
    return sum((minutes(job) * PRICES.get(job.label, Decimal(0)) for _, job in executions(runs)), Decimal(0))


def waste(runs: Iterable[Run]) -> dict[str, list[Job]]:
    """Return the jobs whose work came to nothing: failed before they passed, or cancelled by the push after."""
    found: dict[str, list[Job]] = defaultdict(list)
    for run in runs:
        if is_flaky(run):
            found["flaky"] += run.attempts[:-1]
        if run.final.conclusion == "cancelled":
            found["superseded"].append(run.final)
    return found


def lost_seconds(runs: Iterable[Run]) -> int:
    """Return the time of the jobs in attempts that failed or were cancelled."""
    return sum(job.seconds for _, job in executions(runs) if job.conclusion != "success")


def ratio(runs: Iterable[Run], is_part: Callable[[Run], bool]) -> Estimate:
    """Return the share of runs that succeeded or failed of which something holds, with Wilson's interval."""
    decided = [run for run in runs if run.final.conclusion != "cancelled"]
    return share([(run.created_at.date(), is_part(run)) for run in decided])


def share(samples: Sequence[tuple[date, bool]]) -> Estimate:
    """Return a share with Wilson's interval, over as many samples as the dispersion between days leaves."""
    value = fmean(is_part for _, is_part in samples)
    size = len(samples) / _dispersion(samples)
    middle = (value + Z**2 / (2 * size)) / (1 + Z**2 / size)
    reach = Z * math.sqrt(value * (1 - value) / size + Z**2 / (4 * size**2)) / (1 + Z**2 / size)
    return Estimate(value, max(middle - reach, 0.0), middle + reach, len(samples))


def percentile(samples: Sequence[tuple[date, float]], rank: float) -> Estimate:
    """Return a percentile with the interval of its order statistics, widened by the dispersion between days."""
    values, size = sorted(value for _, value in samples), len(samples)
    border = values[math.floor(rank * size) - 1]
    spread = _dispersion([(day, value > border) for day, value in samples])
    reach = Z * math.sqrt(size * rank * (1 - rank) * spread)
    low, high = math.floor(rank * size - reach), math.ceil(rank * size + reach) + 1
    place = rank * (size - 1)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    value = below + (place - math.floor(place)) * (above - below)
    return Estimate(value, values[low - 1] if low >= 1 else None, values[high - 1] if high <= size else None, size)


def rate(count: int) -> Estimate:
    """Return a count of seven days with Poisson's score interval."""
    reach = Z * math.sqrt(count + Z**2 / 4)
    return Estimate(count, count + Z**2 / 2 - reach, count + Z**2 / 2 + reach, count)


def difference(now: Estimate, before: Estimate) -> tuple[float, float] | None:
    """Return Newcombe's interval of the difference, None if one of the two is not bounded."""
    if now.low is None or now.high is None or before.low is None or before.high is None:
        return None
    moved = now.value - before.value
    low = moved - math.hypot(now.value - now.low, before.high - before.value)
    return low, moved + math.hypot(now.high - now.value, before.value - before.low)


def sums(runs: Sequence[Run], amount: Callable[[list[Run]], float]) -> tuple[float, float, float, int, int]:
    """Return a sum, that of the days before, how far the difference's interval reaches, and days with an amount."""
    by_day = [float(amount([run for run in runs if run.created_at.date() == day])) for day in _days()]
    now, before = by_day[DAYS:], by_day[:DAYS]
    moved = [one - other for one, other in zip(now, before, strict=True)]
    reach = STUDENT * stdev(moved) * math.sqrt(DAYS)
    return sum(now), sum(before), reach, sum(one > 0 for one in now), sum(one > 0 for one in before)


def _days() -> list[date]:
    return [BEFORE + timedelta(days=number) for number in range(2 * DAYS)]


def _dispersion(samples: Sequence[tuple[date, bool]]) -> float:
    """Return by how much more than chance allows days differ: Pearson's statistic over its degrees of freedom."""
    by_day: dict[date, list[bool]] = defaultdict(list)
    for day, is_part in samples:
        by_day[day].append(is_part)
    value = fmean(is_part for _, is_part in samples)
    if value in (0, 1) or len(by_day) < 2:
        return 1.0
    pearson = sum((sum(day) - len(day) * value) ** 2 / (len(day) * value * (1 - value)) for day in by_day.values())
    return max(1.0, pearson / (len(by_day) - 1))
