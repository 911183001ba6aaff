"""Marts from staging: built by their models, whole or only for the days that were touched."""

import hashlib
from collections.abc import Mapping

import duckdb

from phoenix_metrics.warehouse import functions
from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.rules import NO_RULES, Rows, Rules
from phoenix_metrics.warehouse.staging import document
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction


def build_mart(connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model] | None = None) -> int:
    """Bring one mart up to date with the tables it reads and return its number of rows.

    Only the rows of touched days are rebuilt; when the mart's text, or that of anything upstream, has changed, all of
    it. Both give the same rows. A mart of days that have ended is left as it is while none of them was touched.
    """
    signature = _signature(model, models or load_models(), {})
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


def load_seeds(connection: duckdb.DuckDBPyConnection, rules: Rules = NO_RULES) -> None:
    """Load the facts of the world that `sql/seeds/` holds, and the rules that were set."""
    with transaction(connection):
        for table, path in seed_files().items():
            connection.execute(f"create or replace table {table} as from read_csv(?, header = true)", [str(path)])
        connection.execute("alter table seeds.application_rules alter rank type bigint")  # an empty file tells no types
        for name, rows in vars(rules).items():
            _replace(connection, f"seeds.{name}", rows, by="alias" if name == "environment_aliases" else None)


def _replace(connection: duckdb.DuckDBPyConnection, table: str, rows: Rows, by: str | None) -> None:
    """Let rows take the place of a seed's: of all of them, or of those with the same first column, named `by`."""
    if rows and by is None:
        connection.execute(f"delete from {table}")
    for row in rows:
        if by is not None:
            connection.execute(f"delete from {table} where {by} = ?", [row[0]])
        connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", list(row))


def _signature(model: Model, models: Mapping[str, Model], known: dict[str, str]) -> str:
    """Return a text that changes when the model, or anything it is built from, does; `known` keeps tables' own."""
    if not known:
        known |= {table: hashlib.sha256(path.read_bytes()).hexdigest() for table, path in seed_files().items()}
    parts = [model.fingerprint, functions.fingerprint(model)]
    for table in model.upstream:
        if table in models and table not in known:
            known[table] = _signature(models[table], models, known)
        parts.append(known.get(table, table))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


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
    """Replace the rows of touched days, reading nothing but those days; or of the workflows that have runs on them."""
    day = "day in (select day from meta.touched_days)"
    touched = {
        key: f"{key} in (select {key} from staging.github_run_attempts where {day})"
        for key in ("run_id", "workflow_id")
    }
    touched["day"] = day
    keys = ["workflow_id"] if model.rebuilt_by == "workflow_id" else ["day", "run_id"]
    narrowed = {}
    for table in model.upstream:
        columns = _columns(connection, table)
        key = next((key for key in keys if key in columns), None)
        if key:
            narrowed[table] = f"temp.main.touched_{table.replace('.', '_')}"
            connection.execute(
                f"create or replace temp view {narrowed[table].rpartition('.')[2]} as from {table} where {touched[key]}"
            )
    connection.execute(f"delete from {model.table} where {touched[model.rebuilt_by or 'day']}")
    connection.execute(f"insert into {model.table} by name {model.reading(narrowed)}")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    schema, _, name = table.partition(".")
    rows = connection.execute(
        "select column_name from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    return {row[0] for row in rows}
