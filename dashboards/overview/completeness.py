"""How complete the data is, in a line at the overview's foot."""

from html import escape

import streamlit as st

from dashboards import data
from dashboards.filters import address
from phoenix_metrics import words


def draw_completeness() -> None:
    """Say how complete the data is in one line, with a link to the page that says more."""
    health = data.health()
    missing = health.loc[~health["source"].str.startswith("argocd"), "missing_count"].sum()
    sources = health[health["source"] == "github"]
    gaps = health["source"].str.startswith("github_").sum()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="completeness"):
        st.caption(
            f"{words.counted(len(sources), 'source')}, {words.counted(sources['run_count'].sum(), 'run')} since "
            f"{words.day(sources['oldest_at'].min())}, {words.count(sources['open_count'].sum())} not ended, "
            + (f"{words.count(missing)} things known to be missing" if missing else "nothing known to be missing")
            + (f", {words.counted(gaps, 'gap')} in what goes with the runs." if gaps else "."),
            width="content",
        )
        st.html(f'<a class="more" href="{escape(address("health"))}" target="_self">Data health</a>', width="content")
