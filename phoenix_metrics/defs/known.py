"""What is already stored of a repository: the questions of `sql/known/`, asked before a pass of ingestion."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from phoenix_metrics.sources.github.history import Known, KnownRun, reconciled_window, wanted_windows
from phoenix_metrics.sources.github.windows import Window
from phoenix_metrics.warehouse.models import SQL_ROOT
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing


def ask_known(home: Path, repository_id: int, since: datetime, now: datetime) -> Known:
    """Load what earlier runs left in landing and return what is stored of a repository."""
    with writing(home) as connection:
        load_landing(connection, home)
        key = {"repository_id": repository_id}
        state = _rows(connection, "repository", key)[0]
        known = Known(
            digests=frozenset(row["payload_digest"] for row in _rows(connection, "digests", key)),
            windows=tuple(Window(row["window_start"], row["window_end"]) for row in _rows(connection, "windows", key)),
            **state,
        )
        rerun = reconciled_window(known)
        windows = [*wanted_windows(known, since, now), *([rerun] if rerun else [])]
        ranges = {"starts": [_naive(w.start) for w in windows], "ends": [_naive(w.end) for w in windows]}
        runs = {row.pop("run_id"): KnownRun(**row) for row in _rows(connection, "runs", {**key, **ranges})}
    return Known(known.digests, known.windows, known.newest_at, known.reconciled_to, known.synced_at, runs)


def ask(home: Path, question: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Load what earlier runs left in landing and ask one question of `sql/known/`; times come back aware, UTC."""
    with writing(home) as connection:
        load_landing(connection, home)
        return _rows(connection, question, parameters)


def _rows(
    connection: duckdb.DuckDBPyConnection, question: str, parameters: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Ask one of the questions in `sql/known/`; times come back aware, UTC."""
    cursor = connection.execute((SQL_ROOT / "known" / f"{question}.sql").read_text(encoding="utf-8"), parameters)
    names = [column[0] for column in cursor.description or []]
    return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
