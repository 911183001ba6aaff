"""The rows of an answer, exactly as they are: numbers sort as numbers where a browser holds them exactly."""

from decimal import Decimal
from math import copysign, isfinite

import pandas as pd
import pyarrow as pa
import streamlit as st

from phoenix_metrics.warehouse.sandbox import Answer

SHOWN_ROWS = 1_000
NULL = "NULL"
_WHOLE = 2**53  # a browser holds every whole number up to here


def draw_rows(answer: Answer) -> None:
    """Draw the first rows of an answer, every value as DuckDB writes it."""
    if list(answer.types) == ["explain_key", "explain_value"]:
        st.code("\n".join(answer.texts["explain_value"].to_pylist()), language=None)
        return
    frame, sortable = shown(answer)
    texts = {name: dict(zip(frame[name], answer.texts[name].to_pylist(), strict=False)) for name in sortable}
    with st.container(key="rows"):
        st.dataframe(
            frame.style.format({name: known.get for name, known in texts.items()}, na_rep=NULL),
            column_config={name: _column(name, answer, is_number=name in sortable) for name in frame},
            hide_index=True,
            placeholder=NULL,
            alt="The rows that the query returned",
        )
    if answer.values.num_rows > SHOWN_ROWS:
        st.caption(
            f"The table shows the first {SHOWN_ROWS:,} rows; the downloads hold all {answer.values.num_rows:,} "
            "that were returned."
        )


def shown(answer: Answer) -> tuple[pd.DataFrame, list[str]]:
    """Return the first rows as a frame, and which of its columns hold numbers; all others hold text."""
    first, texts = answer.values.slice(0, SHOWN_ROWS), answer.texts.slice(0, SHOWN_ROWS)
    numbers = {name: numbered for name in first.column_names if (numbered := _numbers(first[name])) is not None}
    columns = {
        name: pd.Series(numbers[name]) if name in numbers else pd.Series(texts[name].to_pylist(), dtype="str")
        for name in first.column_names
    }
    return pd.DataFrame(columns), list(numbers)


def _numbers(column: pa.ChunkedArray) -> pd.Series | None:
    """Return a column as numbers, None where it has none or a browser would not hold them exactly."""
    if pa.types.is_integer(column.type) and all(value is None or abs(value) <= _WHOLE for value in column.to_pylist()):
        return pd.Series(column.to_pylist(), dtype="Int64")
    if not (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return None
    values = column.to_pylist()
    if all(value is None or _is_plain(value) for value in values):
        return pd.Series([None if value is None else float(value) for value in values], dtype="Float64")
    return None


def _is_plain(value: float | Decimal) -> bool:
    if isinstance(value, Decimal):
        return Decimal(repr(float(value))) == value
    return isfinite(value) and not (value == 0 and copysign(1, value) < 0)


def _column(name: str, answer: Answer, *, is_number: bool) -> object:
    kind = answer.types[name]
    help_ = f"{name}: {kind if len(kind) < 80 else kind[:80] + ' …'}"
    links = [text for text in answer.texts[name].slice(0, SHOWN_ROWS).to_pylist() if text is not None]
    if links and all(text.startswith("https://") for text in links):
        return st.column_config.LinkColumn(name, help=help_)
    if is_number:
        return st.column_config.Column(name, help=help_, alignment="right")
    return st.column_config.TextColumn(name, help=help_)
