"""What a page looks at: a period and the filters, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import pandas as pd

Unit = Literal["hour", "day"]

BOTH_PERIODS = ("current", "previous")
ALL_REPOSITORIES = "All repositories"
ALL_EVENTS = "All events"
ALL_SERVICES, ALL_TEAMS = "All services", "All teams"
DEFAULT_BRANCH, ALL_BRANCHES = "Default branch", "All branches"
FINAL, FIRST = "Final attempt", "First attempt"

RANGES: dict[str, tuple[int, Unit]] = {
    "24 h": (24, "hour"),
    "7 days": (7, "day"),
    "14 days": (14, "day"),
    "30 days": (30, "day"),
    "60 days": (60, "day"),
    "90 days": (90, "day"),
    "180 days": (180, "day"),
    "365 days": (365, "day"),
}


def matching(columns: Iterable[str], team: str | None) -> str:
    """Return in SQL that each column equals the parameter of its name and, with a team, that the repository is its."""
    conditions = [f"{column} = ${column}" for column in columns]
    if team:
        conditions.append("repository in (select repository from marts.repository_teams where team = $team)")
    return " and ".join(conditions or ["true"])


@dataclass(frozen=True)
class Period:
    """Some hours or days up to `end`, the last of which is not over yet; naive UTC, like the marts."""

    start: datetime
    end: datetime
    unit: Unit
    length: timedelta

    @property
    def previous(self) -> "Period":
        """The equally long period before, cut at the same time of day."""
        return replace(self, start=self.start - self.length, end=self.end - self.length)

    @property
    def buckets(self) -> pd.DatetimeIndex:
        """The start of each hour or day, whether anything happened in it or not."""
        return pd.date_range(self.start, self.end, freq="h" if self.unit == "hour" else "D", unit="us", name="bucket")


def last(choice: str, end: datetime) -> Period:
    """Return the period that a choice of RANGES means at a moment."""
    number, unit = RANGES[choice]
    step = timedelta(hours=1) if unit == "hour" else timedelta(days=1)
    current = end.replace(minute=0, second=0, microsecond=0)
    if unit == "day":
        current = current.replace(hour=0)
    return Period(current - (number - 1) * step, end, unit, number * step)


@dataclass(frozen=True)
class Scope:
    """Which runs count: those created in the period and its predecessor that pass the filters; None filters nothing."""

    period: Period
    repository: str | None = None
    team: str | None = None
    workflow: str | None = None
    event: str | None = None
    default_branch_only: bool = True
    attempt: Literal["final", "first"] = "final"

    @property
    def filters(self) -> dict[str, str]:
        """The columns that must equal a value."""
        chosen = {"repository": self.repository, "workflow": self.workflow, "event": self.event}
        return {column: value for column, value in chosen.items() if value is not None}

    @property
    def parameters(self) -> dict[str, object]:
        """The values of the query parameters that `data` names."""
        return {
            "unit": self.period.unit,
            "start": self.period.start,
            "end": self.period.end,
            "previous_start": self.period.previous.start,
            "previous_end": self.period.previous.end,
            **({"team": self.team} if self.team else {}),
            **self.filters,
        }


@dataclass(frozen=True)
class DeliveryScope:
    """Which deployments count: those to an environment that began in the period, of a service or team if chosen."""

    period: Period
    environment: str
    service: str | None = None
    team: str | None = None

    @property
    def filters(self) -> dict[str, str]:
        """The columns that must equal a value."""
        return {"environment": self.environment, **self.narrowing}

    @property
    def narrowing(self) -> dict[str, str]:
        """The same without the environment."""
        chosen = {"service": self.service, "team": self.team}
        return {column: value for column, value in chosen.items() if value is not None}

    @property
    def noun(self) -> str:
        """What is counted: of one service its deployments, else those of each service."""
        return "deployment" if self.service else "service deployment"

    @property
    def unit(self) -> str:
        """What the course through the period is told by."""
        return "week" if self.period.length > timedelta(days=14) else "day"

    @property
    def buckets(self) -> pd.DatetimeIndex:
        """The start of each week or day, whether anything happened in it or not; weeks begin on Monday."""
        start = self.period.start
        if self.unit == "day":
            return self.period.buckets
        return pd.date_range(
            start - timedelta(days=start.weekday()), self.period.end, freq="7D", unit="us", name="bucket"
        )

    @property
    def parameters(self) -> dict[str, object]:
        """The values of the query parameters that `deliveries` names."""
        return {
            "start": self.period.start,
            "end": self.period.end,
            "previous_start": self.period.previous.start,
            "previous_end": self.period.previous.end,
            **self.filters,
        }
