"""The filter row of alerts; what stands above it is now."""

import streamlit as st

from dashboards.alerts import questions
from dashboards.alerts.scope import AlertScope
from dashboards.filters import DAYS, choose_period, choose_team, row
from phoenix_metrics import words


def alert_scope() -> AlertScope:
    """Draw the filters of episodes and return what they choose."""
    with row():
        team = choose_team(questions.teams())
        period = choose_period(DAYS)
    scope = AlertScope(period, team)
    found = questions.episode_count(scope)
    st.caption(
        f"{words.counted(found, 'episode')}{f' of team {words.plain(team)}' if team else ''} open at any time from "
        f"{words.stretch(period.start, period.end)}. What stands above is now, whatever is chosen here."
    )
    return scope
