"""The headline cards of flakiness."""

import pandas as pd

from dashboards import data
from dashboards.cards import Card, Change, change, course_of, is_enough, number_in, ratio_in
from dashboards.days import DayScope, ratio_change
from dashboards.flakiness import questions
from phoenix_metrics import words

_BY_CHANCE = (
    "Failed by chance are executions of jobs that failed although the same job passed on the same commit and event, in "
    "another attempt or run. What nobody runs again cannot be proven, so this is a lower bound."
)
_UNKNOWN = "by jobs that are not known"


def flake_cards(scope: DayScope) -> list[Card]:
    """Return the headline cards: how much is flaky, how much of failing that explains, what it cost, and how many."""
    days, earlier = scope.split(questions.by_day(scope))
    now, before = (frame.sum(min_count=1) for frame in (days, earlier))
    return [
        _share_card(now, days, earlier),
        _explained_card(now, days, earlier),
        _time_card(now, before, days),
        _cost_card(now, before, days),
        _subjects_card(scope),
    ]


def _share_card(now: pd.Series, days: pd.DataFrame, earlier: pd.DataFrame) -> Card:
    flaky, decided = number_in(now, "flaky_count"), number_in(now, "decided_count")
    return Card(
        "Flaky runs",
        words.ratio(ratio_in(now, "flaky_count", "decided_count")),
        ratio_change(days, earlier, "flaky_count", "decided_count"),
        f"{words.count(flaky)} of {words.counted(decided, 'run')}" + _few(decided),
        course_of(days["flaky_count"] / days["decided_count"].where(days["decided_count"] > 0)),
        data.definition("workflow_runs.is_flaky") + " Share of all runs that succeeded or failed, on all branches.",
    )


def _explained_card(now: pd.Series, days: pd.DataFrame, earlier: pd.DataFrame) -> Card:
    chance, failed = number_in(now, "chance_count"), number_in(now, "failure_count")
    hints, is_known = number_in(now, "hint_count"), _is_known(now)
    sample = f"{words.count(chance)} of {words.counted(failed, 'failed job')}{_few(failed)}"
    ratios = days["chance_count"].fillna(0) / days["failure_count"].where(days["failure_count"] > 0)
    return Card(
        "Failures by chance",
        words.ratio(ratio_in(now.fillna(0), "chance_count", "failure_count")) if is_known else words.NOTHING,
        ratio_change(days, earlier, "chance_count", "failure_count", is_more_better=None)
        if is_known
        else change(None, None, words.ratio, words.points, is_firm=False),
        (sample if is_known else f"which of {words.counted(failed, 'failed job')} is not known")
        + (f"; {words.counted(hints, 'hint')} more" if hints else ""),
        course_of(ratios) if is_known else [],
        "Share of the failed executions of jobs that chance explains; it moves with the other failures, so "
        "neither more nor less is better. " + _BY_CHANCE,
    )


def _time_card(now: pd.Series, before: pd.Series, days: pd.DataFrame) -> Card:
    lost = _lost(now, "lost_seconds")
    return Card(
        "Time lost to flakes",
        words.duration(lost),
        change(lost, _lost(before, "lost_seconds"), words.duration, words.duration, is_firm=_is_enough(now, before)),
        f"{words.counted(number_in(now, 'chance_count'), 'failed job')}, "
        f"{words.minutes(number_in(now, 'lost_minutes'))} billed"
        if _is_known(now)
        else _UNKNOWN,
        losses(days, "lost_seconds") if _is_known(now) else [],
        data.definition("job_flakes.lost_seconds") + f" {_BY_CHANCE} Waiting people cost more and are not in it.",
    )


def _cost_card(now: pd.Series, before: pd.Series, days: pd.DataFrame) -> Card:
    lost, chance = _lost(now, "lost_usd"), number_in(now, "chance_count")
    unpriced = number_in(now, "unpriced_count")
    return Card(
        "Money lost to flakes",
        words.usd(lost),
        change(lost, _lost(before, "lost_usd"), words.usd, words.usd, is_firm=True, is_more_better=None),
        (words.sample(chance, "failed job") if chance else words.counted(0, "failed job"))
        + (f"; {words.count(unpriced)} without a price" if unpriced else "")
        if _is_known(now)
        else _UNKNOWN,
        losses(days, "lost_usd") if _is_known(now) else [],
        data.definition("job_flakes.lost_usd")
        + f" {_BY_CHANCE} Of that, waste of class flaky counts only what passed in a later attempt of the same run.",
    )


def _subjects_card(scope: DayScope) -> Card:
    frames = [questions.flaky_jobs(scope), questions.flaky_tests(scope)]
    active = [frame[~frame["is_healed"] & frame["level"].isin(["L1", "L2", "L3"])] for frame in frames]
    new = sum(int((frame["first_seen_at"] >= scope.period.start).sum()) for frame in active)
    jobs, tests = (words.counted(len(frame), noun) for frame, noun in zip(active, ("job", "test"), strict=True))
    healed = sum(int(frame["is_healed"].sum()) for frame in frames)
    return Card(
        "Flaky now",
        f"{jobs}, {tests}",
        Change(f"{words.count(new)} new", "first seen in this period", "gray", "off"),
        f"proven in the last {questions.WINDOW_DAYS} days of data; {words.count(healed)} healed",
        [],
        "Jobs, and tests by platform, that failed by chance in the last 30 days of data and have not healed, whatever "
        "the time range. Healed: no evidence for 14 days, and passed at least 5 times since.",
    )


def losses(days: pd.DataFrame, column: str) -> list[float]:
    """Return what each day lost: 0 where nothing failed by chance, no value where no run passed or failed."""
    return course_of(days[column].astype(float).fillna(0).where(days["decided_count"].fillna(0) > 0))


def _lost(totals: pd.Series, column: str) -> float | None:
    """Return what was lost: 0 where nothing failed by chance, None where that has no price or is not known."""
    if not number_in(totals, "decided_count") or not _is_known(totals):
        return None
    return totals[column] if number_in(totals, "chance_count") else 0.0


def _is_known(totals: pd.Series) -> bool:
    """Whether it can be said which jobs failed by chance: not where runs were flaky, but no job of theirs."""
    return bool(number_in(totals, "chance_count") or not number_in(totals, "flaky_count"))


def _is_enough(now: pd.Series, before: pd.Series) -> bool:
    return is_enough(now, before, "chance_count")


def _few(count: float) -> str:
    return f", fewer than {words.FEW}" if count < words.FEW else ""
