"""What is already stored: the questions of `sql/known/`, asked before a pass of ingestion."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from phoenix_metrics.sources.github.history import Wanted, reconciled_window, wanted_windows
from phoenix_metrics.sources.github.known import Known, KnownRun, Listing, RunState
from phoenix_metrics.sources.github.windows import Window
from phoenix_metrics.warehouse.models import SQL_ROOT
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing


@dataclass(frozen=True)
class Standing:
    """Where ingestion stands with a repository, by the name it is asked for."""

    asked: str
    repository_id: int | None
    full_name: str | None
    tried_at: datetime
    state: str
    synced_at: datetime | None
    described_at: datetime | None
    active_at: datetime | None


def ask_standings(home: Path) -> dict[str, Standing]:
    """Load what earlier runs left in landing and return where ingestion stands, by lower-case name."""
    return {row["asked"].lower(): Standing(**row) for row in ask(home, "repositories", {})}


def ask_known(home: Path, wanted: Mapping[int, Wanted]) -> dict[int, Known]:
    """Return what is stored of repositories, given what a pass over each is to do."""
    with writing(home) as connection:
        load_landing(connection, home)
        return {number: _known(connection, number, one) for number, one in wanted.items()}


def _known(connection: duckdb.DuckDBPyConnection, repository_id: int, wanted: Wanted) -> Known:
    key = {"repository_id": repository_id}
    state = rows_of(connection, "repository", key)[0]
    listings = json.loads(state.pop("listings") or "{}")
    known = Known(
        digests=frozenset(row["payload_digest"] for row in rows_of(connection, "digests", key)),
        windows=tuple(Window(row["window_start"], row["window_end"]) for row in rows_of(connection, "windows", key)),
        listings={name: Listing(one["etag"], tuple(one["run_ids"])) for name, one in listings.items()},
        **state,
    )
    again = reconciled_window(
        known, wanted, max(known.newest_at or wanted.now, wanted.now)
    )  # as far as it may be by then
    windows = [*wanted_windows(known, wanted.since, wanted.now), *([again] if again else [])]
    ranges = {"starts": [naive(w.start) for w in windows], "ends": [naive(w.end) for w in windows]}
    runs = (_known_run(row) for row in rows_of(connection, "runs", {**key, **ranges}))
    return replace(known, runs={run.state.run_id: run for run in runs})


def _known_run(row: dict[str, Any]) -> KnownRun:
    state = RunState(**{field.name: row.pop(field.name) for field in fields(RunState)})
    settled = frozenset(row.pop("settled_attempts") or ())
    return KnownRun(state, settled, **row)


def ask(home: Path, question: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Load what earlier runs left in landing and ask one question of `sql/known/`; times come back aware, UTC."""
    with writing(home) as connection:
        load_landing(connection, home)
        return rows_of(connection, question, parameters)


def ask_together(home: Path, questions: Mapping[str, Mapping[str, object]]) -> dict[str, list[dict[str, Any]]]:
    """Load what earlier runs left in landing and ask several questions, each with its parameters, of one state."""
    with writing(home) as connection:
        load_landing(connection, home)
        return {name: rows_of(connection, name, parameters) for name, parameters in questions.items()}


def rows_of(
    connection: duckdb.DuckDBPyConnection, question: str, parameters: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Ask one of the questions in `sql/known/`; times come back aware, UTC."""
    cursor = connection.execute((SQL_ROOT / "known" / f"{question}.sql").read_text(encoding="utf-8"), parameters)
    names = [column[0] for column in cursor.description or []]
    return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def naive(moment: datetime) -> datetime:
    """Return a moment as the store writes it: UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
