"""What pages about whole days look at: a period of days and some repositories, and the filter row that chooses them."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboards import data, evidence
from dashboards.cards import Change, change, is_enough, ratio_in
from dashboards.filters import DAYS, carried, choose_period, choose_repository, choose_team, row
from dashboards.scope import Period, matching
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
        return matching(["repository"] if self.repository else [], self.team)

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


def ratio_change(
    days: pd.DataFrame,
    earlier: pd.DataFrame,
    part: str,
    whole: str,
    *,
    written: Callable[[float | None], str] = words.ratio,
    difference: Callable[[float], str] = words.points,
    is_more_better: bool | None = False,
) -> Change:
    """Say how a ratio moved from the days before to these, and whether by more than chance allows."""
    now, before = (frame[[part, whole]].sum() for frame in (days, earlier))
    is_firm = is_enough(now, before, whole)
    return change(
        ratio_in(now, part, whole),
        ratio_in(before, part, whole),
        written,
        difference,
        is_firm=is_firm,
        is_evident=_is_moved(days, now, before, part, whole) if is_firm else None,
        is_more_better=is_more_better,
    )


def _is_moved(days: pd.DataFrame, now: pd.Series, before: pd.Series, part: str, whole: str) -> bool | None:
    """Whether the intervals leave no doubt, widened by how much these days differ more than chance allows."""
    counted = days.fillna(0)
    dispersion = evidence.dispersion(list(counted[part]), list(counted[whole]))
    intervals = [evidence.wilson(totals[part], totals[whole], dispersion) for totals in (now, before)]
    return evidence.is_evident(*intervals)


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
