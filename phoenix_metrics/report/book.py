"""What a digest is written from: one published snapshot, and the days that it is about."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import Settings
from phoenix_metrics.warehouse.snapshot import Snapshot, SnapshotReader
from phoenix_metrics.words import listed

LENGTHS = (7, 28)  # of the periods that marts.period_comparisons compares

Row = dict[str, Any]

_PASSES = """
    select
        max(last_attempt_at) as as_of,
        max(last_attempt_at) filter (where source = 'github') as runs_as_of,
        max(last_attempt_at) filter (where source = 'argocd') as deliveries_as_of
    from marts.data_health
    where source in ('github', 'argocd')
"""


@dataclass(frozen=True)
class Period:
    """Some whole days (UTC) before a day, and as many before them."""

    days: int
    end: date  # the first day that is not in it

    @property
    def start(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days)

    @property
    def last(self) -> date:
        """The last day."""
        return self.end - timedelta(days=1)

    @property
    def previous(self) -> "Period":
        """As many days before."""
        return Period(self.days, self.start)

    @property
    def both(self) -> tuple[date, ...]:
        """Each day of the period before and of this one."""
        return tuple(self.previous.start + timedelta(days=number) for number in range(2 * self.days))

    def __str__(self) -> str:
        """Say from when to when, such as 17 to 23 Nov 2026."""
        first, last = self.start, self.last
        shown = f"{first.day}"
        if (first.month, first.year) != (last.month, last.year):
            shown += f" {first:%b}" + (f" {first:%Y}" if first.year != last.year else "")
        return f"{shown} to {last.day} {last:%b %Y}"


@dataclass(frozen=True)
class Book:
    """A snapshot to ask, and the days to ask about.

    Runs belong to the day on which they were created, deployments to that on which they began. Either period ends
    before the day of the newest pass over its source, as in marts.period_comparisons.
    """

    reader: SnapshotReader
    settings: Settings
    snapshot: Snapshot
    made_at: datetime
    as_of: datetime | None  # end of the newest pass
    runs: Period
    deliveries: Period

    def ask(self, query: str, **parameters: object) -> list[Row]:
        """Return the rows of a query, which may name $days, $start, $end and the like."""
        known: dict[str, object] = {
            "days": self.runs.days,
            "previous_start": self.runs.previous.start,
            "start": self.runs.start,
            "end": self.runs.end,
            "deliveries_previous_start": self.deliveries.previous.start,
            "deliveries_start": self.deliveries.start,
            "deliveries_end": self.deliveries.end,
            **parameters,
        }
        named = set(re.findall(r"\$(\w+)", query))
        rows: list[Row] = self.reader.query(query, {key: known[key] for key in named}).to_pylist()
        return rows

    def ask_one(self, query: str, **parameters: object) -> Row:
        """Return the only row of a query."""
        [row] = self.ask(query, **parameters)
        return row


def open_book(reader: SnapshotReader, settings: Settings, days: int, made_at: datetime) -> Book:
    """Return the book of the current snapshot. Raises SettingsError for a length that no mart compares."""
    if days not in LENGTHS:
        lengths = listed([str(length) for length in LENGTHS]).replace(" and ", " or ")
        raise SettingsError(
            f"--days {days}: a report compares {lengths} whole days with as many before; give one of these"
        )
    snapshot = reader.current()
    passes = reader.query(_PASSES).to_pylist()[0]
    newest = _aware(passes["as_of"])
    runs_end = _aware(passes["runs_as_of"]) or newest or snapshot.published_at
    deliveries_end = _aware(passes["deliveries_as_of"]) or newest or snapshot.published_at
    periods = Period(days, runs_end.date()), Period(days, deliveries_end.date())
    return Book(reader, settings, snapshot, made_at, newest, *periods)


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None
