"""Landing files into staging tables: merged by key, in one transaction with the record of the files."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.models import Model, load_models
from phoenix_metrics.warehouse.store import existing_tables, scalar, transaction

FILES_AT_ONCE = 32  # bounds the memory of one transaction

log = logging.getLogger(__name__)


@dataclass
class Loaded:
    """What a load did: files taken in, files set aside with the reason, changed rows by table."""

    file_count: int = 0
    set_aside: dict[str, str] = field(default_factory=dict)
    changed_rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def load_landing(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    models: Mapping[str, Model] | None = None,
    *,
    objects: Collection[str] | None = None,
) -> Loaded:
    """Merge all landing files not loaded yet into the staging tables, or only those of some source objects.

    Loading a file twice, or files in another order, changes nothing. A file that cannot be read is set aside, recorded
    in `staging.landing_files` with the reason, and the rest goes on.
    """
    staging = [m for m in (models or load_models()).values() if m.schema == "staging"]
    _prepare(connection, staging)
    done = {
        row[0]
        for row in connection.execute(
            "select file from staging.landing_files where state in ('loaded', 'superseded')"
        ).fetchall()
    }
    loaded = Loaded()
    wanted = (file for file in landing.list_files(home) if objects is None or landing.object_of(file) in objects)
    pending = [file for file in wanted if file not in done]
    for start in range(0, len(pending), FILES_AT_ONCE):
        _load(connection, home, staging, pending[start : start + FILES_AT_ONCE], loaded)
    return loaded


def unpublished(model: Model) -> str:
    """Return the condition for the rows of a staging table that may have changed since the last publication.

    Rows of runs are found by the runs that were touched, so that looking at them does not take longer as history grows;
    of those whose run is not known yet, when it is.
    """
    return "run_id in (select run_id from meta.touched_runs)" if model.touches == "run_id" else "true"


def _prepare(connection: duckdb.DuckDBPyConnection, staging: Sequence[Model]) -> None:
    """Create the staging tables; when a model's text has changed, begin anew from the archive."""
    known = dict(connection.execute("select model, signature from meta.models where model like 'staging.%'").fetchall())
    existing = existing_tables(connection)
    if all(known.get(model.table) == model.fingerprint and model.table in existing for model in staging):
        return
    _name_landing(connection, staging, {})
    with transaction(connection):
        connection.execute("delete from staging.landing_files")
        connection.execute("delete from meta.models")
        for model in staging:
            connection.execute(f"create or replace table {model.table} as from ({model.query}) limit 0")
            connection.execute("insert into meta.models values (?, ?)", [model.table, model.fingerprint])
            document(connection, model)


