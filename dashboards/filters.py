"""What the filter rows of all pages share; every choice lives in the URL, so a link shows the same page to everyone."""

from contextlib import AbstractContextManager
from html import escape
from urllib.parse import urlencode, urlsplit

import streamlit as st

from dashboards import data
from dashboards.scope import (
    ALL_EVENTS,
    ALL_REPOSITORIES,
    ALL_TEAMS,
    DEFAULT_BRANCH,
    FINAL,
    RANGES,
    Period,
    last,
)
from phoenix_metrics import words

DEFAULTS = {
    "range": "30 days",
    "repository": ALL_REPOSITORIES,
    "team": ALL_TEAMS,
    "branch": DEFAULT_BRANCH,
    "event": ALL_EVENTS,
    "attempt": FINAL,
}
CARRIED = ("range", "branch", "event", "attempt")
DAYS = [name for name, (_, unit) in RANGES.items() if unit == "day"]


def row() -> AbstractContextManager[object]:
    """Return the row that a page's filters stand in, wrapping where the page is narrow."""
    return st.container(horizontal=True, vertical_alignment="bottom", key="filters")


def choose_repository() -> str | None:
    """Draw the choice of a repository and return it, None for all."""
    known = data.repositories()
    stop_if_not_among("repository", known)
    chosen = st.selectbox("Repository", [ALL_REPOSITORIES, *known], key="repository", bind="query-params", width=260)
    return None if chosen == ALL_REPOSITORIES else chosen


def choose_team(known: list[str]) -> str | None:
    """Draw the choice of a team, where any is known, and return it, None for all."""
    if not known:
        return None
    stop_if_not_among("team", known)
    chosen = st.selectbox("Team", [ALL_TEAMS, *known], key="team", bind="query-params", width=180)
    return None if chosen == ALL_TEAMS else chosen


def choose_period(ranges: list[str]) -> Period:
    """Draw the choice of a time range and return the period it means, up to the snapshot's publication."""
    chosen = st.selectbox(
        "Time range", ranges, ranges.index(DEFAULTS["range"]), key="range", bind="query-params", width=130
    )
    return last(chosen, data.snapshot().published_at.replace(tzinfo=None))


def stop_if_not_among(name: str, known: list[str]) -> None:
    """Stop with words where the address asks for something that is not known, a team that was renamed for instance."""
    asked, path = st.query_params.get(name), st.context.url or ""
    if not asked or asked in (*known, DEFAULTS.get(name)) or st.session_state.get(name) in known:
        return
    st.info(f"No {name} **{words.plain(asked)}** is known. Its name may have changed, or it is not measured any more.")
    st.html(f'<a href="{escape(urlsplit(path).path or "?")}" target="_self">Show this page without it</a>')
    st.stop()


def carried() -> dict[str, str]:
    """Return the choices that every page about runs has, as query parameters for a link to another page."""
    chosen = {name: st.session_state.get(name) or st.query_params.get(name) for name in CARRIED}
    return {name: value for name, value in chosen.items() if value and value != DEFAULTS[name]}


def address(page: str, **chosen: str) -> str:
    """Return the address of a page with some filters chosen, relative to any page; defaults are left out.

    The overview is what Streamlit shows where an address names no page: under its own name it would not be found.
    """
    choices = {name: value for name, value in chosen.items() if value != DEFAULTS.get(name)}
    return ("." if page == "overview" else page) + ("?" + urlencode(choices) if choices else "")
