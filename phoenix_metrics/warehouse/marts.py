"""Marts from staging: built by their models, as a whole or only where runs that changed have a part in them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from phoenix_metrics.warehouse import functions
from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.rules import NO_RULES, Rows, Rules
from phoenix_metrics.warehouse.staging import document
from phoenix_metrics.warehouse.store import scalar, transaction
from phoenix_metrics.warehouse.touched import (
    NARROWED_BY,
    TOUCHED,
    Part,
    TouchedParts,
    literal,
    runs_where,
    touched_part,
)

PART_SIZE = 100_000  # attempts whose rows are made at once: bounds the memory of building a long history anew

_UNTOLD_TYPES = (  # an empty file tells none
    ("seeds.application_rules", "rank", "bigint"),
    ("seeds.schedules", "late_minutes", "bigint"),
    ("seeds.objectives", "rank", "bigint"),
    ("seeds.objectives", "success_ratio", "double"),
    ("seeds.schedule_starts", "expected_at", "timestamp"),
    ("seeds.own_alert_rules", "threshold", "double"),
    ("seeds.own_alert_rules", "min_samples", "bigint"),
    ("seeds.own_alert_rules", "for_seconds", "bigint"),
    ("seeds.evaluation_clock", "evaluated_at", "timestamp"),
)


@dataclass(frozen=True)
class Built:
    """How many rows a mart has, and the condition for those of them that may have changed."""

    row_count: int
    changed: str


@dataclass
class Shared:
    """What marts that are brought up to date in one pass need to be told once: what tables hold, what was touched."""

    signatures: dict[str, str] = field(default_factory=dict)
    touched: TouchedParts = field(default_factory=TouchedParts)


def build_mart(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    models: Mapping[str, Model] | None = None,
    *,
    shared: Shared | None = None,
    part_size: int = PART_SIZE,
) -> Built:
    """Bring one mart up to date with the tables it reads.

    Only what touched runs have a part in is rebuilt, and nothing where no table that it comes from was touched; when
    the mart's text or a seed's rows, or those of anything upstream, have changed, all of it. All give the same rows. A
    mart of days that have ended is rebuilt as a whole when another one has, and else for what runs of those days have a
    part in. Marts that are built in one pass, each after those it reads, may share what is told once.
    """
    models, shared = models or load_models(), shared or Shared()
    signature = _signature(connection, model, models, shared.signatures)
    touched = TOUCHED
    if model.is_of_closed_days:
        today = _today(connection)
        signature = f"{signature} {today}"
        touched = f"{TOUCHED} where day < {today}"
    is_current = _is_current(connection, model, signature)
    if is_current and not _is_touched(connection, model, models, touched):
        return Built(scalar(connection, f"select count(*) from {model.table}"), "false")
    part = shared.touched.part(connection, model.rebuilt_by, touched) if is_current and model.rebuilt_by else None
    with transaction(connection):
        if part:
            _rebuild(connection, model, models, part)
        else:
            _build_whole(connection, model, models, part_size)
        if not is_current:
            connection.execute("delete from meta.models where model = ?", [model.table])
            connection.execute("insert into meta.models values (?, ?)", [model.table, signature])
    changed = part[str(model.rebuilt_by)] if part else "true"
    return Built(scalar(connection, f"select count(*) from {model.table}"), changed)


def unpublished_query(connection: duckdb.DuckDBPyConnection, rule: Model) -> str:
    """Return a rule's query, reading only what touched runs have a part in if the rule says that this is enough.

    It is not enough where a table that the rule reads was built as a whole since the last publication.
    """
    whole = "select count(*) from meta.touched_tables where starts_with(name, 'marts.') and list_contains(?, name)"
    if rule.rebuilt_by is None or scalar(connection, whole, [list(rule.upstream)]):
        return rule.query
    return _narrowed(connection, rule, load_models(), rule.rebuilt_by, touched_part(connection))


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


def set_evaluation_clock(connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
    """Let alerting rules be evaluated as of a moment: time goes on also where nothing new was fetched.

    Call it after loading and before building marts.
    """
    with transaction(connection):
        connection.execute("delete from seeds.evaluation_clock")
        connection.execute("insert into seeds.evaluation_clock values (?)", [at.astimezone(UTC).replace(tzinfo=None)])


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
            known[table] = _told(connection, table, models, known)
        parts.append(known[table])
    parts += [_content(connection, table) for table in model.anew_with]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _told(connection: duckdb.DuckDBPyConnection, table: str, models: Mapping[str, Model], known: dict[str, str]) -> str:
    """Return what a table that a model reads adds to its signature."""
    if table in models:
        return _signature(connection, models[table], models, known)
    return _content(connection, table) if table.startswith("seeds.") else table


def _content(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return a text that changes when the rows of a small table do."""
    rows = sorted(map(repr, connection.execute(f"from {table}").fetchall()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _is_current(connection: duckdb.DuckDBPyConnection, model: Model, signature: str) -> bool:
    known = connection.execute("select signature from meta.models where model = ?", [model.table]).fetchone()
    return known == (signature,)


def _is_touched(connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model], touched: str) -> bool:
    """Whether tables that a model comes from had news, and, where it is of days that have ended, runs of these."""
    tables = list(_sources(model, models))
    if not scalar(connection, "select count(*) from meta.touched_tables where list_contains(?, name)", [tables]):
        return False
    return touched == TOUCHED or scalar(connection, f"select count(*) from {touched}") > 0


def _sources(model: Model, models: Mapping[str, Model]) -> set[str]:
    """Return every table that a model comes from, near and far."""
    found = set(model.upstream)
    for table in model.upstream:
        if table in models:
            found |= _sources(models[table], models)
    return found


def _today(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the day of the newest pass, which has not ended, in SQL."""
    row = connection.execute("select cast(max(finished_at) as date) from staging.github_syncs").fetchone()
    return f"date '{row[0]}'" if row and row[0] else "null"


def _rebuild(connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model], part: Part) -> None:
    """Make the rows of a mart anew that touched runs have a part in."""
    key = str(model.rebuilt_by)
    connection.execute(f"delete from {model.table} where {part[key]}")
    _insert(connection, model, models, key, part)


def _build_whole(
    connection: duckdb.DuckDBPyConnection, model: Model, models: Mapping[str, Model], part_size: int
) -> None:
    """Build a mart anew: at once, or part after part where history is long."""
    parts = list(_parts(connection, model.rebuilt_by, part_size))
    if len(parts) > 1:
        connection.execute(f"create or replace table {model.table} as from ({model.query}) limit 0")
        for part in parts:
            if "run_id" not in part:
                part["run_id"] = runs_where(connection, part[str(model.rebuilt_by)])
            _insert(connection, model, models, str(model.rebuilt_by), part)
    else:
        connection.execute(f"create or replace table {model.table} as {model.query}")
    connection.execute("insert into meta.touched_tables values (?)", [model.table])
    document(connection, model)


def _parts(connection: duckdb.DuckDBPyConnection, key: str | None, size: int) -> Iterator[Part]:
    """Yield the conditions for parts of history, each of about so many attempts; none for what has no such parts.

    Runs go by ranges of their ids, which a scan finds without looking at the others, be they stored as they happened or
    repository after repository.
    """
    if key == "run_id":
        yield from _ranges_of_runs(connection, size)
    elif key in ("day", "workflow_id"):
        yield from ({key: condition} for condition in _groups(connection, key, size))


def _ranges_of_runs(connection: duckdb.DuckDBPyConnection, size: int) -> Iterator[Part]:
    query = (
        "select min(run_id), max(run_id), min(day), max(day) from (select run_id, day, "
        "(rank() over (order by run_id) - 1) // ? as part from staging.github_run_attempts) group by part order by 1"
    )
    for first, last, first_day, last_day in connection.execute(query, [size]).fetchall():
        yield {
            "run_id": f"run_id between {first} and {last}",
            "day": f"day between {literal(first_day)} and {literal(last_day)}",
        }


def _groups(connection: duckdb.DuckDBPyConnection, key: str, size: int) -> Iterator[str]:
    """Yield conditions that divide all attempts by a column of theirs, in groups of about one size."""
    query = f"select {key}, count(*) from staging.github_run_attempts where {key} is not null group by all order by 1"
    group: list[str] = []
    attempts = 0
    for value, count in [*connection.execute(query).fetchall(), (None, size)]:
        if group and attempts + count > size:
            yield f"{key} between {group[0]} and {group[-1]}"
            group, attempts = [], 0
        group.append(literal(value))
        attempts += count


def _insert(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    models: Mapping[str, Model],
    key: str,
    part: Part,
) -> None:
    """Make the rows of a part of a mart."""
    connection.execute(f"insert into {model.table} by name {_narrowed(connection, model, models, key, part)}")


def _narrowed(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    models: Mapping[str, Model],
    key: str,
    part: Part,
) -> str:
    """Return a model's query for a part of its rows, reading nothing else, save what is read whole."""
    narrowed = {}
    for table in model.upstream:
        columns = {column.name for column in models[table].columns} if table in models else set()
        column = next((name for name in NARROWED_BY[key] if name in columns), None)
        if column:
            view = f"part_{table.replace('.', '_')}"
            connection.execute(f"create or replace temp view {view} as from {table} where {part[column]}")
            narrowed[table] = f"temp.main.{view}"
    return model.reading(narrowed)
