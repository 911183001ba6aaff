"""The headline cards of data health: which share of what is shown rests on less than everything."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from dashboards import data
from dashboards.cards import Card, change, course_of
from dashboards.evidence import dispersion, is_evident, wilson
from dashboards.health import questions
from dashboards.scope import Period
from phoenix_metrics import words


@dataclass(frozen=True)
class _Share:
    name: str
    label: str
    noun: str
    meaning: Callable[[], str]


_SHARES = (
    _Share(
        "undetailed",
        "Runs without all of their jobs",
        "ended run",
        lambda: data.definition("repository_daily.bulk_count", "repository_daily.undetailed_count"),
    ),
    _Share("unpriced", "Jobs without a price", "job", lambda: data.definition("usage_daily.unpriced_count")),
    _Share(
        "unclassified",
        "Failures without a reason",
        "failed job",
        lambda: "Failed jobs that no rule explains. " + data.definition_of("failure_classes_daily"),
    ),
    _Share(
        "unattributed",
        "Versions without a lead time",
        "new version",
        lambda: data.definition("deliveries.is_unattributed"),
    ),
)


def health_cards(period: Period) -> list[Card]:
    """Return a card for each share, against the period before, with its course by day."""
    return [_card(share, period) for share in _SHARES]


def _card(share: _Share, period: Period) -> Card:
    daily = questions.share(share.name, period)
    now, before = daily[daily["day"] >= period.start], daily[daily["day"] < period.start]
    wholes = [int(part["whole"].sum()) for part in (now, before)]
    ratios = [part["part"].sum() / whole if whole else None for part, whole in zip((now, before), wholes, strict=True)]
    course = now.set_index("day").reindex(period.buckets)
    return Card(
        share.label,
        words.ratio(ratios[0]),
        change(
            ratios[0],
            ratios[1],
            words.ratio,
            words.points,
            is_firm=min(wholes) >= words.FEW,
            is_evident=_is_evident(now, before) if all(wholes) else None,
        ),
        f"{words.count(now['part'].sum())} of {words.counted(wholes[0], share.noun)}",
        course_of(course["part"] / course["whole"].where(course["whole"] > 0)) if _is_drawn(course) else [],
        f"{share.meaning()} By the day on which runs were created or deployments began.",
    )


def _is_evident(now: pd.DataFrame, before: pd.DataFrame) -> bool | None:
    intervals = []
    for days in (now, before):
        spread = dispersion(list(days["part"]), list(days["whole"]))
        intervals.append(wilson(days["part"].sum(), days["whole"].sum(), spread))
    return is_evident(intervals[0], intervals[1])


def _is_drawn(course: pd.DataFrame) -> bool:
    return bool(course["part"].fillna(0).sum() > 0)
