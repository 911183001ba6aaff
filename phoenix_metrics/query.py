"""Ad-hoc questions to the snapshot, and all of it as files."""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from phoenix_metrics.errors import PhoenixError, SettingsError
from phoenix_metrics.warehouse.snapshot import SnapshotReader

SHOWN_ROWS = 200


def answer(home: Path, query: str) -> pa.Table:
    """Return the result of one query on the current snapshot.

    Raises NoSnapshotError before the first publication and PhoenixError when DuckDB refuses the query.
    """
    reader = SnapshotReader(home)
    try:
        return reader.query(query)
    except duckdb.Error as error:
        raise PhoenixError(f"the query was refused: {' '.join(str(error).splitlines()[:1])}") from None
    finally:
        reader.close()


def write_result(result: pa.Table, form: str, output: Path | None) -> None:
    """Write a result as table, csv, json or parquet to a file or to standard output.

    Raises SettingsError when Parquet would go to a terminal, PhoenixError when the file cannot be written.
    """
    if form == "parquet" and output is None:
        raise SettingsError("--format parquet: name a file with --output")
    try:
        if form == "parquet":
            pq.write_table(result, output)
        elif form == "csv":
            pyarrow.csv.write_csv(result, output or sys.stdout.buffer)
        else:
            _write_text(result, form, output)
    except OSError as error:
        raise PhoenixError(f"{output}: cannot be written: {error.strerror or error}") from None


def export_marts(home: Path, folder: Path) -> list[str]:
    """Write every mart to `<folder>/<mart>.parquet` and their documentation to `<folder>/README.md`."""
    reader = SnapshotReader(home)
    try:
        tables = reader.query(
            "select table_name, comment from duckdb_tables() where schema_name = 'marts' order by table_name"
        ).to_pylist()
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            pq.write_table(
                reader.query(f"from marts.{table['table_name']}"),
                folder / f"{table['table_name']}.parquet",
                compression="zstd",
            )
        columns = reader.query(
            "select table_name, column_name, data_type, comment from duckdb_columns() where schema_name = 'marts' "
            "order by table_name, column_index"
        ).to_pylist()
        (folder / "README.md").write_text(_documentation(tables, columns), encoding="utf-8")
    except OSError as error:
        raise PhoenixError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        reader.close()
    return [table["table_name"] for table in tables]


def _write_text(result: pa.Table, form: str, output: Path | None) -> None:
    if output is None:
        _print(result, form, Console(highlight=False))
        return
    with output.open("w", encoding="utf-8") as file:
        _print(result, form, Console(file=file, width=10_000, highlight=False))


def _print(result: pa.Table, form: str, console: Console) -> None:
    if form == "json":
        for row in result.to_pylist():
            console.out(json.dumps(row, default=str, ensure_ascii=False), highlight=False)
        return
    table = Table(show_edge=False, pad_edge=False)
    for field in result.schema:
        is_number = (
            pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        )
        table.add_column(field.name, justify="right" if is_number else "left", overflow="fold")
    for row in result.slice(0, SHOWN_ROWS).to_pylist():
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)
    more = f", {SHOWN_ROWS} shown; --format csv gives all" if result.num_rows > SHOWN_ROWS else ""
    console.print(f"{result.num_rows:,} rows{more}", style="dim")


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)  # noqa: PLR2004
    return text.replace("[", "\\[")


def _documentation(tables: list[dict[str, str]], columns: list[dict[str, str]]) -> str:
    lines = ["# Marts", "", "One Parquet file for each table. Times are UTC."]
    for table in tables:
        lines += [
            "",
            f"## {table['table_name']}",
            "",
            table["comment"] or "",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        lines += [
            f"| {column['column_name']} | {column['data_type']} | {column['comment'] or ''} |"
            for column in columns
            if column["table_name"] == table["table_name"]
        ]
    return "\n".join(lines) + "\n"
