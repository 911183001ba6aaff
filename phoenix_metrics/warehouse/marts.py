"""Marts from staging: built by their models, whole or only for the days and commits that were touched."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from phoenix_metrics.warehouse import functions
from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.rules import NO_RULES, Rows, Rules
from phoenix_metrics.warehouse.staging import document
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction

PART_SIZE = 250_000  # attempts whose rows are made at once: bounds the memory of building a long history anew

_NARROWED_BY = {  # the first of these columns that a table has tells which of its rows are read
    "day": ("day", "run_id"),
    "run_id": ("run_id", "day"),
    "head_sha": ("run_id", "head_sha"),
    "workflow_id": ("workflow_id", "run_id"),
}
_UNTOLD_TYPES = (  # an empty file tells none
    ("seeds.application_rules", "rank", "bigint"),
    ("seeds.schedules", "late_minutes", "bigint"),
    ("seeds.schedule_starts", "expected_at", "timestamp"),
)


@dataclass(frozen=True)
class Built:
    """How many rows a mart has, and the condition for those of them that may have changed."""

    row_count: int
    changed: str


def build_mart(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    models: Mapping[str, Model] | None = None,
    *,
    part_size: int = PART_SIZE,
) -> Built:
    """Bring one mart up to date with the tables it reads.

    Only what touched runs have a part in is rebuilt; when the mart's text or a seed's rows, or those of anything
    upstream, have changed, all of it. Both give the same rows. A mart of days that have ended is rebuilt as a whole
    when another one has, and else for what runs of those days have a part in.
    """
    signature = _signature(connection, model, models or load_models(), {})
    touched = "meta.touched_runs"
    with transaction(connection):
        if model.is_of_closed_days:
            today = _today(connection)
            signature = f"{signature} {today}"
            touched = f"meta.touched_runs where day < {today}"
        changed = "true"
        if _is_current(connection, model, signature) and model.rebuilt_by:
            part = _of(touched)
            changed = part[model.rebuilt_by]
            connection.execute(f"delete from {model.table} where {changed}")
            _insert(connection, model, part)
        elif _is_current(connection, model, signature) and model.is_of_closed_days and not _any(connection, touched):
            changed = "false"
        else:
            _build_whole(connection, model, part_size)
        connection.execute("delete from meta.models where model = ?", [model.table])
        connection.execute("insert into meta.models values (?, ?)", [model.table, signature])
    return Built(scalar(connection, f"select count(*) from {model.table}"), changed)


def load_seeds(connection: duckdb.DuckDBPyConnection, rules: Rules = NO_RULES) -> None:
    """Load the facts of the world that `sql/seeds/` holds, and the rules that were set."""
    with transaction(connection):
        for table, path in seed_files().items():
            connection.execute(f"create or replace table {table} as from read_csv(?, header = true)", [str(path)])
        for table, column, kind in _UNTOLD_TYPES:
            connection.execute(f"alter table {table} alter {column} type {kind}")
        for name, rows in vars(rules).items():
            if name != "failure_rules":  # they come before those of the seed, and take no place
                _clear(connection, f"seeds.{name}", rows, by="alias" if name == "environment_aliases" else None)
            for row in rows:
                connection.execute(f"insert into seeds.{name} values ({', '.join('?' * len(row))})", list(row))


def _clear(connection: duckdb.DuckDBPyConnection, table: str, rows: Rows, by: str | None) -> None:
    """Make room for rows in a seed: for all of them, or where its first column, named `by`, is the same."""
    if rows and by is None:
        connection.execute(f"delete from {table}")
    for row in rows if by is not None else ():
        connection.execute(f"delete from {table} where {by} = ?", [row[0]])


def _signature(
    connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model], known: dict[str, str]
) -> str:
    """Return a text that changes when the model, or anything it is built from, does; `known` keeps tables' own."""
    parts = [model.fingerprint, functions.fingerprint(model)]
    for table in model.upstream:
        if table not in known:
            known[table] = table
            if table in models:
                known[table] = _signature(connection, models[table], models, known)
            elif table.startswith("seeds."):
                known[table] = _content(connection, table)
        parts.append(known[table])
    parts += [_content(connection, table) for table in model.anew_with]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _content(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return a text that changes when the rows of a small table do."""
    rows = sorted(map(repr, connection.execute(f"from {table}").fetchall()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _is_current(connection: duckdb.DuckDBPyConnection, model: Model, signature: str) -> bool:
    known = connection.execute("select signature from meta.models where model = ?", [model.table]).fetchone()
    return known == (signature,) and model.table in existing_tables(connection)


def _today(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the day of the newest pass, which has not ended, in SQL."""
    row = connection.execute("select cast(max(finished_at) as date) from staging.github_syncs").fetchone()
    return f"date '{row[0]}'" if row and row[0] else "null"


def _any(connection: duckdb.DuckDBPyConnection, rows: str) -> bool:
    return scalar(connection, f"select count(*) from {rows}") > 0


def _build_whole(connection: duckdb.DuckDBPyConnection, model: Model, part_size: int) -> None:
    """Build a mart anew: at once, or part after part where history is long."""
    parts = _parts(connection, model, part_size)
    if len(parts) > 1:
        connection.execute(f"create or replace table {model.table} as from ({model.query}) limit 0")
        for part in parts:
            _insert(connection, model, part)
    else:
        connection.execute(f"create or replace table {model.table} as {model.query}")
    document(connection, model)


def _parts(connection: duckdb.DuckDBPyConnection, model: Model, size: int) -> list[Mapping[str, str]]:
    """Return the conditions of parts that together are all rows of a mart; none if it cannot be divided."""
    if model.rebuilt_by in ("run_id", "day"):
        spans = (f"day between '{days[0]}' and '{days[-1]}'" for days in _divided(connection, "day", size))
        return [{**_of(f"staging.github_run_attempts where {span}"), "day": span} for span in spans]
    if model.rebuilt_by == "workflow_id":
        groups = _divided(connection, "workflow_id", size)
        return [{"workflow_id": f"workflow_id in ({', '.join(map(str, group))})"} for group in groups]
    return []


def _divided(connection: duckdb.DuckDBPyConnection, column: str, size: int) -> Iterator[list[Any]]:
    """Yield the values of a column of attempts in groups, in order, so that each stands for few enough of them."""
    query = (
        f"select {column}, count(*) from staging.github_run_attempts where {column} is not null group by all order by 1"
    )
    group: list[Any] = []
    attempts = 0
    for value, count in connection.execute(query).fetchall():
        if group and attempts + count > size:
            yield group
            group, attempts = [], 0
        group.append(value)
        attempts += count
    if group:
        yield group


def _of(runs: str) -> dict[str, str]:
    """Return the conditions for rows that some runs have a part in, by the column that tells it."""
    return {key: f"{key} in (select {key} from {runs})" for key in _NARROWED_BY}


def _insert(connection: duckdb.DuckDBPyConnection, model: Model, part: Mapping[str, str]) -> None:
    """Make the rows of a part of a mart, reading nothing else, save what is read whole."""
    rebuilt_by = model.rebuilt_by or ""
    connection.execute(
        "create or replace temp table part_runs as "
        f"select distinct run_id from staging.github_run_attempts where {part[rebuilt_by]}"
    )
    conditions = {**part, "run_id": "run_id in (select run_id from temp.main.part_runs)"}
    narrowed = {}
    for table in model.upstream:
        columns = _columns(connection, table)
        key = next((key for key in _NARROWED_BY[rebuilt_by] if key in columns), None)
        if key:
            view = f"part_{table.replace('.', '_')}"
            connection.execute(f"create or replace temp view {view} as from {table} where {conditions[key]}")
            narrowed[table] = f"temp.main.{view}"
    connection.execute(f"insert into {model.table} by name {model.reading(narrowed)}")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    schema, _, name = table.partition(".")
    rows = connection.execute(
        "select column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    return {row[0] for row in rows}
