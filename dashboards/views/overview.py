"""Overview: is anything on fire, what changed, where do time and money go."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.deliveries.panels import draw_deployments
from dashboards.deliveries.questions import first_environment
from dashboards.overview import attention, cards, completeness, panels
from dashboards.runs import filters, notices, tables
from dashboards.runs.panels import draw_durations, draw_success
from dashboards.scope import DeliveryScope

attention.draw_attention()

scope = filters.run_scope()
notices.stop_if_empty(scope)

draw_cards(cards.headline_cards(scope))
panels.draw_commits(scope)
tables.draw_worst_workflows(scope)

left, right = st.columns(2, gap="small")
with left:
    draw_success(scope)
with right:
    draw_durations(scope)

environment = first_environment()
left, right = st.columns(2, gap="small") if environment else (None, st.container())
with right:
    panels.draw_cost(scope)
if left and environment:
    with left:
        draw_deployments(DeliveryScope(scope.period, environment, team=scope.team), with_link=True)

completeness.draw_completeness()
