"""The filter row of costs, and the choices that stand in their panels."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from dashboards import data
from dashboards.cost import questions
from dashboards.filters import DAYS, choose_period, choose_repository, choose_team, row
from dashboards.scope import Scope
from phoenix_metrics import words


def cost_scope() -> Scope:
    """Draw the filters of costs and return what they choose; branches and events are in no mart of costs."""
    with row():
        repository = choose_repository()
        team = None if repository else choose_team(data.teams())
        period = choose_period(DAYS)
    return Scope(period, repository=repository, team=team, default_branch_only=False)


def is_comparable(scope: Scope) -> bool:
    """Whether costs are known since the beginning of the period before this one."""
    known = questions.first_day(scope)
    return known is not None and known <= scope.period.previous.start.date()


def switch(label: str, key: str, options: Sequence[str]) -> str:
    """Draw a choice of a few options side by side, the first of which is the usual one."""
    return st.segmented_control(
        label, options, default=options[0], required=True, key=key, bind="query-params", label_visibility="collapsed"
    )


def choice(
    label: str,
    key: str,
    options: Sequence[str],
    usual: str,
    *,
    width: int | Literal["stretch"] = 260,
    meaning: str = "",
) -> str:
    """Draw a choice of many options; an address that asks for another one is told so and gets the usual one."""
    asked = st.query_params.get(key)
    if asked and asked not in options and st.session_state.get(key) not in options:
        st.caption(f"There is no {words.plain(asked)} to choose here, so this is {words.plain(usual)}.")
    return st.selectbox(
        label,
        options,
        options.index(usual),
        key=key,
        bind="query-params",
        width=width,
        help=meaning or None,
    )
