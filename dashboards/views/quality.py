"""Quality: are objectives kept, do schedules start, why do jobs fail, what do tests say, and what got slower."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.days import day_scope, stretch
from dashboards.quality import cards, panels, reports

scope = day_scope(
    lambda period: (
        f"Runs of all branches and events, created {stretch(period)}, and as many days before to compare with."
    )
)
draw_cards(cards.quality_cards(scope))

left, right = st.columns(2, gap="small")
with left:
    panels.draw_objectives(scope)
with right:
    panels.draw_schedules(scope)

panels.draw_slower(scope)
panels.draw_failures(scope)
reports.draw_tests(scope)
