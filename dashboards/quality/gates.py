"""What a change must pass before it is merged: the required checks, and coverage."""

from html import escape

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, clock, data
from dashboards.days import DayScope
from dashboards.listing import Cell, axis, listing, outside, share
from dashboards.panel import draw, panel
from dashboards.quality import questions
from phoenix_metrics import words

CHECKS_SHOWN, SERVICES_SHOWN = 12, 4
_LINES = tuple(
    zip((charts.BLUE, charts.GREEN, charts.AMBER, charts.GREY), ("solid", "dash", "dot", "dashdot"), strict=True)
)
_REPORTERS = {"job": "a job", "check_run": "another app", "status": "a commit status"}


def draw_required_checks(scope: DayScope) -> None:
    """Draw the checks that default branches demand, those that hold changes up most often first."""
    with panel(
        "What must a change pass?",
        data.definition_of("required_checks") + " Over the last 28 days, whatever the time range.",
    ):
        frame = questions.required_checks(scope)
        if frame.empty:
            st.markdown(
                "No default branch is known to require a check: its rules demand none, or were not read. Data health "
                "says whether they were."
            )
            return
        heads = ("Required check", axis("Reports that hold a change up", "0", "all of them"), "Newest report")
        st.html(listing(heads, [_check(row) for _, row in frame.head(CHECKS_SHOWN).iterrows()]))
        st.caption(" ".join(filter(None, _told(frame))))


def draw_coverage(scope: DayScope) -> None:
    """Draw the coverage of all code by service and repository, commit by commit, and the newest in words."""
    with panel("How much of the code do tests cover?", data.definition_of("coverage")):
        frame = questions.coverage(scope)
        if frame.empty:
            st.markdown(
                "No coverage of this period is known. It is read from the checks that Codecov, Coveralls and the like "
                "report on commits: set `PHOENIX_GITHUB_CHECKS` to have them read."
            )
            return
        groups = [rows for _, rows in frame.groupby(["repository", "context"], sort=False)]
        groups.sort(key=len, reverse=True)
        draw(_over_time(groups[:SERVICES_SHOWN]), "Share of the code that tests cover, commit by commit.")
        heads = ("Reported by", axis("Newest", "0", "100 %"), "Over the period", "Below its target")
        st.html(listing(heads, [_service(rows) for rows in groups[:SERVICES_SHOWN]]))
        if len(groups) > SERVICES_SHOWN:
            st.caption(f"The {SERVICES_SHOWN} with most commits of {words.count(len(groups))}.")


def _check(row: pd.Series) -> list[Cell]:
    name = Cell(f"<b>{escape(row['context'])}</b>", escape(f"{row['repository']} · {row['branch']}"))
    if row["state"] != "reported":
        said = (
            "✗ nobody reports it: changes wait for it"
            if row["state"] == "silent"
            else "? not known: checks of third parties are not read"
        )
        return [name, Cell(words.NOTHING), Cell(said)]
    reports = row["passed_count"] + row["blocked_count"]
    ratio = row["blocked_count"] / reports
    said = words.ratio(ratio)
    return [
        name,
        Cell(
            share(ratio, said, kind="bad") + said,
            f"{words.count(row['blocked_count'])} of {words.counted(reports, 'report')}"
            + (f", {words.count(row['cancelled_count'])} of them cancelled" if row["cancelled_count"] else ""),
        ),
        Cell(
            outside(str(row["last_conclusion"]), row["last_url"]),
            f"by {_REPORTERS[row['reporter']]}, {clock.moment_html(row['last_reported_at'])}",
        ),
    ]


def _told(frame: pd.DataFrame) -> list[str]:
    silent = int((frame["state"] == "silent").sum())
    return [
        "Skipped and neutral let a change pass, cancelled does not.",
        f"{words.counted(silent, 'required check')} without any report." if silent else "",
        f"The first {CHECKS_SHOWN} of {words.count(len(frame))}." if len(frame) > CHECKS_SHOWN else "",
    ]


def _over_time(groups: list[pd.DataFrame]) -> go.Figure:
    figure = go.Figure()
    for rows, (color, dash) in zip(groups, _LINES, strict=False):
        name = _named(rows)
        hover = [
            f"<b>{words.ratio(row.ratio)}</b> {escape(name)}<br>{row.head_sha[:7]} · {clock.moment(row.reported_at)}"
            for row in rows.itertuples()
        ]
        figure.add_trace(
            charts.line(pd.Index(rows["reported_at"]), rows["ratio"], escape(name), color, hover, dash=dash)
        )
    for target in sorted({row for rows in groups for row in rows["target_ratio"].dropna().unique()}):
        figure.add_hline(y=target, line={"color": charts.GREY, "width": 1, "dash": "dot"})
    figure.update_yaxes(tickformat=".1%")
    return charts.finished(figure, height=240, unified=False)


def _service(rows: pd.DataFrame) -> list[Cell]:
    first, newest = rows.iloc[0], rows.iloc[-1]
    said = words.ratio(newest["ratio"])
    moved = newest["ratio"] - first["ratio"]
    judged = rows["target_ratio"].notna()
    below = int((rows["ratio"] < rows["target_ratio"])[judged].sum())
    return [
        Cell(f"<b>{escape(newest['context'])}</b>", escape(str(newest["repository"]))),
        Cell(
            share(newest["ratio"], said, kind="bad" if _is_below(newest) else "") + outside(said, newest["html_url"]),
            escape(target(newest)),
        ),
        Cell(words.signed(moved, words.points), words.counted(len(rows), "commit")),
        Cell(
            words.counted(below, "commit") if judged.any() else words.NOTHING,
            f"of {words.count(judged.sum())}" if judged.any() else "",
        ),
    ]


def _is_below(report: pd.Series) -> bool:
    return bool(report["ratio"] < report["target_ratio"])


def target(report: pd.Series) -> str:
    """Return the target and whether it is reached; services let a change pass that stays below it by little."""
    if pd.isna(report["target_ratio"]):
        return "no target told"
    aim = words.ratio(report["target_ratio"])
    if not _is_below(report):
        return f"✓ target {aim}"
    return f"▲ below its target {aim}, reported as {report['state']}"


def _named(rows: pd.DataFrame) -> str:
    return f"{rows['repository'].iloc[0]} · {rows['context'].iloc[0]}"
