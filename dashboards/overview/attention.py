"""What needs attention now, as sentences: failing workflows, other alerts, and sources that are incomplete or late."""

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.data import STALE_AFTER
from dashboards.filters import address
from dashboards.overview import questions
from dashboards.scope import ALL_BRANCHES
from phoenix_metrics.words import count, counted, moment, plain, ratio

SHOWN = 5

_WINDOWS = {"1h": "the last hour", "24h": "the last 24 hours"}
_STATES = {
    "partial": "the last pass stopped early, within the request budget",
    "failed": "the last pass failed",
    "no_access": "the token lacks a permission",
    "unavailable": "it does not exist, or this token may not see it",
    "gone": "it is gone",
    "blocked": "it is blocked for legal reasons",
    "set_aside": "this file could not be read and was set aside",
}


@dataclass(frozen=True)
class Notice:
    """One thing to look at: a sentence in Markdown, and what it is about with its page's address, if it has one."""

    sentence: str
    label: str = ""
    link: str = ""


def draw_attention() -> None:
    """Draw what needs attention now, whatever the filters of the page say, or that nothing does."""
    settings = data.settings()
    limit, min_runs = ratio(settings.failure_ratio), settings.failure_min_runs
    failing = failing_notices(questions.failing_workflows(settings.failure_ratio, min_runs))
    rule = (
        f"Workflows that failed in more than {limit} of their runs in the last hour or day, where they had at least "
        f"{min_runs}, other alerts that fire, and sources whose data is late or incomplete. Counts every branch, "
        "whatever is filtered below: what is above the filters is now, what is below them is of the time range."
    )
    with st.container(border=True, gap="xsmall", key="attention"):
        st.header("What needs attention now", help=rule)
        if not failing:
            st.markdown(calm_sentence(questions.judged_count(min_runs), limit, min_runs))
        _draw_notices(failing, ":red[✗]")
        _draw_notices(alert_notices(questions.open_alerts()), ":red[▲]")
        _draw_notices(source_notices(data.health()), ":orange[▲]")


def calm_sentence(judged_count: int, limit: str, min_runs: int) -> str:
    """Say that no workflow fails too often, or that none has run often enough for that to be known."""
    if not judged_count:
        return (
            f"? No workflow had {min_runs} runs in the last hour or day that succeeded or failed, so none is judged by "
            "how many of them failed."
        )
    return (
        f":green[✓] No workflow failed in more than {limit} of its runs in the last hour or day, where it had at least "
        f"{min_runs}: {counted(judged_count, 'workflow')} had."
    )


def failing_notices(windows: pd.DataFrame) -> list[Notice]:
    """Say which workflows fail too often: a workflow once, with the window in which it fails most."""
    worst = windows.drop_duplicates(["repository", "workflow"])
    return [
        Notice(
            f"{count(row.failure_count)} of {counted(row.run_count, 'run')} in {_WINDOWS[row.time_window]} failed: "
            f"**{ratio(row.failure_ratio)}**",
            f"{row.repository} · {row.workflow}",
            address("workflow", repository=row.repository, workflow=row.workflow, range="24 h", branch=ALL_BRANCHES),
        )
        for row in worst.itertuples()
    ]


def alert_notices(alerts: pd.DataFrame) -> list[Notice]:
    """Say what else fires, in the words of its alert, with since when and a link to the page it is about."""
    return [
        Notice(
            f"{plain(row.note if isinstance(row.note, str) else row.rule)}, since {clock.moment(row.started_at)}",
            "all pipelines" if row.subject == "all" else row.subject,
            _page_of(row),
        )
        for row in alerts.itertuples()
    ]


def _page_of(alert: Any) -> str:
    """Return the address of the page about what an alert is about, as its messages link it."""
    named = {name: getattr(alert, name) for name in ("repository", "workflow", "service", "environment")}
    named = {name: value for name, value in named.items() if isinstance(value, str)}
    if "workflow" in named:
        return address("workflow", **named, branch=ALL_BRANCHES)
    if "environment" in named:
        return address("deliveries", **named)
    return "cost" if isinstance(alert.budget, str) else "alerts"


def source_notices(health: pd.DataFrame) -> list[Notice]:
    """Say which sources failed, fell behind the newest pass or are known to lack something.

    What goes with the runs, such as github_releases, may lack a permission for good, and what Argo CD has forgotten of
    an application stays lost; the tables of sources state it.
    """
    health = health[~health["source"].str.contains("_")]
    newest = health["last_attempt_at"].max()
    sentences = [(row.subject, _trouble(row, newest)) for row in health.itertuples()]
    return [Notice(f"**{plain(subject)}**: {trouble}") for subject, trouble in sentences if trouble]


def _trouble(source: object, newest: pd.Timestamp) -> str:
    parts = []
    state, success = getattr(source, "state", "ok"), getattr(source, "last_success_at", None)
    if state != "ok":
        parts.append(_STATES.get(str(state), f"state {plain(str(state))}") + _note(getattr(source, "note", None)))
    if state != "set_aside" and pd.isna(success):
        parts.append("never read in full")
    elif state != "set_aside" and newest - success > STALE_AFTER:
        parts.append(f"last read in full {moment(success)}")
    missing = getattr(source, "missing_count", 0)
    if missing and state != "set_aside" and getattr(source, "source", "github") == "github":
        parts.append(
            f"{count(missing)} things known to be missing: attempts of runs, or stretches of history not read yet"
        )
    return "; ".join(parts)


def _note(note: object) -> str:
    return f" ({plain(str(note))})" if isinstance(note, str) and note else ""


def _draw_notices(notices: list[Notice], sign: str) -> None:
    for notice in notices[:SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(sign, width="content")
            if notice.link:
                st.html(f'<a href="{escape(notice.link)}" target="_self">{escape(notice.label)}</a>', width="content")
            st.markdown(notice.sentence, width="stretch")
    if len(notices) > SHOWN:
        st.caption(f"and {count(len(notices) - SHOWN)} more")
