"""Every table and every cross-table rule against its cases: `<schema>/<table>/<case>.yaml`.

A case says in `what` what it proves. `given` holds rows of the tables the model reads, by table; columns left out are
NULL and seeds are the real ones unless given. Rows of `landing` are records, their payload written as YAML; they are
loaded all at once, one by one and one by one backwards, which must come to the same. `expect` holds every row of the
result, each with the columns the case is about.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import Model, load_checks, load_models
from phoenix_metrics.warehouse.staging import load_landing
from tests.sql.conftest import OpenStore

ROOT = Path(__file__).parent
MODELS = load_models()
TESTED = {**MODELS, **{f"checks.{name}": check for name, check in load_checks().items()}}
Row = dict[str, Any]


class Loader(yaml.SafeLoader):
    """YAML whose times stay the text they are written as."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def cases(*schemas: str) -> list[Any]:
    """Return the case files of some schemas as test parameters."""
    return [
        pytest.param(path, id=path.relative_to(ROOT).with_suffix("").as_posix())
        for path in sorted(ROOT.glob("*/*/*.yaml"))
        if path.parts[-3] in schemas
    ]


def read_case(path: Path) -> tuple[Model, Mapping[str, Sequence[Row]], Sequence[Row]]:
    """Return the model a case is about, what it is given and what is expected of it."""
    case = yaml.load(path.read_text(encoding="utf-8"), Loader)  # a SafeLoader that knows less
    assert set(case) == {"what", "given", "expect"}, f"{path}: holds what, given and expect"
    model = TESTED[f"{path.parts[-3]}.{path.parts[-2]}"]
    assert set(case["given"]) <= set(model.upstream), f"{path}: gives rows of a table that {model.table} does not read"
    assert len({frozenset(row) for row in case["expect"]}) < 2, f"{path}: expected rows must have the same columns"
    return model, case["given"], case["expect"]


@pytest.mark.parametrize("path", cases("staging"))
@pytest.mark.parametrize("order", ["at_once", "one_by_one", "backwards"])
def test_staging(path: Path, order: str, open_store: OpenStore, tmp_path: Path) -> None:
    """Landing records become the rows of a staging table, in whatever order they arrive."""
    model, given, expected = read_case(path)
    records = [(table.removeprefix("landing."), record(row)) for table, rows in given.items() for row in rows]
    with open_store(tmp_path) as connection:
        for source_object, one in records[::-1] if order == "backwards" else records:
            write_batch(tmp_path, source_object, [one])
            if order != "at_once":
                load_landing(connection, tmp_path, MODELS)
        assert not load_landing(connection, tmp_path, MODELS).set_aside
        compare(connection, f"from {model.table}", expected)


@pytest.mark.parametrize("path", cases("marts"))
def test_marts(path: Path, open_store: OpenStore, tmp_path: Path) -> None:
    """Rows of the tables upstream become the rows of a mart."""
    model, given, expected = read_case(path)
    with open_store(tmp_path) as connection:
        fill(connection, given)
        build_mart(connection, model, MODELS)
        compare(connection, f"from {model.table}", expected)


@pytest.mark.parametrize("path", cases("checks"))
def test_checks(path: Path, open_store: OpenStore, tmp_path: Path) -> None:
    """A rule returns exactly the rows that break it."""
    rule, given, expected = read_case(path)
    with open_store(tmp_path) as connection:
        fill(connection, given)
        compare(connection, rule.query, expected)


@pytest.mark.parametrize("table", sorted(TESTED))
def test_every_table_has_a_case(table: str) -> None:
    """No table and no rule goes without a case."""
    assert list((ROOT / table.replace(".", "/")).glob("*.yaml")), f"add tests/sql/{table.replace('.', '/')}/<case>.yaml"


@pytest.mark.parametrize("path", cases("staging", "marts", "checks"))
def test_every_case_says_what_it_proves(path: Path) -> None:
    """A case has a sentence, and so has each of its rows, beside or above it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("what: ")
    silent = [
        number
        for number, line in enumerate(lines, 1)
        if line.strip().startswith("- ") and "# " not in line and not lines[number - 2].strip().startswith("#")
    ]
    assert not silent, f"{path}: say what the rows in lines {silent} are for"


def test_unknown_column_fails(open_store: OpenStore, tmp_path: Path) -> None:
    """A case cannot pass by naming a column that does not exist, nor by leaving rows out."""
    with open_store(tmp_path) as connection:
        fill(connection, {"staging.github_repositories": [{"repository_id": 1}, {"repository_id": 2}]})
        with pytest.raises(duckdb.BinderException, match="repository_idd"):
            compare(connection, "from staging.github_repositories", [{"repository_idd": 1}])
        with pytest.raises(AssertionError):
            compare(connection, "from staging.github_repositories", [{"repository_id": 1}])
        with pytest.raises(AssertionError):
            compare(connection, "from staging.github_repositories", [])


def record(row: Row) -> Record:
    """Return a landing record as a case writes it."""
    fetched_at = datetime.fromisoformat(row["fetched_at"]).replace(tzinfo=UTC)
    return Record(row["repository_id"], row["payload"].get("id"), fetched_at, as_text(row["payload"]))


def fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Row]]) -> None:
    """Let tables hold exactly the given rows."""
    for table, rows in tables.items():
        connection.execute(f"delete from {table}")
        insert(connection, table, rows)


def compare(connection: duckdb.DuckDBPyConnection, query: str, expected: Sequence[Row]) -> None:
    """Compare the columns that the expected rows have, over all rows, in any order."""
    connection.execute(f"create or replace temp table actual as {query}")
    columns = ", ".join(expected[0]) if expected else "*"
    connection.execute(f"create or replace temp table expected as select {columns} from actual limit 0")
    insert(connection, "expected", expected)
    assert list(rows_of(connection, f"select {columns} from actual")) == list(rows_of(connection, "from expected"))


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Insert rows by the names of their columns."""
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Row]:
    """Yield the rows of a query in an order of their own, numbers to a billionth."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    rows = [tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in cursor.fetchall()]
    yield from (dict(zip(names, row, strict=True)) for row in sorted(rows, key=repr))
