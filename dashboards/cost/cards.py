"""The headline cards of costs."""

import pandas as pd

from dashboards import data
from dashboards.cards import Card, Change, change, course_of, is_enough, number_in, ratio_in
from dashboards.cost import questions
from dashboards.cost.filters import is_comparable
from dashboards.scope import BOTH_PERIODS, Scope
from phoenix_metrics import words


def cost_cards(scope: Scope) -> list[Card]:
    """Return the headline cards; what GitHub billed has one only where a bill by day is read."""
    totals = questions.totals(scope).set_index("period").reindex(list(BOTH_PERIODS))
    now = totals.loc["current"]
    before = totals.loc["previous"] if is_comparable(scope) else totals.loc["previous"] * float("nan")
    course = questions.over_time(scope, "Day").set_index("bucket").reindex(scope.period.buckets)
    return [
        _cost_card(now, before, course),
        _waste_card(now, before, course),
        *_bill_cards(scope),
        _minutes_card(scope, now, before, course),
        _unpriced_card(now, before, course),
    ]


def _cost_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    unpriced = number_in(now, "unpriced_count")
    return Card(
        "List price",
        words.usd(now["cost_usd"]),
        _money_change(now, before, "cost_usd"),
        f"{words.counted(now['job_count'], 'job')}"
        + (f", {words.count(unpriced)} of them not priced and not in it" if unpriced else ""),
        course_of(course["cost_usd"].fillna(0)),
        data.definition_of("costs_daily"),
    )


def _waste_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Wasted",
        words.usd(now["waste_usd"]),
        _money_change(now, before, "waste_usd"),
        _wasted_share(now, before),
        course_of(course["waste_usd"].fillna(0)),
        data.definition("costs_daily.waste_usd") + " " + data.definition_of("wasted_jobs"),
    )


def _wasted_share(now: pd.Series, before: pd.Series) -> str:
    """Say which part of the list price was wasted, and which part before; of a list price of nothing there is none."""
    share, earlier = (ratio_in(row, "waste_usd", "cost_usd") for row in (now, before))
    if share is None:
        return "nothing has a list price" if pd.isna(now["cost_usd"]) else "every job with a price was free of charge"
    return f"{words.ratio(share)} of the list price" + (f", was {words.ratio(earlier)}" if earlier is not None else "")


def _bill_cards(scope: Scope) -> list[Card]:
    reach = questions.bill_days(scope)
    if reach is None or reach[1] < scope.period.start.date():
        return []
    first, last = reach
    totals = questions.bill_totals(scope, last).set_index("period").reindex(list(BOTH_PERIODS))
    now, before = totals.loc["current"], totals.loc["previous"]
    is_comparable = first <= scope.period.previous.start.date()
    discount, unmeasured = number_in(now, "billed_discount_usd"), number_in(now, "unmeasured_usd")
    course = questions.bill_course(scope, last).set_index("bucket").reindex(scope.period.buckets)
    return [
        Card(
            "Billed by GitHub",
            words.usd(number_in(now, "billed_net_usd")),
            change(
                number_in(now, "billed_net_usd"),
                number_in(before, "billed_net_usd") if is_comparable else None,
                words.usd,
                words.usd,
                is_firm=True,
            ),
            f"charged to {words.day(last)}"
            + (f", after {words.usd(discount)} of discounts" if discount else "")
            + (f"; {words.usd(unmeasured)} of it of repositories not measured here" if unmeasured else ""),
            course_of(course["billed_net_usd"].fillna(0)),
            data.definition("billing_reconciliation.billed_net_usd")
            + " By the day of use, as bills are, in the days of the period that are over and that the bill tells of; "
            "compared with as many days of the period before.",
        )
    ]


def _minutes_card(scope: Scope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    free = questions.free_minutes(scope)
    return Card(
        "Minutes",
        words.minutes(now["billed_minutes"]),
        change(
            now["billed_minutes"],
            before["billed_minutes"],
            words.minutes,
            words.minutes,
            is_firm=is_enough(now, before, "job_count"),
            is_more_better=None,
        ),
        f"{words.minutes(free)} of them free of charge" if free else "none of them free of charge",
        course_of(course["billed_minutes"].fillna(0)),
        data.definition("costs_daily.billed_minutes")
        + " Each job is rounded up by itself. GitHub's standard runners are free for public repositories and for "
        "workflows that GitHub runs itself.",
    )


def _unpriced_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Jobs without a price",
        words.count(now["unpriced_count"]),
        change(
            now["unpriced_count"],
            before["unpriced_count"],
            words.count,
            words.count,
            is_firm=is_enough(now, before, "job_count"),
        ),
        f"{words.ratio(ratio_in(now, 'unpriced_count', 'job_count'))} of {words.counted(now['job_count'], 'job')}"
        + ("; no cost here has them in it" if now["unpriced_count"] else ""),
        course_of(course["unpriced_count"].fillna(0)),
        data.definition("costs_daily.unpriced_count") + " " + data.definition_of("unpriced_daily"),
    )


def _money_change(now: pd.Series, before: pd.Series, column: str) -> Change:
    return change(now[column], before[column], words.usd, words.usd, is_firm=is_enough(now, before, "job_count"))
