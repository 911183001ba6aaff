"""SQL: any question to the snapshot, asked in a sandbox, so that a link that carries one can do no harm."""

import streamlit as st

from dashboards.console import answers, chart, editor, files, rows, schema
from dashboards.panel import panel
from phoenix_metrics.errors import QueryError

left, right = st.columns([7, 4], gap="medium")
with left:
    query, is_run = editor.draw_editor()
    outcome = answers.ask(query, again=is_run)
    if isinstance(outcome, QueryError):
        answers.draw_error(outcome)
    else:
        with panel("Answer", "The rows as DuckDB returns them, every value as it writes it."):
            answers.draw_facts(outcome)
            rows.draw_rows(outcome)
            files.draw_downloads(outcome)
        chart.draw_chart(outcome, query)
with right:
    questions, tables = st.tabs(["Questions", "Tables"])
    with questions:
        editor.draw_examples()
    with tables:
        schema.draw_schema()
