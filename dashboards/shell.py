"""What surrounds every page: the name, how fresh the data is, and the words for when there is none."""

from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboards import clock, data, tour
from dashboards.data import STALE_AFTER
from phoenix_metrics import words

HERE = Path(__file__).parent
WATCH_SECONDS = 30


def configure() -> None:
    """Set the window's title, icon and width, the logo and the few styles that the theme cannot say."""
    st.set_page_config(page_title="Phoenix Metrics", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.logo(str(HERE / "logo.svg"), size="large")
    for styles in ("style.css", "listing.css"):
        st.html(HERE / styles)


def draw_header(title: str) -> None:
    """Draw title, age of the data and a tour of the demo; watch for newer data, and stop where there is none."""
    version = data.version()
    _watch(version, title)
    if not version:
        _draw_first_steps()
        st.stop()
    tour.draw_tour()


@st.fragment(run_every=WATCH_SECONDS)
def _watch(drawn: str, title: str) -> None:
    if data.version() != drawn:
        st.rerun()
    if drawn:
        now = clock.now()
        _draw_title(title, now)
        _draw_staleness(data.last_success(), now)


def _draw_title(title: str, now: datetime) -> None:
    published = data.snapshot().published_at
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="header"):
        st.title(title, width="content", anchor=False)
        st.caption(
            f"Data as of {clock.moment(published)}, {words.age(now - published)}",
            width="content",
            help=f"When the data on this page was published: {words.moment(published)}. A newer one appears by itself. "
            f"Moments are in your time zone, {clock.zone().key}; days and time ranges are UTC's.",
        )


def _draw_staleness(success: datetime | None, now: datetime) -> None:
    if success is None:
        st.warning("No source has been read in full yet, so every number here may be incomplete.")
        return
    span = now - success.replace(tzinfo=UTC)
    if span > STALE_AFTER:
        st.warning(
            f"**This data is stale.** A source was last read in full {words.age(span)}, at {clock.moment(success)}. "
            "What happened since is not on this page. Run `phoenix doctor` to see what is wrong."
        )


def _draw_first_steps() -> None:
    st.header("No data yet")
    st.markdown(
        "Nothing has been published so far. This page opens by itself once the first pass is through.\n\n"
        "- If `phoenix up` is running, the first pass is under way; Dagster's page shows how far it is.\n"
        "- Otherwise run `phoenix sync` for one pass, or `phoenix up --demo` to look around with sample data."
    )
