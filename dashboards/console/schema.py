"""The browser of tables: what each holds and what each column means, as the SQL that makes them says it."""

from dataclasses import dataclass
from html import escape

import streamlit as st

from dashboards import data
from dashboards.filters import address
from phoenix_metrics import words


@dataclass(frozen=True)
class Column:
    """A column of a mart."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A mart with its columns."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


@st.fragment
def draw_schema() -> None:
    """Draw the tables that match what is searched for, with their columns."""
    known = tables()
    asked = st.text_input("Search tables and columns", key="find", placeholder="queue, cost, rollback …") or ""
    found = [table for table in known if matches(table, asked)]
    st.caption(
        f"{words.counted(len(known), 'table')} of the schema marts. Times are UTC. NULL means not known."
        if not asked.strip()
        else f"{len(found)} of {words.counted(len(known), 'table')} match."
    )
    with st.container(key="schema", height=560, border=False):
        st.html("\n".join(_table_html(table, asked) for table in found) or "<p>No table or column is called so.</p>")


def tables() -> list[Table]:
    """Return every mart in the order of names."""
    columns = data.ask("""
        select table_name, column_name, data_type, coalesce(comment, '') as meaning
        from duckdb_columns()
        where schema_name = 'marts'
        order by table_name, column_index
    """)
    return [
        Table(
            name,
            data.definition_of(name),
            tuple(Column(row.column_name, row.data_type, row.meaning) for row in rows.itertuples()),
        )
        for name, rows in columns.groupby("table_name", sort=True)
    ]


def matches(table: Table, asked: str) -> bool:
    """Whether a table, or one of its columns, has every word that is asked for."""
    return _has_all(f"{table.name} {table.meaning}", asked) or any(_is_found(column, asked) for column in table.columns)


def _is_found(column: Column, asked: str) -> bool:
    return bool(asked.strip()) and _has_all(f"{column.name} {column.kind} {column.meaning}", asked)


def _has_all(text: str, asked: str) -> bool:
    return all(word in text.lower() for word in asked.lower().split())


def _table_html(table: Table, asked: str) -> str:
    """Return a table as HTML that unfolds to its columns; those that are searched for stand first, and open."""
    hits = [column for column in table.columns if _is_found(column, asked)]
    first, _, rest = table.meaning.partition(". ")
    link = escape(address("sql", query=f"from marts.{table.name}\nlimit 100"))
    return (
        f"<details{' open' if hits else ''}><summary><code>{escape(table.name)}</code> "
        f"{escape(first.rstrip('.'))}.</summary>"
        f'<p>{escape(rest)} <a href="{link}" target="_self">Show its first rows</a></p><dl>'
        + "".join(_column_html(column, is_hit=True) for column in hits)
        + "".join(_column_html(column, is_hit=False) for column in table.columns if column not in hits)
        + "</dl></details>"
    )


def _column_html(column: Column, *, is_hit: bool) -> str:
    return (
        f"<dt{' class=found' if is_hit else ''}><code>{escape(column.name)}</code> "
        f"<span>{escape(_short(column.kind))}</span></dt><dd>{escape(column.meaning)}</dd>"
    )


def _short(kind: str) -> str:
    return kind if len(kind) <= 60 else f"{kind[:60]} …"
