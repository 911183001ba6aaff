"""The filter row of deliveries."""

import streamlit as st

from dashboards.deliveries import questions
from dashboards.filters import DAYS, choose_period, choose_team, row, stop_if_not_among
from dashboards.scope import ALL_SERVICES, DeliveryScope
from phoenix_metrics import words


def delivery_scope() -> DeliveryScope:
    """Draw the filters of deliveries and return what they choose; production first, else the busiest environment."""
    environments, services, teams = questions.environments(), questions.services(), questions.teams()
    for name, known in (("environment", environments), ("service", services)):
        stop_if_not_among(name, known)
    first = environments.index(questions.first_environment())
    with row():
        environment = st.selectbox(
            "Environment", environments, first, key="environment", bind="query-params", width=200
        )
        service = st.selectbox("Service", [ALL_SERVICES, *services], key="service", bind="query-params", width=240)
        team = choose_team(teams)
        period = choose_period(DAYS)
    scope = DeliveryScope(period, environment, service=None if service == ALL_SERVICES else service, team=team)
    st.caption(
        f"Deployments that began {words.stretch(period.start, period.end)}. "
        f"Compared with {words.stretch(period.previous.start, period.previous.end)}."
    )
    return scope
