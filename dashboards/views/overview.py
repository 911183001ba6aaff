"""Overview: is anything on fire, what changed, where does time go."""

import streamlit as st

from dashboards import attention, cards, filters, panels, shell, tables

attention.draw_attention()

scope = filters.overview_scope()
shell.stop_if_empty(scope)

cards.draw_cards(cards.headline_cards(scope))
panels.draw_delivery_line(scope)

left, right = st.columns(2, gap="small")
with left:
    panels.draw_success(scope)
with right:
    panels.draw_durations(scope)

tables.draw_worst_workflows(scope)
tables.draw_completeness()
