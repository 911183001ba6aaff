"""Panels that only the Workflow page has: what changed, how long runs take, one run, longest poles and queues."""

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.charts import nice_step
from dashboards.panel import draw, panel
from dashboards.runs import questions as runs_questions
from dashboards.runs.cards import over_time
from dashboards.scope import BOTH_PERIODS, Scope
from dashboards.workflow import figures, filters, questions, tables
from dashboards.workflow.gantt import gantt
from phoenix_metrics import words

BINS = 28  # up to the 99th percentile; what takes longer than a little over it shares the last bin


def draw_trend(scope: Scope) -> None:
    """Draw percentiles of duration of each hour or day with the changes of level, and say what changed."""
    unit = scope.period.unit
    with panel(
        f"Duration per {unit}",
        "Half of the runs took no longer than the median, 95 of 100 no longer than p95, 99 of 100 no longer than p99. "
        + data.definition("workflow_runs.duration_seconds")
        + f" A hollow point rests on fewer than {words.FEW} runs. ▲ and ▼ mark lasting changes of the workflow as a "
        "whole. " + data.definition_of("duration_changes"),
    ):
        changes = questions.duration_changes(scope)
        within = changes[changes["changed_at"] >= scope.period.start]
        whole = within[within["job"].isna() & (within["measure"] == "duration")].iloc[::-1]
        draw(
            figures.duration_bands(over_time(scope), whole),
            f"Lines of median, p95 and p99 of duration per {unit} with {words.counted(len(whole), 'change')} of level",
        )
        st.caption(_said_of_changes(len(within), len(changes) - len(within)))
        if not within.empty:
            tables.draw_changes(within)


