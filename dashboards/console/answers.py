"""Asking: each query runs in the sandbox, once, and its answer stays until the next one is asked."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboards import data
from phoenix_metrics import words
from phoenix_metrics.errors import QueryError
from phoenix_metrics.warehouse.sandbox import Answer, Limits, Sandbox

LIMITS = Limits()
_KEY = "console_reply"


@dataclass(frozen=True)
class Reply:
    """A query and what came of it."""

    query: str
    outcome: Answer | QueryError


def ask(query: str, *, again: bool) -> Answer | QueryError:
    """Return what comes of a query; one that was answered just now is not asked again unless that is wished."""
    known: Reply | None = st.session_state.get(_KEY)
    if known is None or known.query != query or again:
        with st.spinner("Running the query …"):
            known = Reply(query, _outcome(query))
        st.session_state[_KEY] = known
    return known.outcome


def draw_error(error: QueryError) -> None:
    """Say what is wrong with a query, and where."""
    st.error(words.plain(str(error)), icon=":material/error:")
    if error.excerpt:
        st.code(error.excerpt, language=None)


def draw_facts(answer: Answer) -> None:
    """Say how much was answered, as of when, and what is missing from it."""
    st.caption(
        f"{words.counted(answer.values.num_rows, 'row')}, {words.counted(len(answer.types), 'column')} "
        f"in {answer.seconds:.2f}{words.NBSP}s. Data as of {words.moment(answer.published_at)}. Times are UTC."
    )
    if answer.cut_at:
        limit = {"rows": f"{LIMITS.rows:,} rows", "size": f"{LIMITS.megabytes} MB"}[answer.cut_at]
        st.warning(
            f"**Cut off.** The answer has more rows than these {answer.values.num_rows:,}: this page stops at {limit}, "
            "in the downloads, too. Narrow the query, or run it with `phoenix sql`, which has no such limit."
        )
    if data.snapshot().published_at > answer.published_at:
        st.info("Newer data is there. Run the query again to ask it.")


def _outcome(query: str) -> Answer | QueryError:
    try:
        return _sandbox(data.settings().home).answer(query)
    except QueryError as error:
        return error


@st.cache_resource(show_spinner=False)
def _sandbox(home: Path) -> Sandbox:
    return Sandbox(home, LIMITS)
