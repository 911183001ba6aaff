"""Panels of runs: success, durations and outcomes over time, and the newest runs."""

from dataclasses import replace

import streamlit as st

from dashboards import data
from dashboards.panel import draw, panel
from dashboards.runs import figures, questions
from dashboards.runs.cards import over_time
from dashboards.scope import Scope
from phoenix_metrics import words
from phoenix_metrics.words import FEW

LAST_RUNS = 60


def draw_success(scope: Scope) -> None:
    """Draw the success ratio of each hour or day and the runs it rests on."""
    unit = scope.period.unit
    gap = f" A gap is {'an hour' if unit == 'hour' else 'a day'} without such runs."
    with panel(
        f"Success ratio per {unit}",
        data.definition("workflow_daily.success_ratio") + gap + " Below the dotted line a workflow needs attention.",
    ):
        draw(
            figures.success_over_time(over_time(scope), data.settings().failure_ratio),
            f"Line of the success ratio per {unit}, with the number of runs as bars below it",
        )


def draw_durations(scope: Scope) -> None:
    """Draw percentiles of duration of each hour or day."""
    unit = scope.period.unit
    with panel(
        f"Duration per {unit}",
        "p95: 95 of 100 runs took no longer. "
        + data.definition("workflow_runs.duration_seconds")
        + f" A hollow point rests on fewer than {FEW} runs.",
    ):
        draw(
            figures.duration_over_time(over_time(scope)),
            f"Lines of the median and of high percentiles of duration per {unit}",
        )


def draw_outcomes(scope: Scope) -> None:
    """Draw how the runs of each hour or day ended."""
    unit = scope.period.unit
    with panel(f"Outcomes per {unit}", f"Runs by the {unit} on which they were created and by how they ended."):
        course = over_time(scope)
        draw(
            figures.outcomes_over_time(course),
            f"Stacked bars of successful, failed, cancelled and other runs per {unit}",
        )
        counts = {share.name: course[share.column].sum() for share in figures.SHARES}
        said = [f"{words.count(number)} {name}" for name, number in counts.items() if number]
        st.caption(f"{words.counted(course['run_count'].sum(), 'run')}: {', '.join(said)}.")


def draw_last_runs(scope: Scope) -> None:
    """Draw the newest runs of the default branch, one bar each."""
    with panel(
        "Last runs on the default branch",
        f"Up to {LAST_RUNS} runs of the period, oldest first. The height is the duration. The sign above a bar says "
        "how the run ended and leads to it on GitHub; on a narrow page what succeeded has none.",
    ):
        runs = questions.recent_runs(replace(scope, default_branch_only=True), LAST_RUNS)
        if runs.empty:
            st.caption("No runs on the default branch in this period.")
        else:
            draw(figures.run_bars(runs.iloc[::-1]), "Bars of the duration of the last runs, marked by how each ended")
