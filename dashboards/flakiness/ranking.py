"""The rankings of flaky jobs and tests: each with its interval drawn, its evidence, its age and its cost."""

from collections.abc import Callable
from html import escape

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.days import DayScope
from dashboards.flakiness import questions, subjects, tables
from dashboards.listing import Cell, axis, inside, interval, listing, outside
from dashboards.panel import panel
from phoenix_metrics import words

SHOWN = 8

_RANKED = (
    "Over the last 30 days of data, whatever the time range. Flaky at: share of the commits at which it was decided, "
    "with Wilson's interval of 95 %; ○ and a hollow point mark fewer than 20 commits, which stand last. Order: by how "
    "often it is likely to fail at a sound commit. "
)


def draw_jobs(scope: DayScope) -> None:
    """Draw the flakiest jobs, and say of how many flaky runs it is not known which of their jobs it was."""
    _draw_ranking("Job", subjects.jobs, scope, data.definition_of("flaky_jobs"), _say_no_job, more=_unattributed)


def draw_tests(scope: DayScope) -> None:
    """Draw the flakiest tests."""
    _draw_ranking("Test", subjects.tests, scope, data.definition_of("flaky_tests"), _say_no_test)


def ranking(frame: pd.DataFrame, noun: str, scope: DayScope) -> str:
    """Return rows of flaky jobs or tests in HTML, their intervals on one scale."""
    most = scale(frame)
    heads = (
        noun,
        axis("Flaky at, 95 % interval", "0", f"{most * 100:.0f}{words.NBSP}%"),
        "Evidence",
        "Last and first seen",
        "Lost",
    )
    return listing(heads, [_row(row, most, scope) for _, row in frame.iterrows()])


def scale(frame: pd.DataFrame) -> float:
    """Return where the scale of the intervals ends: a round ratio that holds all of them."""
    most = frame["ratio_high"].max()
    return next((step for step in (0.05, 0.1, 0.2, 0.5) if most <= step), 1.0)


def _draw_ranking(
    noun: str,
    asked: Callable[[DayScope], pd.DataFrame],
    scope: DayScope,
    meaning: str,
    say_nothing: Callable[[DayScope], None],
    *,
    more: Callable[[DayScope], str] = lambda _: "",
) -> None:
    with panel(f"Flakiest {noun.lower()}s", _RANKED + meaning):
        frame = asked(scope)
        active = frame[frame["level"].isin(subjects.PROVEN) & ~frame["is_healed"]]
        if active.empty:
            say_nothing(scope)
        else:
            st.html(ranking(active.head(SHOWN), noun, scope))
        if said := more(scope):
            st.markdown(said)
        st.caption(_others(frame, active, noun.lower()))
        if not frame.empty:
            with st.expander(f"All {words.counted(len(frame), noun.lower())} with evidence"):
                tables.draw_subjects(frame, noun)


def _row(row: pd.Series, most: float, scope: DayScope) -> list[Cell]:
    return [
        Cell(inside(row["title"], subjects.address_of(row["name"], scope)), escape(row["where"])),
        Cell(_interval(row, most) + subjects.rate(row), subjects.sample(row)),
        Cell(escape(words.LEVELS[row["level"]]), _proof(row)),
        Cell(clock.moment_html(row["last_seen_at"]), f"first {clock.moment_html(row['first_seen_at'])}"),
        Cell(words.duration(row["lost_seconds"]), _cost(row)),
    ]


def _interval(row: pd.Series, most: float) -> str:
    if pd.isna(row["flaky_ratio"]):
        return ""
    low, at, high = (row[end] / most for end in ("ratio_low", "flaky_ratio", "ratio_high"))
    return interval(low, at, high, subjects.rate(row), is_few=not row["is_ranked"])


def _proof(row: pd.Series) -> str:
    if row["failed_url"] == row["passed_url"]:
        return outside("failed, then passed", row["failed_url"])
    return f"{outside('failed', row['failed_url'])}, {outside('passed', row['passed_url'])}"


def _cost(row: pd.Series) -> str:
    if not pd.isna(row["lost_usd"]):
        return words.usd(row["lost_usd"])
    return "not priced" if row["lost_seconds"] else "no job failed with it"


def _others(frame: pd.DataFrame, active: pd.DataFrame, noun: str) -> str:
    suspected = int((~frame["is_healed"] & ~frame["level"].isin(subjects.PROVEN)).sum())
    told = [
        f"the first {SHOWN} of {words.counted(len(active), noun)} proven flaky" if len(active) > SHOWN else "",
        f"{words.counted(suspected, noun)} suspected, by evidence that counts in no rate" if suspected else "",
        f"{words.counted(int(frame['is_healed'].sum()), noun)} healed" if frame["is_healed"].any() else "",
    ]
    said = "; ".join(filter(None, told))
    return (said[:1].upper() + said[1:] + ". " if said else "") + (
        f"Not more than {questions.LISTED} are read." if len(frame) == questions.LISTED else ""
    )


def _say_no_job(scope: DayScope) -> None:
    if not questions.has_jobs(scope):
        st.markdown("Nothing can be said of jobs: none of the last 30 days of data is known.")
    elif not questions.unattributed_count(scope):
        st.markdown(":green[✓] No job failed and passed on one commit in the last 30 days of data.")


def _unattributed(scope: DayScope) -> str:
    """Say how many runs were flaky without a job that is known to be, "" if none was."""
    count = questions.unattributed_count(scope)
    if not count:
        return ""
    return (
        f"? {words.counted(count, 'run')} of the last 30 days of data failed and passed when run again, but of none "
        "of their jobs both are known, so which one is flaky cannot be said."
    )


def _say_no_test(scope: DayScope) -> None:
    if questions.has_reports(scope):
        st.markdown(":green[✓] No test failed and passed on one commit and platform in the last 30 days of data.")
    else:
        st.markdown(
            "Which tests are flaky cannot be said: no test report of the last 30 days is read. Upload JUnit reports as "
            "artifacts whose names match `PHOENIX_GITHUB_REPORTS`."
        )
