"""How complete the data is, at the overview's foot."""

import streamlit as st

from dashboards import data
from dashboards.tables import draw, number
from phoenix_metrics import words


def draw_completeness() -> None:
    """Say how complete the data is in one line, with each source's row a click away."""
    health = data.health()
    missing = health.loc[~health["source"].str.startswith("argocd"), "missing_count"].sum()
    sources = health[health["source"] == "github"]
    gaps = health["source"].str.startswith("github_").sum()
    health["part"], health["state"] = health["source"].map(words.part), health["state"].replace(words.STATES)
    st.caption(
        f"{words.counted(len(sources), 'source')}, {words.counted(sources['run_count'].sum(), 'run')} since "
        f"{words.day(sources['oldest_at'].min())}, {words.count(sources['open_count'].sum())} not ended, "
        + (f"{words.count(missing)} things known to be missing" if missing else "nothing known to be missing")
        + (f", {words.counted(gaps, 'gap')} in what goes with the runs." if gaps else ".")
    )
    with st.expander("How complete each source is"):
        draw(
            health,
            {
                "subject": st.column_config.TextColumn("Source", help=data.definition("data_health.subject")),
                "part": st.column_config.TextColumn("Of it", help=data.definition("data_health.source")),
                "state": st.column_config.TextColumn("Last pass", help=data.definition("data_health.state")),
                "last_success_at": number("Last complete", data.definition("data_health.last_success_at")),
                "complete_since": number("Complete since", data.definition("data_health.complete_since")),
                "run_count": number("Runs", data.definition("data_health.run_count")),
                "open_count": number("Not ended", data.definition("data_health.open_count")),
                "missing_count": number("Missing", data.definition("data_health.missing_count")),
                "note": st.column_config.TextColumn("Note", help=data.definition("data_health.note"), width="large"),
            },
            {
                "last_success_at": words.moment,
                "complete_since": words.day,
                "run_count": words.count,
                "open_count": words.count,
                "missing_count": words.count,
            },
            "How complete and how fresh each source is",
        )
