"""A panel: a titled box with figures or tables, their definition on hover and the SQL that reproduces them."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import plotly.graph_objects as go
import streamlit as st

from dashboards import charts, data
from dashboards.filters import address


@contextmanager
def panel(title: str, meaning: str) -> Iterator[None]:
    """Draw a box with a title and what it means; whatever is asked of the snapshot inside is shown as SQL."""
    with st.container(border=True, gap="xsmall", height="stretch"):
        head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
        head.header(title, help=meaning)
        with data.listening() as queries:
            yield
        if queries:
            with head.popover("SQL", type="tertiary", help=f"The SQL behind “{title}”."):
                _draw_queries(queries)


def draw(figure: go.Figure, alt: str) -> None:
    """Draw a figure, with words for those who cannot see it."""
    st.plotly_chart(figure, config=charts.NO_TOOLBAR, alt=alt)


def draw_link(label: str, page: str, **chosen: str) -> None:
    """Draw a link to a page with some filters chosen: st.page_link loses parameters that widgets of this page bind."""
    st.html(f'<a class="more" href="{escape(address(page, **chosen))}" target="_self">{escape(label)}</a>')


def _draw_queries(queries: list[str]) -> None:
    for query in queries:
        st.code(query, language="sql", wrap_lines=True)
        draw_link("Open in the SQL page", "sql", query=query)
