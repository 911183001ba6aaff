"""Headline cards: a number, how it changed, what it rests on and what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.scope import BOTH_PERIODS, Scope
from phoenix_metrics import words

Tone = Literal["red", "green", "gray"]
STEADY = 0.05  # a change below this share of the earlier value is no news

_BETTER: tuple[str, Tone] = ("better", "green")
_WORSE: tuple[str, Tone] = ("worse", "red")


@dataclass(frozen=True)
class Change:
    """How a number moved against the previous period, and whether that is worse."""

    text: str
    verdict: str
    tone: Tone
    arrow: Literal["up", "down", "off"]


@dataclass(frozen=True)
class Card:
    """One headline number as it is shown."""

    label: str
    value: str
    change: Change
    sample: str
    course: list[float]
    meaning: str


def headline_cards(scope: Scope) -> list[Card]:
    """Return the headline cards of a scope, from its totals in both periods and its course through the current one."""
    totals = _joined(scope, data.BY_PERIOD).set_index("period").reindex(list(BOTH_PERIODS))
    now, before = totals.loc["current"], totals.loc["previous"]
    course = over_time(scope)
    return [
        _failure_card(scope, now, before, course),
        _duration_card(now, before, course),
        _queue_card(now, before, course),
        _flaky_card(now, before, course),
        _lost_card(now, before, course),
    ]


def over_time(scope: Scope) -> pd.DataFrame:
    """Return measures of each hour or day of the period; empty where nothing happened."""
    return _joined(scope, data.BY_BUCKET).set_index("bucket").reindex(scope.period.buckets)


def draw_cards(cards: list[Card]) -> None:
    """Draw the cards side by side, wrapping where the page is narrow."""
    with st.container(key="cards"):
        for column, card in zip(st.columns(len(cards), gap="small"), cards, strict=True):
            with column.container(border=True, height="stretch", gap="xsmall"):
                _draw(card)


def change(
    now: float | None,
    before: float | None,
    written: Callable[[float], str],
    difference: Callable[[float], str],
    *,
    is_firm: bool,
    is_more_better: bool = False,
) -> Change:
    """Say how a number moved; without a verdict where it hardly did or where a period holds too little to judge."""
    if pd.isna(now):
        return Change("no value in this period", "", "gray", "off")
    if pd.isna(before):
        return Change("nothing to compare with", "", "gray", "off")
    moved = difference(abs(now - before))
    if moved == difference(0):
        return Change("no change", f"from {written(before)}", "gray", "off")
    arrow: Literal["up", "down"] = "up" if now > before else "down"
    if not is_firm:
        return Change(moved, f"few samples, was {written(before)}", "gray", arrow)
    if abs(now - before) < STEADY * before:
        return Change(moved, f"about the same, was {written(before)}", "gray", arrow)
    verdict, tone = _BETTER if (arrow == "up") == is_more_better else _WORSE
    return Change(moved, f"{verdict}, was {written(before)}", tone, arrow)


def _failure_card(scope: Scope, now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    other = "first" if scope.attempt == "final" else "final"
    counterpart = words.ratio(ratio_in(now, "counterpart_failure_count", "counterpart_count"))
    return Card(
        "Failure ratio",
        words.ratio(ratio_in(now, "failure_count", "decided_count")),
        change(
            ratio_in(now, "failure_count", "decided_count"),
            ratio_in(before, "failure_count", "decided_count"),
            words.ratio,
            words.points,
            is_firm=is_enough(now, before, "decided_count"),
        ),
        f"{sample_in(now, 'decided_count', 'run')}; {other} attempts {counterpart}",
        course_of(course["failure_count"] / course["decided_count"].where(course["decided_count"] > 0)),
        data.definition("workflow_windows.failure_ratio")
        + f" Counted by the {scope.attempt} attempt of each run. Cancelled, skipped and unfinished runs do not count."
        + " First attempts: how often the change or the pipeline failed before anyone ran it again.",
    )


def _duration_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Duration, p95",
        words.duration(now["duration_p95"]),
        _duration_change(now, before, "duration_p95", "duration_count"),
        f"{sample_in(now, 'duration_count', 'run')}; median {words.duration(now['duration_p50'])}",
        course_of(course["duration_p95"]),
        "95 of 100 runs took no longer. "
        + data.definition("workflow_runs.duration_seconds")
        + " Exact, over all successful and failed runs of the period.",
    )


def _queue_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Queue time, p95",
        words.duration(now["queue_p95"]),
        _duration_change(now, before, "queue_p95", "queue_count"),
        sample_in(now, "queue_count", "job"),
        course_of(course["queue_p95"]),
        "95 of 100 jobs waited no longer. " + data.definition("jobs.queue_seconds") + " Jobs of all attempts count.",
    )


def _flaky_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    return Card(
        "Flaky runs",
        words.ratio(ratio_in(now, "flaky_count", "decided_count")),
        change(
            ratio_in(now, "flaky_count", "decided_count"),
            ratio_in(before, "flaky_count", "decided_count"),
            words.ratio,
            words.points,
            is_firm=is_enough(now, before, "decided_count"),
        ),
        f"{words.count(number_in(now, 'flaky_count'))} of {words.counted(number_in(now, 'decided_count'), 'run')}",
        course_of(course["flaky_count"] / course["decided_count"].where(course["decided_count"] > 0)),
        data.definition("workflow_runs.is_flaky") + " Share of all runs that succeeded or failed.",
    )


def _lost_card(now: pd.Series, before: pd.Series, course: pd.DataFrame) -> Card:
    share = words.ratio(ratio_in(now, "lost_seconds", "job_seconds"))
    return Card(
        "Compute time lost",
        words.duration(now["lost_seconds"]),
        _duration_change(now, before, "lost_seconds", "job_time_count"),
        f"{share} of {words.duration(now['job_seconds'])}; {sample_in(now, 'job_time_count', 'run')}",
        course_of(course["lost_seconds"]),
        "Job time in attempts that failed or were cancelled. Job time: " + data.definition("workflow_runs.job_seconds"),
    )


def _duration_change(now: pd.Series, before: pd.Series, column: str, samples: str) -> Change:
    is_firm = is_enough(now, before, samples)
    return change(now[column], before[column], words.duration, words.duration, is_firm=is_firm)


def _draw(card: Card) -> None:
    st.metric(
        card.label,
        card.value,
        card.change.text,
        card.change.tone,
        delta_arrow=card.change.arrow,
        delta_description=card.change.verdict or None,
        help=card.meaning,
        chart_data=card.course,
        chart_type="area",
    )
    st.caption(card.sample)


def _joined(scope: Scope, by: str) -> pd.DataFrame:
    return data.run_summary(scope, by).merge(data.queue_summary(scope, by), on=by, how="left")


def ratio_in(row: pd.Series, part: str, whole: str) -> float | None:
    """Return the part of a whole, None where there is no whole."""
    return row[part] / row[whole] if number_in(row, whole) > 0 else None


def number_in(row: pd.Series, column: str) -> float:
    """Return a number, 0 where there is none."""
    return 0 if pd.isna(row[column]) else row[column]


def sample_in(row: pd.Series, column: str, noun: str) -> str:
    """Return how much a number rests on, in words."""
    return words.sample(number_in(row, column), noun)


def is_enough(now: pd.Series, before: pd.Series, column: str) -> bool:
    """Whether both periods hold enough to judge a change by."""
    return min(number_in(now, column), number_in(before, column)) >= words.FEW


def course_of(values: pd.Series) -> list[float]:
    """Return the values of each hour, day or week as a card draws them."""
    return [float(value) for value in values]
