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
    what = words.counted(found, "episode") if found else "No episode"
    st.caption(
        f"{what}{f' of team {words.plain(team)}' if team else ''} {'was' if found < 2 else 'were'} open at any time "
        f"from {words.stretch(period.start, period.end)}. What stands above is now, whatever is chosen here."
    )
    return scope
