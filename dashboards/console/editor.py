"""The editor: what is asked stands in the address, so that a link carries it."""

import streamlit as st

from dashboards.console import address
from dashboards.console.answers import LIMITS
from dashboards.console.examples import Example, examples
from phoenix_metrics import words

KEY = "query"


def draw_editor() -> tuple[str, bool]:
    """Draw the editor and return what it holds, and whether it is to be asked again even if it was answered before."""
    _follow_address()
    with st.form("editor", border=False):
        query = st.text_area(
            "Query",
            height=330,
            key=KEY,
            help="One SELECT in DuckDB's SQL. It is kept in the address: share the link to share the question.",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            is_run = st.form_submit_button("Run", type="primary", icon=":material/play_arrow:")
            st.caption(
                "Ctrl+Enter or ⌘+Enter runs it, too. Nothing can be changed from here. Stops after "
                f"{LIMITS.seconds:g}{words.NBSP}s or {LIMITS.rows:,}{words.NBSP}rows.",
                width=560,
            )
    address.write(KEY, query)
    return query, is_run


def draw_examples() -> None:
    """Draw the saved questions; choosing one puts it into the editor and answers it."""
    st.caption("Each is an ordinary query, to be changed as you like.")
    with st.container(key="examples", gap=None):
        for number, example in enumerate(examples()):
            st.button(
                example.question,
                key=f"example-{number}",
                type="tertiary",
                icon=":material/chevron_right:",
                on_click=_put_in,
                args=(example,),
            )


def _follow_address() -> None:
    """Put into the editor what the address asks; where it asks nothing, the first of the saved questions."""
    told = address.news(KEY) if KEY in st.session_state else st.query_params.get(KEY)
    if told is not None:
        st.session_state[KEY] = told
    elif KEY not in st.session_state:
        st.session_state[KEY] = examples()[0].query


def _put_in(example: Example) -> None:
    st.session_state[KEY] = example.query
