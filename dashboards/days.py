"""What pages about whole days look at: a period of days and some repositories, and the filter row that chooses them."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.filters import DAYS, carried, choose_period, choose_repository, choose_team, row
from dashboards.scope import Period
from phoenix_metrics import words


@dataclass(frozen=True)
class DayScope:
    """Which rows of daily marts count: those of the period's days (UTC), of a repository or team if chosen."""

    period: Period
    repository: str | None = None
    team: str | None = None

    @property
    def where(self) -> str:
        """The condition on `repository`, in SQL."""
        conditions = ["repository = $repository"] if self.repository else []
        if self.team:
            conditions.append("repository in (select repository from marts.repository_teams where team = $team)")
        return " and ".join(conditions or ["true"])

    @property
    def chosen(self) -> dict[str, object]:
        """The values of the parameters that `where` names."""
        return {name: value for name, value in (("repository", self.repository), ("team", self.team)) if value}

    @property
    def current(self) -> dict[str, object]:
        """These and the first day of the period."""
        return {"start": self.period.start.date(), **self.chosen}

    @property
    def both(self) -> dict[str, object]:
        """These and the first day of the period before, which has as many days."""
        return {"previous_start": self.period.previous.start.date(), **self.chosen}

    @property
    def choices(self) -> dict[str, str]:
        """What is chosen, as the parameters of an address."""
        kept = {name: value for name, value in carried().items() if name == "range"}
        return kept | {name: str(value) for name, value in self.chosen.items()}

    def split(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Split rows with a `day` into those of the period, one for each day in order, and those of the one before."""
        days = frame.assign(day=pd.to_datetime(frame["day"])).set_index("day")
        return days.reindex(self.period.buckets), days[days.index < self.period.start]


def day_scope(told: Callable[[Period], str]) -> DayScope:
    """Draw the filters of whole days and return what they choose, with a line below that tells what is counted."""
    with row():
        repository = choose_repository()
        team = None if repository else choose_team(data.teams())
        period = choose_period(DAYS)
    st.caption(told(period))
    return DayScope(period, repository, team)


def stretch(period: Period) -> str:
    """Return the days of a period and that the last one is not over, such as 28 Oct to 26 Nov 2026."""
    return f"{words.day(period.start)} to {words.day(period.end)} (UTC; the last day is not over)"
