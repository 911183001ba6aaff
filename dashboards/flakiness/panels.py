"""Panels of flakiness: how much there is of it over time, and one job or test with its evidence."""

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.days import DayScope
from dashboards.flakiness import figures, questions, subjects, tables
from dashboards.panel import draw, panel
from phoenix_metrics import words

EVIDENCE = "Evidence"


def draw_share(scope: DayScope) -> None:
    """Draw the share of flaky runs of each day and the runs it rests on."""
    with panel(
        "Flaky runs per day",
        data.definition("workflow_runs.is_flaky")
        + f" Share of runs that succeeded or failed. A hollow point rests on fewer than {words.FEW} runs.",
    ):
        days, _ = scope.split(questions.by_day(scope))
        draw(figures.share_over_time(days), "Line of the share of flaky runs per day, with the number of runs below it")


def draw_failures(scope: DayScope) -> None:
    """Draw the failed jobs of each day by whether they are known to be chance."""
    with panel(
        "Failed jobs per day",
        "Failed executions of jobs. By chance: the same job passed on the same commit and event, in another attempt or "
        "run. A hint: it passed only on another event. The rest may still be chance that nobody ran again.",
    ):
        days, _ = scope.split(questions.by_day(scope))
        if not days["failure_count"].sum():
            st.markdown(":green[✓] No job failed in this period.")
            return
        draw(figures.failures_over_time(days), "Stacked bars of failed jobs per day: by chance, hints, and others")


def draw_evidence(scope: DayScope) -> None:
    """Draw the choice of a job or test with evidence, and what is known of it."""
    known = pd.concat([subjects.jobs(scope), subjects.tests(scope)], ignore_index=True)
    if known.empty:
        return
    with panel(
        EVIDENCE,
        "The executions that prove, or let suspect, that a job or test fails by chance: over all our history the "
        "newest first. Its rate and its course are over the last 30 days of data.",
    ):
        chosen = _choose(list(dict.fromkeys(known["name"])))
        if chosen is None:
            return
        subject = known[known["name"] == chosen].iloc[0]
        st.markdown(_sentence(subject))
        (_draw_test if isinstance(subject.get("test_id"), str) else _draw_job)(subject)


def _choose(names: list[str]) -> str | None:
    """Draw the choice and return it, the first while nothing is chosen; None for what is not known any more.

    The first is no default of the choice: one that is chosen stays in the address, whatever comes first later.
    """
    asked = st.query_params.get("subject")
    if asked and asked not in names and st.session_state.get("subject") not in names:
        st.info(
            f"**{words.plain(asked)}** has no evidence of failing by chance in the last 30 days of data, or the "
            "filters leave it out."
        )
        return None
    chosen: str | None = st.selectbox(
        "Job or test", names, None, key="subject", bind="query-params", placeholder=names[0]
    )
    return chosen or names[0]


def _sentence(subject: pd.Series) -> str:
    """Say in a line how flaky it is, how surely that is known, and whether it still is."""
    rated = "" if pd.isna(subject["flaky_ratio"]) else "flaky at "
    return (
        f"**{words.plain(subject['title'])}** {subjects.state(subject)}; {rated}{subjects.rate(subject)}, "
        f"{subjects.sample(subject)}. {words.LEVELS[subject['level']]}."
    )


def _draw_job(job: pd.Series) -> None:
    newest = questions.newest_day()
    if newest:
        _draw_course(questions.job_course(int(job["workflow_id"]), job["job"], newest), newest)
    tables.draw_job_evidence(job)


def _draw_test(test: pd.Series) -> None:
    newest = questions.newest_day()
    if newest:
        _draw_course(questions.test_course(test, newest), newest)
    if pd.isna(test["flaky_ratio"]):
        st.caption(
            "Its reports list only failures, or were not read to their end: how often it passed is not known, so it "
            "has no rate."
        )
    tables.draw_test_evidence(test)


def _draw_course(frame: pd.DataFrame, newest: object) -> None:
    days = pd.date_range(end=pd.Timestamp(str(newest)), periods=questions.WINDOW_DAYS, freq="D", unit="us")
    course = frame.assign(day=pd.to_datetime(frame["day"])).set_index("day").reindex(days)
    draw(figures.executions_over_time(course), "Stacked bars per day: passed, failed by chance, failed otherwise")
