"""Panels that only the overview has: commits, and money."""

import streamlit as st

from dashboards import data
from dashboards.overview import figures, questions
from dashboards.panel import draw, draw_link, panel
from dashboards.runs.cards import over_time
from dashboards.scope import Scope

LAST_COMMITS = 60


def draw_commits(scope: Scope) -> None:
    """Draw the newest commits of the default branch, one bar each."""
    event = scope.event or questions.PUSHES
    with panel(
        "Last commits on the default branch",
        f"Up to {LAST_COMMITS} commits of the period, oldest first, with their runs of the event {event}. A commit "
        "failed if any of its runs did, by final attempts; the height is the longest run's duration. The sign above a "
        "bar says how it ended and leads to that run on GitHub; on a narrow page what succeeded has none.",
    ):
        commits = questions.commits(scope, LAST_COMMITS)
        if commits.empty:
            st.caption(f"No runs of the event {event} on the default branch in this period.")
        else:
            draw(
                figures.commit_bars(commits.iloc[::-1]),
                "Bars of the duration of the last commits' longest runs, marked by how each commit ended",
            )


def draw_cost(scope: Scope) -> None:
    """Draw what the runs of each hour or day cost."""
    with panel(
        f"Cost per {scope.period.unit}",
        data.definition("workflow_runs.cost_usd", "workflow_runs.waste_usd")
        + " List price, of the runs that the filters leave. The page Cost tells by what and for whom.",
    ):
        course = over_time(scope)
        if not course["cost_usd"].fillna(0).sum():
            is_free = not course["unpriced_count"].fillna(0).sum()
            st.caption(
                "Every job of these runs was free of charge."
                if is_free
                else "No job of these runs has a price, or those that have one were free of charge."
            )
            return
        draw(
            figures.cost_over_time(course),
            f"Stacked bars of cost that was not wasted and that was, per {scope.period.unit}",
        )
        chosen = {"repository": scope.repository, "team": scope.team}
        draw_link("Where it goes", "cost", **{name: value for name, value in chosen.items() if value})
