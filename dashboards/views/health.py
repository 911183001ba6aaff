"""Data health: what is late, missing or cannot be told, what to do about it, and how complete each source is."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.health import cards, filters, panels, tables, troubles

troubles.draw_troubles()
panels.draw_freshness()
tables.draw_sources()

left, right = st.columns(2, gap="small")
with left:
    tables.draw_requests()
with right:
    tables.draw_webhooks()
tables.draw_gaps()
tables.draw_audit()

period = filters.health_period()
draw_cards(cards.health_cards(period))
tables.draw_unpriced(period)
tables.draw_unclassified(period)
tables.draw_lead_times(period)
