"""What touched runs have a part in, as conditions on the tables that marts read."""

import threading
from datetime import date

import duckdb

TOUCHED = "meta.touched_runs"
NARROWED_BY = {  # the first of these columns that a table has tells which of its rows are read
    "day": ("day", "run_id"),
    "run_id": ("run_id", "day"),
    "head_sha": ("run_id", "head_sha"),
    "workflow_id": ("workflow_id", "run_id"),
}
_RISING = ("run_id", "day")

Part = dict[str, str]  # the condition by the column that tells it


class TouchedParts:
    """The parts of history that a pass touched: worked out once, for all marts that ask, from whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, Part] = {}

    def part(self, connection: duckdb.DuckDBPyConnection, key: str, touched: str = TOUCHED) -> Part:
        """Return the conditions for what touched runs have a part in, for marts that are rebuilt by one column.

        Those rebuilt by day, commit or workflow read all runs that share it with a touched one; these are kept aside
        where other cursors see them, so it must not be called within a transaction.
        """
        with self._lock:
            if touched not in self._parts:
                self._parts[touched] = touched_part(connection, touched)
            name = f"{key} {touched}"
            if name not in self._parts:
                part = dict(self._parts[touched])
                if key != "run_id":
                    part["run_id"] = runs_where(connection, part[key], f"scratch.runs_{len(self._parts)}")
                self._parts[name] = part
            return dict(self._parts[name])


def touched_part(connection: duckdb.DuckDBPyConnection, touched: str = TOUCHED) -> Part:
    """Return the conditions for the rows of touched runs, of their days, commits and workflows."""
    return {name: within(connection, name, touched) for name in NARROWED_BY}


def runs_where(connection: duckdb.DuckDBPyConnection, condition: str, table: str = "temp.main.part_runs") -> str:
    """Keep the runs for whose attempts a condition holds in a table; return the condition for what is theirs."""
    kind = "temp table" if table.startswith("temp.") else "table"
    connection.execute(
        f"create or replace {kind} {table} as select distinct run_id from staging.github_run_attempts where {condition}"
    )
    return within(connection, "run_id", table)


def within(connection: duckdb.DuckDBPyConnection, column: str, source: str) -> str:
    """Return the condition for a column to have a value that a table has.

    For what rises with time it names the bounds, too, by which a scan skips the history before.
    """
    condition = f"{column} in (select {column} from {source})"
    if column in _RISING:
        row = connection.execute(f"select min({column}), max({column}) from {source}").fetchone()
        if row and row[0] is not None:
            return f"{column} between {literal(row[0])} and {literal(row[1])} and {condition}"
    return condition


def literal(value: int | date) -> str:
    """Return a run, a workflow or a day in SQL."""
    return f"date '{value}'" if isinstance(value, date) else str(value)
