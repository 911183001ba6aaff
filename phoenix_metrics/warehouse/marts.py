"""Marts from staging: built by their models, whole or only for the days and commits that were touched."""

import hashlib
from collections.abc import Mapping

import duckdb

from phoenix_metrics.warehouse import functions
from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.rules import NO_RULES, Rows, Rules
from phoenix_metrics.warehouse.staging import document
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction

_TOUCHED_DAY = "day in (select day from meta.touched_days)"
_TOUCHED = {  # rows that runs of touched days have a part in, by the column that a mart is rebuilt by
    "day": _TOUCHED_DAY,
    **{
        key: f"{key} in (select {key} from staging.github_run_attempts where {_TOUCHED_DAY})"
        for key in ("run_id", "head_sha", "workflow_id")
    },
}
_NARROWED_BY = {  # the first of these columns that a table has tells which of its rows are read
    "day": ("day", "run_id"),
    "run_id": ("day", "run_id"),
    "head_sha": ("run_id", "head_sha"),
    "workflow_id": ("workflow_id", "run_id"),
}
_UNTOLD_TYPES = (  # an empty file tells none
    ("seeds.application_rules", "rank", "bigint"),
    ("seeds.schedules", "late_minutes", "bigint"),
    ("seeds.schedule_starts", "expected_at", "timestamp"),
)


def build_mart(connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model] | None = None) -> int:
    """Bring one mart up to date with the tables it reads and return its number of rows.

    Only what runs of touched days have a part in is rebuilt; when the mart's text or a seed's rows, or those of
    anything upstream, have changed, all of it. Both give the same rows. A mart of days that have ended is left as it is
    while none of them was touched.
    """
    signature = _signature(connection, model, models or load_models(), {})
    with transaction(connection):
        if model.rebuilt_by == "closed_days":
            signature = f"{signature} {_today(connection)}"
            if _is_current(connection, model, signature) and not _touches_closed_days(connection):
                return scalar(connection, f"select count(*) from {model.table}")
        if model.rebuilt_by in (None, "closed_days") or not _is_current(connection, model, signature):
            connection.execute(f"create or replace table {model.table} as {model.query}")
            document(connection, model)
        else:
            _rebuild_touched(connection, model)
        connection.execute("delete from meta.models where model = ?", [model.table])
        connection.execute("insert into meta.models values (?, ?)", [model.table, signature])
    return scalar(connection, f"select count(*) from {model.table}")


def rebuilt_rows(model: Model) -> str:
    """Return the condition for the rows of a mart that bringing it up to date may change."""
    return _TOUCHED.get(model.rebuilt_by or "", "true")


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
    """Return the day of the newest pass, which has not ended."""
    row = connection.execute("select cast(max(finished_at) as date) from staging.github_syncs").fetchone()
    return str(row[0] if row else None)


def _touches_closed_days(connection: duckdb.DuckDBPyConnection) -> bool:
    newest = "select cast(max(finished_at) as date) from staging.github_syncs"
    return scalar(connection, f"select count(*) from meta.touched_days where day < ({newest})") > 0


def _rebuild_touched(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Replace the rows that runs of touched days have a part in, reading nothing else, save what is read whole."""
    connection.execute(
        "create or replace temp table touched_runs as "
        f"select distinct run_id from staging.github_run_attempts where {rebuilt_rows(model)}"
    )
    conditions = {**_TOUCHED, "run_id": "run_id in (select run_id from temp.main.touched_runs)"}
    narrowed = {}
    for table in model.upstream:
        columns = _columns(connection, table)
        key = next((key for key in _NARROWED_BY[model.rebuilt_by or "day"] if key in columns), None)
        if key:
            view = f"touched_{table.replace('.', '_')}"
            connection.execute(f"create or replace temp view {view} as from {table} where {conditions[key]}")
            narrowed[table] = f"temp.main.{view}"
    connection.execute(f"delete from {model.table} where {rebuilt_rows(model)}")
    connection.execute(f"insert into {model.table} by name {model.reading(narrowed)}")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    schema, _, name = table.partition(".")
    rows = connection.execute(
        "select column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    return {row[0] for row in rows}
