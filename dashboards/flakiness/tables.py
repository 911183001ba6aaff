"""Tables of flakiness: all that has evidence, the workflows it strikes, and the executions that are the evidence."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.days import DayScope
from dashboards.filters import address
from dashboards.flakiness import questions, subjects
from dashboards.panel import panel
from dashboards.tables import draw, number
from phoenix_metrics import words

Columns = Mapping[str, object]
EVIDENCE_ROWS = 50


def draw_subjects(frame: pd.DataFrame, noun: str) -> None:
    """Draw all jobs or tests with evidence, healed and suspected ones included."""
    mart = f"flaky_{noun.lower()}s"
    draw(
        frame.assign(
            rate=[subjects.rate(row) for _, row in frame.iterrows()],
            state=[subjects.state(row) for _, row in frame.iterrows()],
            level=frame["level"].map(words.LEVELS),
        ),
        {
            "title": st.column_config.TextColumn(noun, width="large"),
            "where": st.column_config.TextColumn("Where", width="medium"),
            "state": st.column_config.TextColumn("State", help=data.definition(f"{mart}.is_healed"), width="medium"),
            "level": st.column_config.TextColumn("Evidence", help=data.definition(f"{mart}.level"), width=300),
            "rate": st.column_config.TextColumn(
                "Flaky at", help=data.definition(f"{mart}.flaky_ratio", f"{mart}.ratio_low"), width="medium"
            ),
            "flaky_count": number("Commits flaky", data.definition(f"{mart}.flaky_count")),
            "observation_count": number("Commits decided", data.definition(f"{mart}.observation_count")),
            "score": number("Score", data.definition(f"{mart}.score")),
            "first_seen_at": number("First seen", data.definition(f"{mart}.first_seen_at") + " " + clock.note()),
            "last_seen_at": number("Last seen", data.definition(f"{mart}.last_seen_at") + " " + clock.note()),
            "lost_seconds": number("Time lost", data.definition(f"{mart}.lost_seconds")),
            "lost_usd": number("Cost", data.definition(f"{mart}.lost_usd")),
        },
        {
            "flaky_count": words.count,
            "observation_count": words.count,
            "score": words.ratio,
            "first_seen_at": clock.moment,
            "last_seen_at": clock.moment,
            "lost_seconds": words.duration,
            "lost_usd": words.usd,
        },
        f"All flaky {noun.lower()}s with evidence, state, rate, age and cost",
    )


def draw_workflows(scope: DayScope) -> None:
    """Draw which workflows fail by chance, those that lost most time first."""
    with panel(
        "Workflows that flakes strike",
        "Workflows with an attempt of a run that failed in this period although the same commit passed, on all "
        "branches. Time lost is that of all jobs of those attempts, not only of those that failed.",
    ):
        frame = questions.by_workflow(scope)
        if frame.empty:
            st.markdown(":green[✓] No attempt of a run in this period is known to have failed by chance.")
            return
        names = [f"{row.repository} · {row.workflow}" for row in frame.itertuples()]
        pages = [
            address("workflow", repository=str(row.repository), workflow=str(row.workflow))
            for row in frame.itertuples()
        ]
        draw(
            frame.assign(page=pages, cost=[_cost(row) for _, row in frame.iterrows()]),
            {
                "page": st.column_config.LinkColumn("Workflow", width="medium", alignment="left"),
                "lost_seconds": number("Time lost", data.definition("run_flakes.lost_seconds")),
                "cost": number("Cost", data.definition("run_flakes.lost_usd")),
                "flaky_ratio": number("Flaky runs", data.definition("workflow_daily.flaky_count")),
                "decided_count": number("Runs", "Runs that succeeded or failed: what the share rests on."),
                "attempt_count": number("Attempts by chance", data.definition_of("run_flakes")),
            },
            {
                "page": dict(zip(pages, names, strict=True)).get,
                "flaky_ratio": words.ratio,
                "decided_count": words.count,
                "attempt_count": words.count,
                "lost_seconds": words.duration,
            },
            "Workflows with their share of flaky runs and what failing by chance cost",
        )


def draw_job_evidence(job: pd.Series) -> None:
    """Draw the failures of a job that something contradicts, with the pages of both."""
    frame = questions.job_evidence(int(job["workflow_id"]), job["job"], EVIDENCE_ROWS)
    columns: Columns = {
        "failed_url": _page("Failed"),
        "passed_url": _page("Passed"),
        "failed_at": _when("Failed at", "job_flakes.failed_at"),
        "why": st.column_config.TextColumn("Evidence", help=data.definition("job_flakes.level"), width=300),
        "passed_before_url": _page("Passed before"),
        "passed_at": _when("Passed at", "job_flakes.passed_at"),
        **_shared("job_flakes"),
    }
    suspected = {"passed_before_url"} if frame["passed_before_url"].isna().all() else set()
    _draw_evidence(
        frame.assign(why=frame["level"].map(words.LEVELS)),
        {name: column for name, column in columns.items() if name not in suspected},
    )


def draw_test_evidence(test: pd.Series) -> None:
    """Draw the failures of a test that something contradicts, with the pages of both and what it said."""
    frame = questions.test_evidence(test, EVIDENCE_ROWS)
    _draw_evidence(
        frame.assign(why=frame["proof"].map(words.PROOFS)),
        {
            "failed_url": _page("Failed"),
            "passed_url": _page("Passed"),
            "failed_at": _when("Failed at", "test_flakes.failed_at"),
            "why": st.column_config.TextColumn("Evidence", help=data.definition("test_flakes.proof"), width=270),
            "message": st.column_config.TextColumn(
                "What it said", help=data.definition("test_flakes.message"), width="large"
            ),
            "passed_at": _when("Passed at", "test_flakes.passed_at"),
            **_shared("test_flakes"),
        },
    )


def _draw_evidence(frame: pd.DataFrame, columns: Columns) -> None:
    draw(
        frame,
        columns,
        {
            "failed_url": lambda url: "✗ failed" if url else words.NOTHING,
            "passed_url": lambda url: "✓ passed" if url else words.NOTHING,
            "passed_before_url": lambda url: "✓ passed" if url else words.NOTHING,
            "failed_at": clock.moment,
            "passed_at": clock.moment,
            "head_sha": lambda sha: str(sha)[:7],
            "run_attempt": words.count,
            "lost_seconds": words.duration,
            "lost_usd": words.usd,
        },
        "Executions that failed, each with the one that passed on the same commit, and links to both",
    )
    if len(frame) == EVIDENCE_ROWS:
        st.caption(f"The newest {EVIDENCE_ROWS}; the SQL above, without its limit, has all.")


def _shared(mart: str) -> Columns:
    return {
        "head_sha": st.column_config.TextColumn("Commit", help=data.definition(f"{mart}.head_sha"), width="small"),
        "event": st.column_config.TextColumn("Event", help=data.definition(f"{mart}.event")),
        "run_attempt": number("Attempt", data.definition(f"{mart}.run_attempt")),
        "lost_seconds": number("Time lost", data.definition(f"{mart}.lost_seconds")),
        "lost_usd": number("Cost", data.definition(f"{mart}.lost_usd")),
    }


def _page(label: str) -> object:
    return st.column_config.LinkColumn(label, width=110, alignment="left", help="Leads to it on GitHub.")


def _when(label: str, column: str) -> object:
    return st.column_config.Column(label, help=f"{data.definition(column)} {clock.note()}", width="medium")


def _cost(row: pd.Series) -> str:
    without = f", {words.counted(row['unpriced_count'], 'attempt')} not priced" if row["unpriced_count"] else ""
    return words.usd(row["lost_usd"]) + without
