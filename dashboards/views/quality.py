"""Quality: are objectives and schedules kept, what got slower, why do jobs fail, what do checks and tests say."""

import streamlit as st

from dashboards.cards import draw_cards
from dashboards.days import day_scope, stretch
from dashboards.quality import cards, gates, panels, reports

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
gates.draw_required_checks(scope)
gates.draw_coverage(scope)
reports.draw_tests(scope)
