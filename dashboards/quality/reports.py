"""What test reports say: how many results, which tests fail most often and take longest, and what was not read."""

from html import escape

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.days import DayScope
from dashboards.listing import Cell, axis, known, listing, share
from dashboards.panel import panel
from dashboards.quality import questions
from phoenix_metrics import words

SHOWN = 8


def draw_tests(scope: DayScope) -> None:
    """Draw the counts of results, the worst tests of the last days, and what was not read."""
    with panel("What do test reports say?", data.definition_of("test_reports")):
        days, _ = scope.split(questions.tests_by_day(scope))
        totals = days.sum()
        if not totals["report_count"]:
            st.markdown(
                "No test report of this period was read. Upload JUnit reports as artifacts whose names match "
                "`PHOENIX_GITHUB_REPORTS`."
            )
        else:
            st.markdown(_results(totals))
            left, right = st.columns(2, gap="medium")
            with left:
                _draw_failing(scope)
            with right:
                _draw_slowest(scope)
        _say_unread(scope, int(totals["infrastructure_count"]))


def _draw_failing(scope: DayScope) -> None:
    frame = questions.failing_tests(scope, SHOWN)
    if frame.empty:
        st.markdown(f":green[✓] No test failed since {words.day(questions.since(scope))}.")
        return
    most = (frame["failure_count"] / frame["result_count"]).max()
    st.markdown(f"**Fail most often since {words.day(questions.since(scope))}**")  # narrow pages show no headings
    heads = ("Test", axis("Share of results", "0", words.ratio(most)))
    st.html(listing(heads, [[_named(row), _failing(row, most)] for _, row in frame.iterrows()]))


def _draw_slowest(scope: DayScope) -> None:
    frame = questions.slowest_tests(scope, SHOWN)
    if frame.empty:
        st.markdown("No report tells how long its tests took.")
        return
    most = frame["median_seconds"].max()
    st.markdown(f"**Take longest since {words.day(questions.since(scope))}**")
    heads = ("Test", axis("Median", "0", _brief(most)))
    st.html(listing(heads, [[_named(row), _slow(row, most)] for _, row in frame.iterrows()]))


def _named(row: pd.Series) -> Cell:
    title = f"{row['class']} · {row['test']}" if isinstance(row["class"], str) else str(row["test"])
    return Cell(f"<b>{escape(title)}</b>", escape(f"{row['repository']} · {row['workflow']} · {row['platform']}"))


def _failing(row: pd.Series, most: float) -> Cell:
    ratio = row["failure_count"] / row["result_count"]
    said = f"{_few(row['result_count'])}{words.ratio(ratio)}"
    count = f"{words.count(row['failure_count'])} of {words.counted(row['result_count'], 'result')} failed"
    return Cell(share(ratio / most, said, kind="bad") + said, count)


def _slow(row: pd.Series, most: float) -> Cell:
    said = f"{_few(row['duration_count'])}{_brief(row['median_seconds'])}"
    return Cell(
        share(row["median_seconds"] / most, said) + said,
        f"longest {words.duration(row['longest_seconds'])}, {words.duration(row['total_seconds'])} in "
        f"{words.counted(row['duration_count'], 'result')}",
    )


def _results(totals: pd.Series) -> str:
    decided = totals["passed_count"] + totals["failed_count"]
    return (
        f"**{words.counted(decided + totals['skipped_count'], 'result')}** in "
        f"{words.counted(totals['report_count'], 'report')}: {words.count(totals['passed_count'])} passed, "
        f"**{words.count(totals['failed_count'])} failed**, {words.count(totals['skipped_count'])} were skipped."
    )


def _say_unread(scope: DayScope, infrastructure_count: int) -> None:
    told = [
        f"{words.counted(row.report_count, 'artifact')} not read "
        f"({'each: ' if row.report_count > 1 else ''}{known(row.error, str(row.state))})"
        for row in questions.unread_reports(scope).itertuples()
    ]
    if infrastructure_count:
        told.append(f"{words.counted(infrastructure_count, 'report')} left out, as the infrastructure failed")
    if told:
        st.caption(words.plain("; ".join(told) + "."))


def _few(count: float) -> str:
    return "○ " if count < words.FEW else ""


def _brief(seconds: float) -> str:
    return f"{seconds:.2f}{words.NBSP}s" if seconds < 10 else words.duration(seconds)
