"""The headline cards of quality: an answer to each question of the page."""

import pandas as pd

from dashboards import data
from dashboards.cards import Card, Change, course_of, ratio_in
from dashboards.days import DayScope, ratio_change
from dashboards.quality import questions
from phoenix_metrics import words

_NO_VALUE = Change("cannot be said", "", "gray", "off")


def quality_cards(scope: DayScope) -> list[Card]:
    """Return the headline cards of a scope."""
    return [
        _objectives_card(scope),
        _schedules_card(scope),
        _explained_card(scope),
        _tests_card(scope),
        _slower_card(scope),
    ]


def _objectives_card(scope: DayScope) -> Card:
    frame = questions.objectives(scope)
    judged = frame[frame["is_met"].notna()]
    missed = int((judged["is_met"] == False).sum())  # noqa: E712  # it has no value where nothing was decided
    value = f"{len(judged) - missed} of {len(judged)}" if len(judged) else words.NOTHING
    return Card(
        "Objectives met",
        value,
        _verdict(missed, "missed", "none missed") if len(judged) else _NO_VALUE,
        "no objective is set" if frame.empty else f"{words.counted(len(frame), 'workflow')} with an objective",
        [],
        data.definition_of("objectives") + " Met: that share of the period's runs succeeded, by their final attempts.",
    )


def _schedules_card(scope: DayScope) -> Card:
    frame = questions.schedules(scope)
    came, late, missed = (frame[f"{state}_count"].sum() for state in ("on_time", "late", "missed"))
    due = came + late + missed
    return Card(
        "Scheduled starts in time",
        words.ratio(came / due) if due else words.NOTHING,
        _verdict(int(missed), "missed", "none missed", f"{words.count(late)} late" if late else "")
        if due
        else _NO_VALUE,
        f"{words.count(came)} of {words.counted(due, 'start')} in the last 28 days" if due else "no start was due",
        [],
        data.definition_of("schedules") + " Starts that can still come, and those of disabled workflows, do not count.",
    )


def _explained_card(scope: DayScope) -> Card:
    days, earlier = (
        frame.assign(explained_count=frame["job_count"] - frame["unclassified_count"])
        for frame in scope.split(questions.unclassified_by_day(scope))
    )
    now = days.sum()
    return Card(
        "Failures explained",
        words.ratio(ratio_in(now, "explained_count", "job_count")),
        ratio_change(days, earlier, "explained_count", "job_count", is_more_better=True),
        f"{words.count(now['unclassified_count'])} of {words.counted(now['job_count'], 'failed job')} fit no rule",
        course_of(days["explained_count"] / days["job_count"].where(days["job_count"] > 0)),
        "Share of failed executions of jobs for which a rule says why. " + data.definition_of("failure_classes_daily"),
    )


def _tests_card(scope: DayScope) -> Card:
    days, earlier = (
        frame.assign(decided_count=frame["passed_count"] + frame["failed_count"])
        for frame in scope.split(questions.tests_by_day(scope))
    )
    now = days.sum()
    counted = (
        f"{words.count(now['failed_count'])} of {words.counted(now['decided_count'], 'result')}; "
        f"{words.count(now['skipped_count'])} skipped"
    )
    return Card(
        "Tests failed",
        _small_ratio(ratio_in(now, "failed_count", "decided_count")),
        ratio_change(days, earlier, "failed_count", "decided_count", written=_small_ratio, difference=_small_points),
        counted if now["decided_count"] else "no test report was read",
        course_of(days["failed_count"] / days["decided_count"].where(days["decided_count"] > 0)),
        "Results that failed or had an error, among those that passed or failed, in all test reports that were read. "
        "Skipped ones, copies of reports, and attempts whose infrastructure failed do not count.",
    )


def _slower_card(scope: DayScope) -> Card:
    frame = questions.slower(scope)
    slower, faster = (frame[frame["direction"] == direction] for direction in ("slower", "faster"))
    if frame.empty and not questions.series_count(scope):
        return Card("Got slower", words.NOTHING, _NO_VALUE, "too few runs to see a change", [], _meaning_of_slower())
    worst = slower["difference_seconds"].max()
    return Card(
        "Got slower",
        words.counted(len(slower), "change") if len(slower) else "nothing",
        Change(words.duration(worst), "the most, in the median", "red", "up")
        if len(slower)
        else Change("no change", "", "gray", "off"),
        f"{words.counted(len(faster), 'change')} to faster; beyond noise, and still there",
        [],
        _meaning_of_slower(),
    )


def _meaning_of_slower() -> str:
    return data.definition_of("duration_changes")


def _verdict(count: int, bad: str, good: str, also: str = "") -> Change:
    return Change(f"{words.count(count)} {bad}", also, "red", "off") if count else Change(good, also, "gray", "off")


def _small_ratio(value: float | None) -> str:
    return words.NOTHING if value is None or pd.isna(value) else f"{value * 100:.2f}{words.NBSP}%"


def _small_points(difference: float) -> str:
    return f"{difference * 100:.2f}{words.NBSP}points"
