"""Panels: a titled box with one figure, its definition on hover."""

from contextlib import AbstractContextManager
from dataclasses import replace
from html import escape

import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, data, deliveries, delivery_cards
from dashboards.cards import over_time
from dashboards.filters import carried, deliveries_address
from dashboards.scope import DeliveryScope, Scope
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
            charts.success_over_time(over_time(scope), data.settings().failure_ratio),
            f"Line of the success ratio per {unit}, with the number of runs as bars below it",
        )


def draw_durations(scope: Scope, *, with_p99: bool = False) -> None:
    """Draw percentiles of duration of each hour or day."""
    unit = scope.period.unit
    with panel(
        f"Duration per {unit}",
        "p95: 95 of 100 runs took no longer. "
        + data.definition("workflow_runs.duration_seconds")
        + f" A hollow point rests on fewer than {FEW} runs.",
    ):
        draw(
            charts.duration_over_time(over_time(scope), with_p99=with_p99),
            f"Lines of the median and of high percentiles of duration per {unit}",
        )


def draw_outcomes(scope: Scope) -> None:
    """Draw how the runs of each hour or day ended."""
    unit = scope.period.unit
    with panel(f"Outcomes per {unit}", f"Runs by the {unit} on which they were created and by how they ended."):
        draw(
            charts.outcomes_over_time(over_time(scope)),
            f"Stacked bars of successful, failed, cancelled and other runs per {unit}",
        )


def draw_last_runs(scope: Scope) -> None:
    """Draw the newest runs of the default branch, one bar each."""
    runs = data.recent_runs(replace(scope, default_branch_only=True), LAST_RUNS)
    with panel(
        "Last runs on the default branch",
        f"Up to {LAST_RUNS} runs of the period, oldest first. The height is the duration. The sign above a bar says "
        "how the run ended and leads to it on GitHub.",
    ):
        if runs.empty:
            st.caption("No runs on the default branch in this period.")
        else:
            draw(charts.run_bars(runs.iloc[::-1]), "Bars of the duration of the last runs, marked by how each ended")


def draw_deployments(scope: DeliveryScope) -> None:
    """Draw how the deployments of each week ended."""
    with panel(
        "Deployments per week",
        "Syncs that brought a version or failed to, in whole weeks from Monday to Sunday, UTC, since the first that is "
        f"known; the last week is not over. At least {deliveries.WEEKS_SHOWN} weeks, also where the time range is "
        "shorter. One that brought several services is a change failure if any of them was. "
        + delivery_cards.meaning("A change failure is"),
    ):
        frame = deliveries.weekly(scope)
        if not frame["all_count"].sum():
            st.caption("No deployment in these weeks.")
            return
        draw(
            charts.deployments_over_weeks(frame),
            "Stacked bars of deployments per week: succeeded and held, change failures, and undecided ones",
        )


def draw_delivery_line(scope: Scope) -> None:
    """Say in a line how many deployments reached production and went back, with a link to their page."""
    environment = deliveries.first_environment()
    said = delivery_cards.sentence(DeliveryScope(scope.period, environment)) if environment else None
    if said:
        address = deliveries_address({name: value for name, value in carried().items() if name == "range"})
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="delivery"):
            st.markdown(said, width="content", help=data.definition_of("rollbacks"))
            st.html(f'<a href="{escape(address)}" target="_self">Deliveries</a>', width="content")


def panel(title: str, meaning: str) -> AbstractContextManager[object]:
    """Return a box with a title and what it means."""
    box = st.container(border=True, gap="xsmall")
    box.subheader(title, help=meaning)
    return box


def draw(figure: go.Figure, alt: str) -> None:
    """Draw a figure, with words for those who cannot see it."""
    st.plotly_chart(figure, config=charts.NO_TOOLBAR, alt=alt)