def draw_distribution(scope: Scope) -> None:
    """Draw how many runs of the period took how long."""
    with panel(
        "How long runs take",
        "Successful and failed runs of the period by duration. "
        + data.definition("workflow_runs.duration_seconds")
        + " Runs that take much longer than 99 of 100 share the last bar.",
    ):
        totals = runs_questions.run_summary(scope, runs_questions.BY_PERIOD).set_index("period")
        now = totals.reindex(list(BOTH_PERIODS)).loc["current"]
        if not now["duration_count"] > 0:
            st.caption("No run of the period has a known duration.")
            return
        marks = {name: float(now[column]) for column, (name, *_) in figures.PERCENTILES.items()}
        width = nice_step(max(marks["p99"], 1.0), BINS)
        last = int(marks["p99"] * 1.15 // width) + 1
        bins = runs_questions.duration_bins(scope, width, last)
        draw(figures.distribution(bins, width, last, marks), "Histogram of durations with median, p95 and p99 marked")
        st.caption(f"{words.sample(now['duration_count'], 'run')}. {_said_of_longest(bins, width, last)}")


def draw_run(scope: Scope) -> None:
    """Draw the jobs of one run as a Gantt with its critical path."""
    with panel(
        "Where one run spent its time",
        "Each job from when it was ready to run: a thin bar while it waited for a runner, a thick one while it ran. ◆ "
        "marks the critical path. " + data.definition_of("critical_path_jobs"),
    ):
        run = filters.choose_run(scope)
        if run is None:
            st.caption("No run of the period that passes the filters has ended yet.")
            return
        run_id, day = int(run["run_id"]), run["day"] if "day" in run else run["created_at"].date()
        attempts, jobs = questions.attempts(run_id, day), questions.jobs(run_id, day)
        path = questions.critical_path(run_id, day)
        _draw_head(run)
        if jobs.empty:
            st.caption("The jobs of this run are not known: they were not read, or GitHub has deleted them.")
            return
        drawn = gantt(jobs, attempts, path)
        draw(figures.run_gantt(drawn, attempts), f"Gantt of the {words.counted(len(jobs), 'job')} of the run")
        for note in [*drawn.left_out, *_missing_attempts(run, attempts)]:
            st.caption(note)
        tables.draw_path(path, run)


def draw_poles(scope: Scope) -> None:
    """Draw what the workflow's duration is made of, and what could be gained at each job at most."""
    with panel("Longest poles", data.definition_of("longest_poles")):
        poles = questions.longest_poles(scope)
        if poles.empty:
            st.caption("Nothing to say yet: no run of the last 28 days succeeded with jobs that are known.")
            return
        st.markdown(pole_sentence(poles))
        tables.draw_poles(poles)
        st.caption(
            "Over the last 28 days, whatever the filters say. Each gain is a bound for that job alone: the others "
            "stay as they are, so gains do not add up."
        )


def draw_queue(scope: Scope) -> None:
    """Draw how long jobs waited for the workflow's kinds of runner, hour by hour."""
    with panel(
        "Queue by runner and hour",
        data.definition_of("queue_hourly") + " Jobs of all workflows that use these runners count.",
    ):
        hours = questions.queue_hours(scope)
        waited = hours[hours["job_count"] > 0]
        if waited.empty:
            st.caption("No job of the last 7 days tells how long it waited for a runner.")
            return
        draw(figures.queue_heat(waited), "Heat map of the 95th percentile of queue time by kind of runner and hour")
        st.caption(queue_sentence(hours))


def pole_sentence(poles: pd.DataFrame) -> str:
    """Return in a sentence which job is worth most, and what more runners could give."""
    first, best = poles.iloc[0], poles.sort_values("saving_seconds_mean", ascending=False, kind="stable").iloc[0]
    mean, queue = first["duration_seconds_mean"], poles["queue_seconds_mean"].sum()
    few = f" (fewer than {words.FEW})" if first["run_count"] < words.FEW else ""
    gain = best["saving_seconds_mean"]
    said = (
        f"**{words.plain(best['job_base'])}** is worth most: split up, cached or dropped it would save at most "
        f"**{words.duration(gain)}** of {words.duration(mean)} a run ({words.ratio(gain / mean)})."
        if gain > 0
        else f"No single job would make a run shorter than its {words.duration(mean)}: others take as long."
    )
    return (
        f"{said} Enough runners would save at most {words.duration(queue)} ({words.ratio(queue / mean)}). "
        f"n{words.NBSP}={words.NBSP}{words.counted(first['run_count'], 'successful run')}{few}."
    )


def queue_sentence(hours: pd.DataFrame) -> str:
    """Return in a sentence when jobs waited longest, and how many jobs have no queue time."""
    enough = hours[hours["job_count"] >= words.FEW]
    rows = enough if not enough.empty else hours[hours["job_count"] > 0]
    worst = rows.sort_values("queue_p95_seconds", ascending=False, kind="stable").iloc[0]
    excluded = hours["excluded_count"].sum()
    among = f"Among hours with {words.FEW} jobs or more, p95" if not enough.empty else "p95"
    return (
        f"{among} was highest at {clock.moment(worst['hour'])} on {words.plain(worst['runner'])}: "
        f"{words.duration(worst['queue_p95_seconds'])}, {words.sample(worst['job_count'], 'job')}. "
        + (
            f"{words.counted(excluded, 'job')} without a queue time: skipped, cancelled before a runner took them, or "
            "still waiting. "
            if excluded
            else ""
        )
        + "The chart is in UTC."
    )


def _said_of_changes(within: int, earlier: int) -> str:
    said = (
        f"{words.counted(within, 'lasting change')} of the workflow's or its jobs' level in this time range."
        if within
        else "No lasting change of the workflow's or its jobs' level in this time range."
    )
    if earlier:
        said += (
            f" {words.counted(earlier, 'more')[:-1]} lie before it: choose a longer one."
            if earlier > 1
            else (" One more lies before it: choose a longer one.")
        )
    return said + " Looked for in successful first attempts on the default branch over the last 90 days."


def _said_of_longest(bins: pd.DataFrame, width: int, last: int) -> str:
    tail = bins[bins["bin"] == last]
    if tail.empty:
        return ""
    count = tail[["success_count", "failure_count"]].to_numpy().sum()
    return (
        f"The last bar holds {words.counted(count, 'run')} of {words.duration(width * last)} and longer; the longest "
        f"took {words.duration(tail['longest_seconds'].max())}."
    )


def _draw_head(run: pd.Series) -> None:
    sha = words.version(run["head_sha"])[:7] if isinstance(run["head_sha"], str) else words.NOTHING
    title = f"{words.plain(run['title'])}. " if isinstance(run["title"], str) else ""
    link = f"[Open it on GitHub]({run['html_url']})" if isinstance(run["html_url"], str) else ""
    event = words.plain(str(run["event"]))
    st.markdown(f"{title}Commit {sha}, {event}, created {clock.moment(run['created_at'])}. {link}")


def _missing_attempts(run: pd.Series, attempts: pd.DataFrame) -> Iterable[str]:
    missing = int(run["run_attempt"]) - len(attempts)
    if missing:
        yield (
            f"{words.counted(missing, 'earlier attempt')} of this run is not known."
            if missing == 1
            else (f"{words.counted(missing, 'earlier attempt')} of this run are not known.")
        )
