"""Panels of costs: over time, where they arise, and what has no price."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboards import data, filters
from dashboards.cost import figures, questions
from dashboards.cost.filters import is_comparable, switch
from dashboards.panel import draw, panel
from dashboards.scope import ALL_BRANCHES, Period, Scope
from dashboards.tables import draw as draw_table
from dashboards.tables import number
from phoenix_metrics import words

SHOWN = 50

REASONS = {
    "unknown_duration": "its times tell no duration",
    "no_price": "no price of its runner is known for the day",
    "unknown_visibility": "it is not known whether its repository is public, so whether GitHub charges",
    "labels_not_read": "its labels are not read: PHOENIX_GITHUB_DETAIL says how jobs are read",
    "no_labels": "it names no label, and nothing else tells its runner",
    "unknown_label": "no rule names its label: [[runners]] of phoenix.toml can",
}
_FOLLOW = {
    "Team": "its repositories",
    "Repository": "its workflows",
    "Workflow": "its runs and jobs",
    "Runner": "on another runner",
}


def draw_over_time(scope: Scope) -> None:
    """Draw what each day or week cost, and how much of that was wasted."""
    with panel(
        "List price over time",
        data.definition("costs_daily.cost_usd", "costs_daily.day")
        + " The last day is not over, and a week at an end of the period has only those of its days that are in it.",
    ):
        unit = switch("Per", "per", questions.UNITS)
        frame = questions.over_time(scope, unit).set_index("bucket").reindex(buckets(scope.period, unit))
        if not frame["cost_usd"].fillna(0).sum():
            st.caption(
                "No job of the period has a price."
                if frame["cost_usd"].isna().all()
                else "Every job of the period with a price was free of charge, so there is nothing to draw."
            )
            return
        draw(
            figures.costs_over_time(frame, unit),
            f"Stacked bars of the list price of each {unit.lower()}: what was not wasted, and what was",
        )


def buckets(period: Period, unit: str) -> pd.DatetimeIndex:
    """Return the start of each day or week of a period; weeks begin on Monday."""
    if unit == "Day":
        return period.buckets
    monday = period.start - timedelta(days=period.start.weekday())
    return pd.date_range(monday, period.end, freq="7D", unit="us", name="bucket")


def draw_breakdown(scope: Scope) -> None:
    """Draw where the money goes: by team, repository, workflow or runner, as far as the filters leave several."""
    with panel(
        "Where the money goes",
        data.definition_of("costs_daily") + f" The {SHOWN} that cost most; before is the period that this one is "
        "compared with.",
    ):
        by = switch("By", "by", groupings(scope, data.teams()))
        frame = questions.breakdown(scope, by, SHOWN)
        _draw_breakdown(_named(scope, by, frame), by)
        if len(frame) and frame["group_count"].iloc[0] > SHOWN:
            st.caption(f"The first {SHOWN} of {words.count(frame['group_count'].iloc[0])}, by their list price.")


def groupings(scope: Scope, teams: list[str]) -> list[str]:
    """Return by what costs can be told apart that the filters leave open."""
    is_told = {"Team": bool(teams) and not scope.team and not scope.repository, "Repository": not scope.repository}
    return [by for by in questions.KEYS if is_told.get(by, True)]


def draw_unpriced(scope: Scope) -> None:
    """Draw which jobs have no price, and why."""
    with panel("Jobs without a price", data.definition_of("unpriced_daily")):
        frame = questions.unpriced(scope)
        if frame.empty:
            st.caption("Every job of the period has a price.")
            return
        draw_table(
            frame,
            {
                "runner": st.column_config.TextColumn("Runner", help=data.definition("unpriced_daily.runner")),
                "unpriced_reason": st.column_config.TextColumn("Why", width="large"),
                "job_count": number("Jobs", data.definition("unpriced_daily.job_count")),
                "billed_minutes": number("Minutes", data.definition("unpriced_daily.billed_minutes")),
                "repository_count": number("Repositories", "In how many repositories."),
            },
            {
                "unpriced_reason": lambda reason: REASONS.get(reason, reason),
                "job_count": words.count,
                "billed_minutes": words.minutes,
                "repository_count": words.count,
            },
            "Runners without a price, why, and how many jobs and minutes that are",
        )


def _named(scope: Scope, by: str, frame: pd.DataFrame) -> pd.DataFrame:
    keys = questions.KEYS[by].split(", ")
    daily = questions.trends(scope, by, SHOWN)
    trends = {key: rows.set_index("bucket")["cost_usd"] for key, rows in daily.groupby(keys)}
    rows = list(zip(*(frame[key] for key in keys), strict=True))
    whole = questions.totals(scope).set_index("period").loc["current", "cost_usd"]
    moved = frame["cost_usd"].fillna(0) - frame["previous_usd"].fillna(0)
    return frame.assign(
        name=[_name(by, row) for row in rows],
        page=[_page(by, row) for row in rows],
        share=frame["cost_usd"] / (whole or float("nan")),
        moved=moved if is_comparable(scope) else float("nan"),
        waste_ratio=frame["waste_usd"] / frame["cost_usd"].where(frame["cost_usd"] > 0),
        trend=[
            trends[row].reindex(scope.period.buckets).fillna(0).astype(float).tolist() if row in trends else []
            for row in rows
        ],
    )


def _name(by: str, row: tuple[str, ...]) -> str:
    nameless = {"Team": "no team", "Runner": "not known"}
    return " · ".join(row) if row not in (("",), ("unknown",)) else nameless.get(by, row[0])


def _page(by: str, row: tuple[str, ...]) -> str | None:
    carried = {name: value for name, value in filters.carried().items() if name == "range"}
    if by == "Team":
        return filters.address("cost", team=row[0], by="Repository", **carried) if row[0] else None
    if by == "Repository":
        return filters.address("cost", repository=row[0], by="Workflow", **carried)
    if by == "Workflow":
        return filters.address("workflow", repository=row[0], workflow=row[1], branch=ALL_BRANCHES, **carried)
    narrowed = {name: st.session_state.get(name, filters.DEFAULTS[name]) for name in ("repository", "team")}
    return filters.address("cost", runner=row[0], **narrowed, **carried) if row[0] != "unknown" else None


def _draw_breakdown(frame: pd.DataFrame, by: str) -> None:
    draw_table(
        frame,
        {
            "name": st.column_config.TextColumn(by, width="medium", pinned=True),
            "cost_usd": number("List price", data.definition("costs_daily.cost_usd")),
            "share": number("Of all cost", "Its part of the list price of all that the page counts."),
            "moved": number(
                "Against before", "Its list price less that in the period before, if all of that is known."
            ),
            "waste_usd": number("Wasted", data.definition("costs_daily.waste_usd")),
            "waste_ratio": number("Of its cost", "The wasted part of its list price."),
            "billed_minutes": number("Minutes", data.definition("costs_daily.billed_minutes")),
            "job_count": number("Jobs", data.definition("costs_daily.job_count")),
            "unpriced_count": number("Not priced", data.definition("costs_daily.unpriced_count")),
            "trend": st.column_config.BarChartColumn("Per day", help="Each row has its own scale.", y_min=0),
            "page": st.column_config.LinkColumn("Follow", display_text=_FOLLOW[by], alignment="left"),
        },
        {
            "cost_usd": words.usd,
            "share": words.ratio,
            "moved": lambda moved: words.signed(moved, words.usd),
            "waste_usd": words.usd,
            "waste_ratio": words.ratio,
            "billed_minutes": words.minutes,
            "job_count": words.count,
            "unpriced_count": words.count,
        },
        f"List price, waste, minutes and jobs by {by.lower()}",
    )