def document(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Write a model's sentences into the database as comments."""
    text = f"{model.description} {model.notes}".strip()
    connection.execute(f"comment on table {model.table} is {_literal(text)}")
    for column in model.columns:
        connection.execute(f'comment on column {model.table}."{column.name}" is {_literal(column.comment)}')


def _load(
    connection: duckdb.DuckDBPyConnection, home: Path, staging: Sequence[Model], files: Sequence[str], loaded: Loaded
) -> None:
    try:
        changed = _merge_files(connection, home, staging, files)
    except duckdb.Error as error:
        if len(files) > 1:
            for file in files:
                _load(connection, home, staging, [file], loaded)
        elif _is_readable(home, files[0]) and not isinstance(error, duckdb.DataError | duckdb.ProgrammingError):
            raise
        else:
            _set_aside(connection, home, files[0], str(error).splitlines()[0], loaded)
        return
    loaded.file_count += len(files)
    for table, count in changed.items():
        loaded.changed_rows[table] += count


def _merge_files(
    connection: duckdb.DuckDBPyConnection, home: Path, staging: Sequence[Model], files: Sequence[str]
) -> dict[str, int]:
    by_object: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_object[landing.object_of(file)].append(str(home / "landing" / file))
    fed = [m for m in staging if any(table.removeprefix("landing.") in by_object for table in m.upstream)]
    _name_landing(connection, fed, by_object)
    with transaction(connection):
        connection.execute("create or replace temp table touched as from meta.touched_runs limit 0")
        changed = {model.table: _merge(connection, model) for model in fed}
        connection.execute("insert into meta.touched_runs select distinct * from touched")
        _note_tables(connection, ["staging.landing_files", *changed])
        book = {"files": list(files)}
        connection.execute("delete from staging.landing_files where list_contains($files, file)", book)
        connection.execute(
            "insert into staging.landing_files select unnest($files), 'loaded', null, now() at time zone 'UTC'", book
        )
    return changed


def _note_tables(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """Note that tables may hold something else than the marts know."""
    connection.execute("insert into meta.touched_tables select unnest($tables)", {"tables": list(tables)})


def _name_landing(
    connection: duckdb.DuckDBPyConnection, models: Iterable[Model], by_object: Mapping[str, Sequence[str]]
) -> None:
    """Let `landing.<object>` stand for the given files, or for none, wherever one of the models reads it."""
    tables = {table for model in models for table in model.upstream}
    for name in sorted(table.removeprefix("landing.") for table in tables if table.startswith("landing.")):
        files = by_object.get(name)
        source = f"read_parquet([{', '.join(_literal(file) for file in files)}])" if files else _NO_ROWS
        connection.execute(f"create or replace view landing.{name} as select {_LANDING_COLUMNS} from {source}")


_LANDING_COLUMNS = (
    "repository_id::bigint as repository_id, fetched_at::timestamp as fetched_at, payload::varchar as payload"
)
_NO_ROWS = "(select null as repository_id, null as fetched_at, null as payload where false)"


def _merge(connection: duckdb.DuckDBPyConnection, model: Model) -> int:
    """Merge what the model's query yields into its table; return how many rows are new or say something new."""
    versions = [column.name for column in model.columns if column.has("version")]
    earliest = [column.name for column in model.columns if column.has("earliest")]
    content = [column.name for column in model.columns if column.name not in versions and column.name not in earliest]
    connection.execute(f"create or replace temp table incoming as {_one_row_a_key(model, earliest)}")
    same_key = _all(f"new.{name} = old.{name}" for name in model.grain)
    is_newer = f"{_row('new', model.newest)} > {_row('old', model.newest)}"
    is_earlier = f"new.{earliest[0]} < coalesce(old.{earliest[0]}, 'infinity')" if earliest else "false"
    differs = f"{_row('new', content)} is distinct from {_row('old', content)}"
    connection.execute(
        "create or replace temp table changed as "
        f"select new.* from incoming as new left join {model.table} as old on {same_key} "
        f"where old.{model.grain[0]} is null or ({is_newer} and {differs}) or {is_earlier}"
    )
    _touch(connection, model)
    updates = [f"{name} = case when {is_newer} then new.{name} else old.{name} end" for name in [*content, *versions]]
    updates += [f"{name} = case when {is_earlier} then new.{name} else old.{name} end" for name in earliest]
    connection.execute(
        f"merge into {model.table} as old using incoming as new on {same_key} "
        f"when matched and ({is_newer} or {is_earlier}) then update set {', '.join(updates)} "
        "when not matched then insert by name"
    )
    _touch(connection, model)
    return scalar(connection, "select count(*) from changed")


def _touch(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Note the runs that changed rows reach, before a merge as they were, after it as they are."""
    if model.touches:
        _note(connection, f"{model.touches} in (select {model.touches} from changed)")
    if model.touched:
        _note(connection, f"run_id in ({model.touched})")


def _note(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    connection.execute(
        "insert into touched select distinct run_id, day, head_sha, workflow_id "
        f"from staging.github_run_attempts where {condition}"
    )


def _one_row_a_key(model: Model, earliest: Sequence[str]) -> str:
    """Return a query for the newest version of each key, and what is kept from the earliest."""
    key = ", ".join(model.grain)
    newest = ", ".join(f"{name} desc nulls last" for name in model.newest)
    first = ", ".join(
        f"first_value({name}) over (partition by {key} order by {earliest[0]} nulls last) as {name}"
        for name in earliest
    )
    columns = f"* replace ({first})" if earliest else "*"
    return f"select {columns} from ({model.query}) qualify row_number() over (partition by {key} order by {newest}) = 1"


def _set_aside(connection: duckdb.DuckDBPyConnection, home: Path, file: str, reason: str, loaded: Loaded) -> None:
    with transaction(connection):
        _note_tables(connection, ["staging.landing_files"])
        connection.execute("delete from staging.landing_files where file = ?", [file])
        connection.execute(
            "insert into staging.landing_files values (?, 'set_aside', ?, now() at time zone 'UTC')", [file, reason]
        )
    landing.set_aside(home, file)
    log.warning("landing file %s cannot be read and was set aside: %s", file, reason)
    loaded.set_aside[file] = reason


def _is_readable(home: Path, file: str) -> bool:
    try:
        duckdb.execute("select max(payload) from read_parquet(?)", [str(home / "landing" / file)]).fetchall()
    except duckdb.Error:
        return False
    return True


def _row(alias: str, names: Iterable[str]) -> str:
    return "row(" + ", ".join(f"{alias}.{name}" for name in names) + ")"


def _all(conditions: Iterable[str]) -> str:
    return " and ".join(conditions)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
