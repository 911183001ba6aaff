"""Flakiness: how much fails by chance and what that costs, which jobs and tests it is, and what proves it."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.days import day_scope, stretch
from dashboards.flakiness import cards, notices, panels, ranking, tables

scope = day_scope(
    lambda period: (
        f"Runs of all branches and events, created {stretch(period)}. "
        f"Compared with as many days before, from {period.previous.start:%-d %b %Y}."
    )
)
if not notices.say_if_quiet(scope):
    draw_cards(cards.flake_cards(scope))
    left, right = st.columns(2, gap="small")
    with left:
        panels.draw_share(scope)
    with right:
        panels.draw_failures(scope)

ranking.draw_jobs(scope)
ranking.draw_tests(scope)
panels.draw_evidence(scope)
tables.draw_workflows(scope)
