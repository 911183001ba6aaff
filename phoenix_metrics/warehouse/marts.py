"""Marts from staging: built by their models, whole or only for the days and commits that were touched."""

import hashlib
from collections.abc import Mapping

import duckdb

from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.rules import NO_RULES, Rows, Rules
from phoenix_metrics.warehouse.staging import document
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction

_TOUCHED_DAY = "day in (select day from meta.touched_days)"
_TOUCHED = {
    "day": _TOUCHED_DAY,
    "run_id": f"run_id in (select run_id from staging.github_run_attempts where {_TOUCHED_DAY})",
    "head_sha": f"head_sha in (select head_sha from staging.github_run_attempts where {_TOUCHED_DAY})",
}


def build_mart(connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model] | None = None) -> int:
    """Bring one mart up to date with the tables it reads and return its number of rows.

    Only the rows of touched days are rebuilt, or of the commits that have a run on one; when the mart's text, or that
    of anything upstream, has changed, all of it. Both give the same rows.
    """
    signature = _signature(model, models or load_models(), {})
    with transaction(connection):
        if not model.rebuilt_by or not _is_current(connection, model, signature):
            connection.execute(f"create or replace table {model.table} as {model.query}")
            document(connection, model)
        else:
            _rebuild_touched(connection, model)
        connection.execute("delete from meta.models where model = ?", [model.table])
        connection.execute("insert into meta.models values (?, ?)", [model.table, signature])
    return scalar(connection, f"select count(*) from {model.table}")


def rebuilt_rows(model: Model) -> str:
    """Return the condition for the rows of a mart that bringing it up to date may have changed."""
    if model.rebuilt_by is None:
        return "true"
    return _TOUCHED["head_sha" if model.rebuilt_by == "head_sha" else "day"]


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
    parts = [model.fingerprint]
    for table in model.upstream:
        if table in models and table not in known:
            known[table] = _signature(models[table], models, known)
        parts.append(known.get(table, table))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _is_current(connection: duckdb.DuckDBPyConnection, model: Model, signature: str) -> bool:
    known = connection.execute("select signature from meta.models where model = ?", [model.table]).fetchone()
    return known == (signature,) and model.table in existing_tables(connection)


def _rebuild_touched(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Replace the rows of touched days, or of commits with a run on one, reading nothing but those."""
    touched = _TOUCHED
    if model.rebuilt_by == "head_sha":
        runs = f"select run_id from staging.github_run_attempts where {_TOUCHED['head_sha']}"
        connection.execute(f"create or replace temp table touched_runs as {runs}")
        touched = {"run_id": "run_id in (select run_id from touched_runs)", "head_sha": _TOUCHED["head_sha"]}
    narrowed = {}
    for table in model.upstream:
        columns = _columns(connection, table)
        key = next((key for key in touched if key in columns), None)
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
