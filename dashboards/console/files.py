"""The answer as files: all rows that were returned, exactly."""

import io
from functools import partial

import pyarrow.csv
import pyarrow.parquet as pq
import streamlit as st

from phoenix_metrics.warehouse.sandbox import Answer


def draw_downloads(answer: Answer) -> None:
    """Draw the buttons that give the answer as CSV and as Parquet."""
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            partial(csv, answer),
            "answer.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
            help="All rows that were returned, each value in quotes; NULL is an empty field without.",
        )
        st.download_button(
            "Parquet",
            partial(parquet, answer),
            "answer.parquet",
            "application/vnd.apache.parquet",
            on_click="ignore",
            icon=":material/download:",
            help="All rows that were returned, with their types; INTERVAL and a few others are text.",
        )


def csv(answer: Answer) -> bytes:
    """Return the rows as CSV, each value as DuckDB writes it."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(answer.texts, file, pyarrow.csv.WriteOptions(quoting_style="all_valid"))
    return file.getvalue()


def parquet(answer: Answer) -> bytes:
    """Return the rows as Parquet, typed."""
    file = io.BytesIO()
    pq.write_table(answer.values, file, compression="zstd")
    return file.getvalue()
