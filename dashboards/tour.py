"""A walk through the pages with the demo organisation, for who sees them for the first time."""

from html import escape

import streamlit as st

from dashboards import data
from dashboards.filters import address
from dashboards.listing import inside

_STEPS = (
    ("overview", "Overview", "what is on fire now stands above the filters; what is below them is of the time range."),
    ("workflow", "Workflow", "choose a run: its jobs as they ran, and the path through them that made it so long."),
    ("flakiness", "Flakiness", "tests fail by chance now and then; each flake shows the executions that prove it."),
    ("cost", "Cost", "who spends, what is wasted, and when the month's budget will be used up."),
    ("deliveries", "Deliveries", "what runs in each environment, which releases were rolled back and why."),
    ("quality", "Quality", "what got slower since which commit, and what a change must pass."),
    ("alerts", "Alerts", "what fires and what fired, each episode once, with how long it lasted."),
    ("health", "Data health", "what is missing: a gap is shown, never counted as a success."),
    ("sql", "SQL", "the button SQL of each panel opens its question here; change it and ask."),
)


def draw_tour() -> None:
    """Where the demo organisation is measured, draw a button that opens the walk: a step for each page."""
    settings = data.settings()
    if settings.github_api_url.rstrip("/") != settings.demo_url:
        return
    with st.popover(f"Demo organisation: a walk in {len(_STEPS)} steps", icon=":material/explore:", type="tertiary"):
        st.markdown(
            "Everything here is made up: a team of one repository, sixty days of its history, and a life that goes on "
            "while you look. Its numbers are counted as yours would be."
        )
        steps = "".join(f"<li>{inside(title, address(page))}: {escape(told)}</li>" for page, title, told in _STEPS)
        st.html(f'<ol class="tour">{steps}</ol>')
        st.markdown(
            "Let something happen: `phoenix up --scene outage`, or `flaky`, `slow`, `expensive`, `rollback`.\n\n"
            "To measure your own repositories set `PHOENIX_GITHUB_REPOSITORIES` and `PHOENIX_GITHUB_TOKEN`."
        )
