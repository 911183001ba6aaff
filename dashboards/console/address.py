"""What the page's address holds: the query, and how its answer is drawn.

It is read and written here and not by Streamlit's binding, which would leave a choice among the columns of the last
query in the address when the next one is asked.
"""

import streamlit as st

_WRITTEN = "console_written"


def news(name: str) -> str | None:
    """Return what the address has come to say since it was written here, by a link or the browser's way back."""
    told = st.query_params.get(name)
    return told if told != _written().get(name) else None


def write(name: str, value: str | None) -> None:
    """Write a choice into the address; None takes it out."""
    _written()[name] = value
    if value is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def _written() -> dict[str, str | None]:
    written: dict[str, str | None] = st.session_state.setdefault(_WRITTEN, {})
    return written
