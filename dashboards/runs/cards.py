"""The headline cards of runs: each from its totals in both periods and its course through the current one."""

from dataclasses import dataclass

import pandas as pd

from dashboards import data, evidence
from dashboards.cards import Card, Change, change, course_of, is_enough, number_in, ratio_in, sample_in
from dashboards.runs import questions
from dashboards.scope import BOTH_PERIODS, Scope
from phoenix_metrics import words

P95 = 0.95


@dataclass(frozen=True)
class Figures:
    """What the cards of a scope are made of: totals of both periods, and one row for each hour or day."""

    scope: Scope
    now: pd.Series
    before: pd.Series
    course: pd.DataFrame


def headline_cards(scope: Scope) -> list[Card]:
    """Return the headline cards of one workflow; the wait of its jobs is among them."""
    figures = figures_of(scope, with_queue=True)
    return [
        failure_card(figures),
        duration_card(figures),
        queue_card(figures),
        flaky_card(figures),
        lost_card(figures),
    ]


def figures_of(scope: Scope, *, with_queue: bool = False) -> Figures:
    """Return the figures of a scope; the queue's read every job, so they are left out where no card shows them."""
    totals = _measured(scope, questions.BY_PERIOD, with_queue=with_queue)
    totals = totals.set_index("period").reindex(list(BOTH_PERIODS))
    course = _measured(scope, questions.BY_BUCKET, with_queue=with_queue)
    course = course.set_index("bucket").reindex(scope.period.buckets)
    return Figures(scope, totals.loc["current"], totals.loc["previous"], course)


def over_time(scope: Scope) -> pd.DataFrame:
    """Return measures of each hour or day of the period; empty where nothing happened."""
    return figures_of(scope).course


def failure_card(figures: Figures) -> Card:
    """Return how many runs failed, with the other of the two views beside it."""
    other = "first" if figures.scope.attempt == "final" else "final"
    counterpart = words.ratio(ratio_in(figures.now, "counterpart_failure_count", "counterpart_count"))
    return Card(
        "Failure ratio",
        words.ratio(ratio_in(figures.now, "failure_count", "decided_count")),
        _ratio_change(figures, "failure_count"),
        f"{sample_in(figures.now, 'decided_count', 'run')}; {other} attempts {counterpart}",
        _ratio_course(figures, "failure_count"),
        data.definition("workflow_windows.failure_ratio")
        + f" Counted by the {figures.scope.attempt} attempt of each run. Cancelled, skipped and unfinished runs do not "
        "count. First attempts: how often the change or the pipeline failed before anyone ran it again.",
    )


def duration_card(figures: Figures) -> Card:
    """Return the 95th percentile of duration, with the median beside it."""
    now, before = figures.now, figures.before
    is_firm = is_enough(now, before, "duration_count")
    return Card(
        "Duration, p95",
        words.duration(now["duration_p95"]),
        change(
            now["duration_p95"],
            before["duration_p95"],
            words.duration,
            words.duration,
            is_firm=is_firm,
            is_evident=_is_p95_moved(figures) if is_firm else None,
        ),
        f"{sample_in(now, 'duration_count', 'run')}; median {words.duration(now['duration_p50'])}",
        course_of(figures.course["duration_p95"]),
        "95 of 100 runs took no longer. "
        + data.definition("workflow_runs.duration_seconds")
        + " Exact, over all successful and failed runs of the period.",
    )


def queue_card(figures: Figures) -> Card:
    """Return how long jobs waited for a runner."""
    return Card(
        "Queue time, p95",
        words.duration(figures.now["queue_p95"]),
        _amount_change(figures, "queue_p95", "queue_count"),
        sample_in(figures.now, "queue_count", "job"),
        course_of(figures.course["queue_p95"]),
        "95 of 100 jobs waited no longer. " + data.definition("jobs.queue_seconds") + " Jobs of all attempts count.",
    )


def flaky_card(figures: Figures) -> Card:
    """Return the share of runs that failed and then passed on the same commit."""
    flaky, decided = number_in(figures.now, "flaky_count"), number_in(figures.now, "decided_count")
    return Card(
        "Flaky runs",
        words.ratio(ratio_in(figures.now, "flaky_count", "decided_count")),
        _ratio_change(figures, "flaky_count"),
        f"{words.count(flaky)} of {words.counted(decided, 'run')}",
        _ratio_course(figures, "flaky_count"),
        data.definition("workflow_runs.is_flaky") + " Share of all runs that succeeded or failed.",
    )


