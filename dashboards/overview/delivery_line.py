"""The overview's line of deployments."""

from html import escape

import streamlit as st

from dashboards import data
from dashboards.deliveries import questions
from dashboards.deliveries.cards import sentence
from dashboards.filters import address, carried
from dashboards.scope import DeliveryScope, Scope


def draw_delivery_line(scope: Scope) -> None:
    """Say in a line how many deployments reached production and went back, with a link to their page."""
    environment = questions.first_environment()
    said = sentence(DeliveryScope(scope.period, environment)) if environment else None
    if said:
        link = address("deliveries", **{name: value for name, value in carried().items() if name == "range"})
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="delivery"):
            st.markdown(said, width="content", help=data.definition_of("rollbacks"))
            st.html(f'<a href="{escape(link)}" target="_self">Deliveries</a>', width="content")
