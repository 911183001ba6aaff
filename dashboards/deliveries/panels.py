"""Panels of deliveries."""

import streamlit as st

from dashboards.deliveries import figures, questions
from dashboards.deliveries.cards import meaning
from dashboards.filters import carried
from dashboards.panel import draw, draw_link, panel
from dashboards.scope import DeliveryScope


def draw_deployments(scope: DeliveryScope, *, with_link: bool = False) -> None:
    """Draw how the deployments of each week ended, with a link to the page that tells more."""
    with panel(
        "Deployments per week",
        "Syncs that brought a version or failed to, in whole weeks from Monday to Sunday, UTC, since the first that is "
        f"known; the last week is not over. At least {questions.WEEKS_SHOWN} weeks, also where the time range is "
        "shorter. One that brought several services is a change failure if any of them was. "
        + meaning("A change failure is"),
    ):
        frame = questions.weekly(scope)
        if not frame["all_count"].sum():
            st.caption("No deployment in these weeks.")
            return
        draw(
            figures.deployments_over_weeks(frame),
            "Stacked bars of deployments per week: succeeded and held, change failures, and undecided ones",
        )
        if with_link:
            time_range = {name: value for name, value in carried().items() if name == "range"}
            draw_link("What was deployed", "deliveries", environment=scope.environment, **time_range)
