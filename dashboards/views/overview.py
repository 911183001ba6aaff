"""Overview: is anything on fire, what changed, where does time go."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.overview import attention, completeness, delivery_line
from dashboards.runs import cards, filters, notices, panels, tables

attention.draw_attention()

scope = filters.run_scope()
notices.stop_if_empty(scope)

draw_cards(cards.headline_cards(scope))
delivery_line.draw_delivery_line(scope)

left, right = st.columns(2, gap="small")
with left:
    panels.draw_success(scope)
with right:
    panels.draw_durations(scope)

tables.draw_worst_workflows(scope)
completeness.draw_completeness()
