"""Counters: totals that never fall once they were published.

A mart counts what the store holds, and can come out lower than before: an attempt turns out to be a late one, a
workflow is renamed, a repository is left out. Prometheus takes a counter that falls from 5000 to 4999 for one that
began anew, and adds 4999 to its increase. So each mart with columns tagged `#counter` has a table of its name in the
schema `counters`: at each publication those columns are raised to what the mart says if that is more, rows that the
mart does not have any more stay, and readers that need a base that holds read there. `counted_since` is the publication
(UTC) with which a row came, NULL for those of the first one, whose beginning nobody knows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from phoenix_metrics.warehouse.models import Model, load_models
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction


def raise_counters(connection: duckdb.DuckDBPyConnection, published: Path | None, now: datetime) -> None:
    """Raise every counter to what its mart says now; a store that was made anew goes on from the published snapshot."""
    tables = existing_tables(connection)
    models = [model for model in load_models().values() if model.counters and model.table in tables]
    missing = [model for model in models if _table(model) not in tables]
    if missing and published is not None:
        with _attached(connection, published):
            missing = [model for model in missing if not _inherit(connection, model)]
    with transaction(connection):
        for model in models:
            _shape(connection, model)
            _raise(connection, model, None if model in missing else now.replace(tzinfo=None))


def _raise(connection: duckdb.DuckDBPyConnection, model: Model, since: datetime | None) -> None:
    others = [
        column.name for column in model.columns if column.name not in model.grain and column.name not in model.counters
    ]
    same = " and ".join(f"kept.{name} = built.{name}" for name in model.grain)
    is_more = [f"built.{name} > kept.{name}" for name in model.counters]
    is_other = [f"built.{name} is distinct from kept.{name}" for name in others]
    raised = [f"{name} = greatest(kept.{name}, built.{name})" for name in model.counters]
    told = [f"{name} = built.{name}" for name in others]
    connection.execute(
        f"merge into {_table(model)} as kept "
        f"using (select *, ?::timestamp as counted_since from {model.table}) as built on {same} "
        f"when matched and ({' or '.join(is_more + is_other)}) then update set {', '.join(raised + told)} "
        "when not matched then insert by name",
        [since],
    )


def _shape(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Give the table the mart's columns, keeping the rows it has."""
    table = _table(model)
    empty = f"select *, null::timestamp as counted_since from {model.table} limit 0"
    connection.execute(f"create table if not exists {table} as {empty}")
    kept, wanted = _columns(connection, table), _columns(connection, f"({empty})")
    if kept != wanted:
        shared = ", ".join(name for name in wanted if name in kept)
        connection.execute(f"create or replace temp table kept_counters as select {shared} from {table}")
        connection.execute(f"create or replace table {table} as {empty}")
        connection.execute(f"insert into {table} by name from temp.main.kept_counters")


def _inherit(connection: duckdb.DuckDBPyConnection, model: Model) -> bool:
    """Take over what was published last, if it had these counters; return whether it had."""
    query = (
        "select count(*) from duckdb_tables() where database_name = 'published' and schema_name = ? and table_name = ?"
    )
    if scalar(connection, query, ["counters", model.name]) == 0:
        return False
    connection.execute(f"create table {_table(model)} as from published.{_table(model)}")
    return True


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, published: Path) -> Iterator[None]:
    path = str(published).replace("'", "''")
    connection.execute(f"attach '{path}' as published (read_only)")
    try:
        yield
    finally:
        connection.execute("detach published")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe from {table}").fetchall()}


def _table(model: Model) -> str:
    return f"counters.{model.name}"
