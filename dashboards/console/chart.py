"""The chart of an answer: which columns, and as what; its choices are in the address like the query."""

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboards.console import address
from dashboards.console.figures import DRAWN_ROWS, KINDS, SERIES, Choice, figure
from dashboards.panel import draw, panel
from phoenix_metrics import words
from phoenix_metrics.warehouse.sandbox import Answer

NO_SPLIT = "Nothing"
_DRAWN = "console_drawn"


def draw_chart(answer: Answer, query: str) -> None:
    """Draw the answer to a query as a chart of the reader's choice, where it has a column of numbers."""
    numbers = [name for name in answer.types if _is_number(answer.values[name].type)]
    if not numbers or not answer.values.num_rows:
        return
    with panel(
        "Chart",
        "One bar or point for each row of the answer; nothing is added up or averaged. What is to be one bar has to be "
        "one row: group it in the query.",
    ):
        choice = _choose(answer, numbers, query)
        frame = drawable(answer, choice)
        if frame.empty:
            st.caption(f"No row has both {choice.x} and {choice.y}.")
        elif choice.split and frame["series"].nunique() > SERIES:
            st.caption(
                f"{choice.split} has more than {SERIES} values, too many to tell apart: split by another column."
            )
        else:
            draw(figure(frame, choice), f"{choice.kind} of {choice.y} by {choice.x}")
            _draw_gaps(answer, frame, choice)


def drawable(answer: Answer, choice: Choice) -> pd.DataFrame:
    """Return the first rows that have both x and y, as columns x, y and series."""
    first = answer.values.slice(0, DRAWN_ROWS)
    texts = answer.texts.slice(0, DRAWN_ROWS)
    series = texts[choice.split].to_pylist() if choice.split else [choice.y] * first.num_rows
    frame = pd.DataFrame(
        {
            "x": _axis(first[choice.x], texts[choice.x]),
            "y": _axis(first[choice.y], texts[choice.y]),
            "series": ["NULL" if name is None else name for name in series],
        }
    )
    return frame[frame["x"].notna() & frame["y"].notna() & ~frame["y"].isin([float("inf"), float("-inf")])]


def first_choice(answer: Answer, numbers: list[str]) -> Choice:
    """Return what to draw before anything is chosen: the first time, else the first text, against the first number."""
    types = {name: answer.values[name].type for name in answer.types}
    times = [name for name in types if pa.types.is_temporal(types[name])]
    texts = [name for name in types if pa.types.is_string(types[name])]
    x = (times or texts or numbers)[0]
    y = next((name for name in numbers if name != x), numbers[0])
    split = next((name for name in texts if times and 2 <= len(set(answer.texts[name].to_pylist())) <= SERIES), None)
    many = answer.values.num_rows > 40 if times else False
    return Choice("Line" if many or (times and split) else "Bars", x, y, split)


def _choose(answer: Answer, numbers: list[str], query: str) -> Choice:
    """Draw the choices and return them; each query begins with the first choice, or with what a link says."""
    first, names = first_choice(answer, numbers), list(answer.types)
    splits = [NO_SPLIT, *(name for name in names if pa.types.is_string(answer.values[name].type))]
    is_new = st.session_state.get(_DRAWN, query) != query
    st.session_state[_DRAWN] = query
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = _chosen("kind", "Chart", list(KINDS), first.kind, is_new=is_new)
        x = _chosen("x", "X axis", names, first.x, is_new=is_new)
        y = _chosen("y", "Y axis", numbers, first.y, is_new=is_new)
        split = _chosen("split", "Split by", splits, first.split or NO_SPLIT, is_new=is_new)
    return Choice(kind, x, y, None if split == NO_SPLIT else split)


def _chosen(name: str, label: str, options: list[str], first: str, *, is_new: bool) -> str:
    key = f"console_{name}"
    known = st.session_state.get(key)
    told = st.query_params.get(name) if known is None else address.news(name)
    if told in options:
        st.session_state[key] = told
    elif is_new or known not in options:
        st.session_state[key] = first
    chosen = st.selectbox(label, options, key=key, width=130 if name == "kind" else 195)
    address.write(name, None if chosen == first else chosen)
    return chosen


def _draw_gaps(answer: Answer, frame: pd.DataFrame, choice: Choice) -> None:
    """Say which rows are not in the chart, and where several lie upon each other."""
    rows = answer.values.num_rows
    gaps = min(rows, DRAWN_ROWS) - len(frame)
    notes = []
    if gaps:
        notes.append(f"{words.counted(gaps, 'row')} without a value {'is' if gaps == 1 else 'are'} not drawn.")
    if rows > DRAWN_ROWS:
        notes.append(f"Only the first {DRAWN_ROWS:,} of {rows:,} rows are drawn.")
    if choice.kind != "Points" and frame.duplicated(["x", "series"]).any():
        notes.append(f"Several rows have the same {choice.x}; group by it, or split by what tells them apart.")
    if pd.api.types.is_datetime64_any_dtype(frame["x"]):
        notes.append("Times are UTC.")
    if notes:
        st.caption(" ".join(notes))


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _axis(values: pa.ChunkedArray, texts: pa.ChunkedArray) -> pd.Series:
    """Return a column as an axis has it: numbers, moments (UTC), or text; what is beyond the calendar has no place."""
    if _is_number(values.type):
        return pd.Series([None if value is None else float(value) for value in values.to_pylist()], dtype="float64")
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        moments = pd.to_datetime(pd.Series(texts.to_pylist(), dtype="str"), errors="coerce", format="ISO8601", utc=True)
        return moments.dt.tz_localize(None)
    return pd.Series(texts.to_pylist(), dtype="str")
