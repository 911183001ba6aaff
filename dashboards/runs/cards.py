"""The headline cards of runs."""

import pandas as pd

from dashboards import data
from dashboards.cards import Card, Change, change, course_of, is_enough, number_in, ratio_in, sample_in
from dashboards.runs import questions
from dashboards.scope import BOTH_PERIODS, Scope
from phoenix_metrics import words


def headline_cards(scope: Scope) -> list[Card]:
    """Return the headline cards of a scope, from its totals in both periods and its course through the current one."""
    totals = _joined(scope, questions.BY_PERIOD).set_index("period").reindex(list(BOTH_PERIODS))
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
    return _joined(scope, questions.BY_BUCKET).set_index("bucket").reindex(scope.period.buckets)


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


def _joined(scope: Scope, by: str) -> pd.DataFrame:
    return questions.run_summary(scope, by).merge(questions.queue_summary(scope, by), on=by, how="left")
