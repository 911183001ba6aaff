"""GitHub's bill beside our list price: by day and by what runners are billed as, with the difference."""

from datetime import date

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.cost import figures, questions
from dashboards.panel import draw, panel
from dashboards.scope import Scope
from dashboards.tables import draw as draw_table
from dashboards.tables import number
from phoenix_metrics import words


def draw_bill(scope: Scope) -> None:
    """Draw what GitHub billed beside what the list price makes of our minutes, or say why there is no bill."""
    with panel("Beside GitHub's bill", data.definition_of("billing_reconciliation")):
        reach = questions.bill_days(scope)
        if reach and reach[1] >= scope.period.start.date():
            _draw_days(scope, reach)
        elif len(months := questions.bill_by_month(scope)):
            _draw_months(scope, months)
        else:
            _say_why_not(reach)


def said(frame: pd.DataFrame, first: date, last: date) -> str:
    """Say how far our list price is from the bill, of the repositories that are measured."""
    ours = frame[frame["is_measured"]]
    drift, gross = ours["drift_usd"].sum(), ours["billed_gross_usd"].sum()
    share = f" ({_share(abs(drift) / gross)})" if gross else ""
    side = "the same as" if words.usd(abs(drift)) == words.usd(0) else "more than" if drift > 0 else "less than"
    far = "" if side == "the same as" else f"{words.usd(abs(drift))}{share} "
    return (
        f"By the day of use, {words.day(first)} to {words.day(last)}: list price here "
        f"**{words.usd(ours['cost_usd'].sum())}**, {far}{side} the bill before discounts, **{words.usd(gross)}**. "
        f"After discounts GitHub charged {words.usd(ours['billed_net_usd'].sum())} for these repositories."
    )


def _draw_days(scope: Scope, reach: tuple[date, date]) -> None:
    first, last = max(reach[0], scope.period.start.date()), reach[1]
    frame, course = questions.bill_by_sku(scope, last), questions.bill_course(scope, last)
    if frame.empty:
        st.caption("The bill has no line for these repositories in this period.")
        return
    st.markdown(said(frame, first, last))
    days = pd.date_range(first, last, freq="D", unit="us", name="bucket")
    draw(
        figures.bill_beside_ours(course.set_index("bucket").reindex(days)),
        "The bill before discounts of each day as bars, and our list price of the same day as a line",
    )
    st.caption(
        "A dotted bar may still change: GitHub writes a day's bill over some days. Only minutes on runners that GitHub "
        "charges are compared, no storage; and jobs count on the day on which they began, so these sums differ from "
        "those above."
    )
    _draw_table(frame.assign(group=frame["is_measured"].map({True: "measured here", False: "not measured here"})))


def _draw_months(scope: Scope, months: pd.DataFrame) -> None:
    narrowed = " The filters of this page do not narrow it." if scope.repository or scope.team else ""
    st.caption(f"GitHub gives this organisation's bill by month only, of all repositories together.{narrowed}")
    _draw_table(months.assign(group=[f"{at:%b} {at.year}" for at in months["starts_on"]]))


def _say_why_not(reach: tuple[date, date] | None) -> None:
    if reach:
        st.caption(f"The bill that was read ends on {words.day(reach[1])}, before this period.")
        return
    trouble = questions.bill_trouble()
    st.caption(
        "No bill is read"
        + (f" ({words.plain(trouble)})" if trouble else "")
        + ". GitHub shows an organisation's bill to tokens that may read its Administration, and none for a single "
        "user's repositories. `phoenix doctor` says what this token may read."
    )


def _share(ratio: float) -> str:
    return words.ratio(ratio) if ratio >= 0.001 else f"under 0.1{words.NBSP}%"


def _draw_table(frame: pd.DataFrame) -> None:
    columns = (
        ("minutes", "Minutes here"),
        ("billed_minutes", "Minutes billed"),
        ("drift_minutes", "Difference, min"),
        ("cost_usd", "List price here"),
        ("billed_gross_usd", "Billed before discounts"),
        ("drift_usd", "Difference, USD"),
        ("billed_discount_usd", "Discounts"),
        ("billed_net_usd", "Charged"),
    )
    draw_table(
        frame,
        {
            "sku": st.column_config.TextColumn(
                "Billed as", help=data.definition("billing_reconciliation.sku"), width=190, pinned=True
            ),
            **{column: number(label, data.definition(f"billing_reconciliation.{column}")) for column, label in columns},
            "group": st.column_config.TextColumn("Of", width=150),
        },
        {
            "minutes": words.minutes,
            "billed_minutes": words.minutes,
            "drift_minutes": lambda value: words.signed(value, words.minutes),
            "cost_usd": words.usd,
            "billed_gross_usd": words.usd,
            "drift_usd": lambda value: words.signed(value, words.usd),
            "billed_discount_usd": words.usd,
            "billed_net_usd": words.usd,
        },
        "Our minutes and list price beside GitHub's bill, with the difference, discounts and what was charged",
    )
