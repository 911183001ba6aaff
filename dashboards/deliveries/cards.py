"""The headline cards of deliveries: how often, how fast, how much did not hold and how soon that was mended."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd

from dashboards import data
from dashboards.cards import Card, Change, change, course_of, is_enough, number_in, ratio_in, sample_in
from dashboards.deliveries import benchmarks, questions
from dashboards.evidence import is_evident, wilson
from dashboards.scope import BOTH_PERIODS, DeliveryScope, Period
from phoenix_metrics import words

_WEEK = timedelta(weeks=1)
_PER_SERVICE = "DORA 2023: choose a service to compare"


def delivery_cards(scope: DeliveryScope) -> list[Card]:
    """Return the headline cards, from the totals of both periods and the course through the current one."""
    totals = _joined(scope, questions.BY_PERIOD).set_index("period").reindex(list(BOTH_PERIODS))
    now, before = totals.loc["current"], totals.loc["previous"]
    course = _joined(scope, questions.BY_BUCKET).set_index("bucket").reindex(scope.buckets)
    return [
        _frequency_card(scope, now, before, course),
        _failure_card(scope, now, before, course),
        _lead_time_card(scope, now, before, course),
        _recovery_card(scope, now, before, course),
        _rollback_card(scope, now, before, course),
        _rework_card(scope, now, before, course),
    ]


def summed(scope: DeliveryScope) -> pd.Series:
    """Return the counts of the current period, 0 where nothing happened."""
    totals = questions.summary(scope, questions.BY_PERIOD).set_index("period").reindex(["current"])
    return totals.loc["current"].fillna(0)


def weeks_known(period: Period, known_since: datetime | None) -> float | None:
    """Return the weeks of a period in which deployments are known at all, no fewer than one; None if it lies before."""
    if known_since is None or known_since >= period.end:
        return None
    return max((period.end - max(period.start, known_since)) / _WEEK, 1.0)


def _frequency_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    since = questions.known_since(scope)
    known, known_before = weeks_known(scope.period, since), weeks_known(scope.period.previous, since)
    per_week = number_in(now, "sync_count") / known if known else None
    is_comparable = since is not None and since <= scope.period.previous.start
    per_week_before = number_in(before, "sync_count") / known_before if known_before and is_comparable else None
    is_late = since is not None and since > scope.period.start
    return Card(
        "Deployments per week",
        words.rate(per_week),
        rate_change(per_week, per_week_before, is_firm=is_enough(now, before, "sync_count")),
        sample_in(now, "sync_count", "sync")
        + ("" if scope.service else f"; {words.counted(number_in(now, 'deployment_count'), scope.noun)}")
        + (f"; known since {words.day(since)}" if is_late else ""),
        course_of(course["sync_count"].fillna(0)),
        "Syncs that brought another version of a service, or failed to. "
        + data.definition("delivery_weekly.deployment_count")
        + " One that brings several services counts once here; where it counts for each of them, the page says so."
        + " Divided by the weeks of the period in which deployments are known, at least one."
        + f" The line shows each {scope.unit}; the last is not over."
        + benchmarks.meaning("frequency"),
        _remark(scope, benchmarks.frequency_band(per_week), now, "sync_count")
        if is_of_one_service(scope)
        else _PER_SERVICE * (scope.environment == words.PRODUCTION),
    )


def rate_change(now: float | None, before: float | None, *, is_firm: bool) -> Change:
    """Say how a rate moved, by the difference between the two as they are shown, rounded."""
    shown = [0.0 if rate is None else round(rate, 1 if rate < 10 else 0) for rate in (now, before)]
    return change(
        now,
        before,
        words.rate,
        lambda moved: words.rate(abs(shown[0] - shown[1]) if moved else 0),
        is_firm=is_firm,
        is_more_better=True,
    )


def _failure_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Change failure ratio",
        words.ratio(ratio_in(now, "change_failure_count", "deployment_count")),
        _ratio_change(now, before, "change_failure_count"),
        _part(scope, now, "change_failure_count"),
        _ratio_course(course, "change_failure_count"),
        data.definition("delivery_weekly.change_failure_ratio")
        + " "
        + meaning("A change failure is")
        + benchmarks.meaning("failure"),
        _remark(
            scope,
            benchmarks.failure_band(ratio_in(now, "change_failure_count", "deployment_count")),
            now,
            "deployment_count",
        ),
    )


def _lead_time_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    unattributed = number_in(now, "unattributed_count")
    return Card(
        "Lead time, median",
        words.duration(now["lead_time_p50"]),
        _duration_change(now, before, "lead_time"),
        sample_in(now, "lead_time_count", "new version")
        + (f"; {words.count(unattributed)} more without a known commit" if unattributed else ""),
        course_of(course["lead_time_p50"]),
        "Half of the new versions took no longer. " + meaning("Lead time runs") + benchmarks.meaning("lead_time"),
        _remark(scope, benchmarks.lead_time_band(now["lead_time_p50"]), now, "lead_time_count"),
    )


def _recovery_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    unrecovered = number_in(now, "unrecovered_count")
    return Card(
        "Recovery time, median",
        words.duration(now["recovery_p50"]),
        _duration_change(now, before, "recovery"),
        sample_in(now, "recovery_count", "failure")
        + (f"; {words.count(unrecovered)} not recovered yet" if unrecovered else ""),
        course_of(course["recovery_p50"]),
        "Half of the failures were mended sooner. "
        + data.definition("deliveries.recovery_seconds")
        + " "
        + meaning("Recovery runs")
        + benchmarks.meaning("recovery"),
        _remark(scope, benchmarks.recovery_band(now["recovery_p50"]), now, "recovery_count"),
    )


def _rollback_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    since = questions.known_since(scope)
    is_comparable = since is not None and since <= scope.period.previous.start
    automated = number_in(now, "automated_count")
    return Card(
        "Rollbacks",
        words.count(number_in(now, "rollback_count")),
        change(
            number_in(now, "rollback_count"),
            number_in(before, "rollback_count") if is_comparable else None,
            words.count,
            words.count,
            is_firm=is_enough(now, before, "sync_count"),
        ),
        (f"{words.count(automated)} of them by machines; " if automated else "")
        + f"beside {words.counted(number_in(now, 'sync_count'), 'sync')}",
        course_of(course["rollback_count"].fillna(0)),
        data.definition_of("rollbacks"),
    )


def _rework_card(scope: DeliveryScope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Rework ratio",
        words.ratio(ratio_in(now, "rework_count", "deployment_count")),
        _ratio_change(now, before, "rework_count"),
        _part(scope, now, "rework_count"),
        _ratio_course(course, "rework_count"),
        data.definition("delivery_weekly.rework_ratio", "delivery_weekly.rework_count"),
    )


def is_of_one_service(scope: DeliveryScope) -> bool:
    """Whether a figure is of one service, as DORA asks for: frequencies of several add up to what nobody asked."""
    return scope.service is not None or len(questions.services()) == 1


def _remark(scope: DeliveryScope, band: str, now: pd.Series, samples: str) -> str:
    """Return the cluster beside a figure of production, with a caveat where it rests on little."""
    if not band or scope.environment != words.PRODUCTION:
        return ""
    return f"DORA 2023: {band}" + (", few samples" if number_in(now, samples) < words.FEW else "")


def _joined(scope: DeliveryScope, by: str) -> pd.DataFrame:
    return questions.summary(scope, by).merge(questions.rollback_summary(scope, by), on=by, how="outer")


def _ratio_change(now: pd.Series, before: pd.Series, part: str) -> Change:
    ratios = [ratio_in(row, part, "deployment_count") for row in (now, before)]
    is_firm = is_enough(now, before, "deployment_count")
    intervals = [wilson(row[part], row["deployment_count"]) for row in (now, before)] if is_firm else []
    evident = is_evident(*intervals) if intervals else None
    return change(*ratios, words.ratio, words.points, is_firm=is_firm, is_evident=evident)


def _duration_change(now: pd.Series, before: pd.Series, name: str) -> Change:
    written: Callable[[float], str] = words.duration
    is_firm = is_enough(now, before, f"{name}_count")
    return change(now[f"{name}_p50"], before[f"{name}_p50"], written, written, is_firm=is_firm)


def _part(scope: DeliveryScope, now: pd.Series, part: str) -> str:
    whole = number_in(now, "deployment_count")
    few = f", fewer than {words.FEW}" if whole < words.FEW else ""
    return f"{words.count(number_in(now, part))} of {words.counted(whole, scope.noun)}{few}"


def _ratio_course(course: pd.DataFrame, part: str) -> list[float]:
    return course_of(course[part] / course["deployment_count"].where(course["deployment_count"] > 0))


def meaning(beginning: str) -> str:
    """Return the sentence of the mart's definition that begins so."""
    sentences = data.definition_of("deliveries").split(". ")
    return "".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence.startswith(beginning))
