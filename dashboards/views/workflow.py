"""Workflow: how one workflow does, run by run, and which jobs and steps it spends its time on."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.runs import cards, filters, notices, panels, tables

scope = filters.workflow_scope()
notices.stop_if_empty(scope)

draw_cards(cards.headline_cards(scope))
panels.draw_last_runs(scope)

left, right = st.columns(2, gap="small")
with left:
    panels.draw_outcomes(scope)
with right:
    panels.draw_durations(scope, with_p99=True)

tables.draw_jobs(scope)
tables.draw_steps(scope)
tables.draw_recent_runs(scope)