def lost_card(figures: Figures) -> Card:
    """Return the job time of attempts that failed or were cancelled."""
    now, share = figures.now, words.ratio(ratio_in(figures.now, "lost_seconds", "job_seconds"))
    return Card(
        "Compute time lost",
        words.duration(now["lost_seconds"]),
        _amount_change(figures, "lost_seconds", "job_time_count"),
        f"{share} of {words.duration(now['job_seconds'])}; {sample_in(now, 'job_time_count', 'run')}",
        course_of(figures.course["lost_seconds"]),
        "Job time in attempts that failed or were cancelled. Job time: " + data.definition("workflow_runs.job_seconds"),
    )


def cost_card(figures: Figures) -> Card:
    """Return what the jobs cost at list price, the share of it that was wasted, and how many have no price."""
    now, before = (row["cost_usd"] if _is_priced(row) else None for row in (figures.now, figures.before))
    return Card(
        "Cost",
        words.usd(now),
        change(now, before, words.usd, words.usd, is_firm=True, is_more_better=None),
        _priced(figures.now),
        course_of(figures.course["cost_usd"]),
        data.definition("workflow_runs.cost_usd")
        + " List price, before discounts and what a plan includes. Wasted: "
        + data.definition("workflow_runs.waste_usd"),
    )


def _priced(row: pd.Series) -> str:
    """Say which part of the cost was wasted, and how many jobs have no price; of what is free there is no part."""
    unpriced, wasted = number_in(row, "unpriced_count"), ratio_in(row, "waste_usd", "cost_usd")
    if wasted is None and not unpriced:
        return "every job was free of charge"
    missing = f"{words.counted(unpriced, 'job')} without a price" if unpriced else "every job has a price"
    return missing if wasted is None else f"{words.ratio(wasted)} wasted; {missing}"


def _is_priced(row: pd.Series) -> bool:
    """Whether any job with a price cost something, or every job has a price: else nothing is known, not 0."""
    return number_in(row, "cost_usd") > 0 or number_in(row, "unpriced_count") == 0


def _ratio_change(figures: Figures, column: str) -> Change:
    now, before = figures.now, figures.before
    is_firm = is_enough(now, before, "decided_count")
    return change(
        ratio_in(now, column, "decided_count"),
        ratio_in(before, column, "decided_count"),
        words.ratio,
        words.points,
        is_firm=is_firm,
        is_evident=_is_ratio_moved(figures, column) if is_firm else None,
    )


def _is_ratio_moved(figures: Figures, column: str) -> bool | None:
    course = figures.course.fillna(0)
    dispersion = evidence.dispersion(list(course[column]), list(course["decided_count"]))
    now, before = (
        evidence.wilson(row[column], row["decided_count"], dispersion) for row in (figures.now, figures.before)
    )
    return evidence.is_evident(now, before)


def _is_p95_moved(figures: Figures) -> bool | None:
    """Whether the intervals that order statistics give both periods leave no doubt that p95 moved."""
    longer = questions.longer_than(figures.scope, float(figures.now["duration_p95"]))
    dispersion = evidence.dispersion(list(longer["longer_count"]), list(longer["duration_count"]))
    ends = [
        end
        for row in (figures.now, figures.before)
        for end in evidence.percentile_ends(P95, row["duration_count"], dispersion)
    ]
    if None in ends:
        return None
    found = questions.duration_percentiles(figures.scope, [end for end in ends if end is not None])
    bounds = found.set_index("period")["percentiles"]
    now = evidence.Interval(figures.now["duration_p95"], bounds["current"][0], bounds["current"][1])
    before = evidence.Interval(figures.before["duration_p95"], bounds["previous"][2], bounds["previous"][3])
    return evidence.is_evident(now, before)


def _amount_change(figures: Figures, column: str, samples: str) -> Change:
    is_firm = is_enough(figures.now, figures.before, samples)
    return change(figures.now[column], figures.before[column], words.duration, words.duration, is_firm=is_firm)


def _ratio_course(figures: Figures, column: str) -> list[float]:
    decided = figures.course["decided_count"]
    return course_of(figures.course[column] / decided.where(decided > 0))


def _measured(scope: Scope, by: str, *, with_queue: bool) -> pd.DataFrame:
    measured = questions.run_summary(scope, by)
    return measured.merge(questions.queue_summary(scope, by), on=by, how="left") if with_queue else measured
