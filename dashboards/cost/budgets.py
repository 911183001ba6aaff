"""The budgets of the month: what is spent, what the month will come to, and when a budget is crossed."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.cost import figures, questions
from dashboards.cost.filters import choice
from dashboards.panel import draw, panel
from dashboards.tables import draw as draw_table
from dashboards.tables import number
from phoenix_metrics import words


def draw_budgets() -> None:
    """Draw every budget, and one of them through its month; whatever the filters of the page say."""
    with panel("Budgets of the month", data.definition_of("budgets") + " Whatever is filtered above."):
        frame = questions.budgets()
        if frame.empty:
            st.caption("No budget is set: `[budgets]` of `phoenix.toml` has them, in USD a month.")
            return
        if frame["month"].isna().all():
            st.caption("Nothing has been read yet that could be held against a budget.")
            return
        frame = frame.assign(name=[name(row) for row in frame.itertuples()])
        _draw_table(frame)
        usual = str(frame["name"].iloc[0])
        chosen = choice("Budget", "budget", list(frame["name"]), usual) if len(frame) > 1 else usual
        _draw_month(next(frame[frame["name"] == chosen].itertuples()))


def name(row: Any) -> str:
    """Return what a budget is called."""
    return {"total": "All repositories", "team": f"Team {row.subject}"}.get(row.scope, row.subject)


def verdict(row: Any) -> str:
    """Say whether and when a budget is crossed."""
    if pd.notna(row.crossed_on):
        return f"✗ crossed on {words.day(row.crossed_on)}"
    if pd.notna(row.crosses_on):
        return f"▲ will be crossed on {words.day(row.crosses_on)}"
    return "✓ holds, by the forecast" if pd.notna(row.forecast_usd) else "? no full day to forecast from yet"


def sentence(row: Any) -> str:
    """Say how a budget stands."""
    said = (
        f"**{words.usd(row.spent_usd)}** of {words.usd(row.budget_usd)} spent to {words.moment(row.as_of)}"
        + (f" ({words.ratio(row.spent_ratio)})" if pd.notna(row.spent_ratio) else "")
        + (f", **{words.usd(row.forecast_usd)}** by the end of the month" if pd.notna(row.forecast_usd) else "")
    )
    lacking = f" Lacks {words.counted(row.unpriced_count, 'job')} without a price." if row.unpriced_count else ""
    return f"{verdict(row)}: {said}.{lacking}"


def _draw_month(row: Any) -> None:
    frame = questions.budget_days(row.scope, row.subject).set_index("day")
    is_crossed = pd.notna(row.crossed_on)
    crossing = row.crossed_on if is_crossed else row.crosses_on
    st.markdown(sentence(row))
    draw(
        figures.budget_through_month(
            frame, None if pd.isna(crossing) else pd.Timestamp(crossing), is_crossed=is_crossed
        ),
        f"Line of what was spent by each day of the month, the forecast, and the budget. {verdict(row)}",
    )


def _draw_table(frame: pd.DataFrame) -> None:
    draw_table(
        frame.assign(verdict=[verdict(row) for row in frame.itertuples()]),
        {
            "name": st.column_config.TextColumn("Budget", width="medium", pinned=True),
            "verdict": st.column_config.TextColumn(
                "Stands", help=data.definition("budgets.crossed_on", "budgets.crosses_on"), width="medium"
            ),
            "budget_usd": number("A month", data.definition("budgets.budget_usd")),
            "spent_usd": number("Spent so far", data.definition("budgets.spent_usd")),
            "spent_ratio": number("Of the budget", data.definition("budgets.spent_ratio")),
            "forecast_usd": number("Forecast", data.definition("budgets.forecast_usd")),
            "daily_usd": number("Usual of a day", data.definition("budgets.daily_usd")),
            "sample_days": number("Mean of days", data.definition("budgets.sample_days")),
            "unpriced_count": number("Jobs not priced", data.definition("budgets.unpriced_count")),
        },
        {
            "budget_usd": words.usd,
            "spent_usd": words.usd,
            "spent_ratio": words.ratio,
            "forecast_usd": words.usd,
            "daily_usd": words.usd,
            "sample_days": words.count,
            "unpriced_count": words.count,
        },
        "Budgets of the month with what is spent, the forecast and whether they are crossed",
    )
