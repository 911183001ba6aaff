"""Workflow: how one workflow does, what changed, where one run spent its time, and what would make it faster."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.runs import cards, filters, notices
from dashboards.runs import panels as runs_panels
from dashboards.workflow import elsewhere, panels, tables

scope = filters.workflow_scope()
notices.stop_if_empty(scope)

draw_cards(cards.headline_cards(scope))
elsewhere.draw_elsewhere(scope)
panels.draw_trend(scope)
runs_panels.draw_last_runs(scope)

left, right = st.columns(2, gap="small")
with left:
    runs_panels.draw_outcomes(scope)
with right:
    panels.draw_distribution(scope)

panels.draw_run(scope)
panels.draw_poles(scope)
tables.draw_jobs(scope)
tables.draw_steps(scope)
panels.draw_queue(scope)
tables.draw_recent_runs(scope)
