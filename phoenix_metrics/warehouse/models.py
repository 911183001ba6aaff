"""A file in sql/ as an object: its query, its documentation and what it is built from."""

import graphlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from phoenix_metrics.errors import ModelError

SQL_ROOT = Path(__file__).resolve().parents[2] / "sql"
LAYERS = ("landing", "seeds", "staging", "marts")

_HEADER = re.compile(r"\s*/\*(?P<text>.*?)\*/", re.DOTALL)
_FIELD = re.compile(r"^(Grain|Newest|Touches|Rebuilt by|Reads whole|Anew with): (.+)$", re.MULTILINE)
_CLOSED = "closed_days"
_READ = re.compile(r"\b(?P<table>(?:staging|marts)\.(?P<name>\w+))(?:\s+as\s+(?P<alias>\w+))?")
_TAG = re.compile(r"#(\w+)(?:\(([^)]*)\))?")


@dataclass(frozen=True)
class Tag:
    """What a column promises or how it is merged.

    `#not_null`, `#in(a, b)` and `#warn` become checks. `#version` marks a column whose change alone is no
    news; `#earliest` columns keep the values of the first time. `#counter` columns never fall once they were published.
    """

    name: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of a model, its meaning in a sentence and its tags."""

    name: str
    comment: str
    tags: tuple[Tag, ...] = ()

    def has(self, tag: str) -> bool:
        """Whether the column carries a tag."""
        return any(t.name == tag for t in self.tags)


@dataclass(frozen=True)
class Model:
    """A table defined by one SELECT in `sql/<schema>/<name>.sql`.

    `grain` names the key. A staging model merges by it: of two versions of a row the one whose `newest` columns are
    greater wins, and a change touches the runs that share its `touches` column, and those that the query
    in `sql/touched/<name>.sql` names. A mart with `rebuilt_by` is rebuilt only where runs were touched, any other mart
    as a whole: by "run_id" for the touched runs, by "day", "head_sha" or "workflow_id" for all runs of their days,
    commits or workflows, however far apart. It reads nothing else then, save in the places that go by an alias in
    `reads_whole`; and it is rebuilt as a whole when a table in `anew_with`, or a seed, holds other rows. A mart
    `is_of_closed_days` that holds nothing of the day of the newest pass: runs of that day touch nothing of it, and when
    the day ends it is rebuilt as a whole.
    """

    schema: str
    name: str
    path: Path
    query: str
    tree: exp.Query = field(repr=False, compare=False)
    description: str
    notes: str
    grain: tuple[str, ...]
    newest: tuple[str, ...]
    touches: str | None
    rebuilt_by: str | None
    is_of_closed_days: bool
    reads_whole: tuple[str, ...]
    anew_with: tuple[str, ...]
    touched: str | None
    columns: tuple[Column, ...]

    @property
    def table(self) -> str:
        """The table's name with its schema, such as `marts.jobs`."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def counters(self) -> tuple[str, ...]:
        """Columns that must never fall once they were published."""
        return tuple(column.name for column in self.columns if column.has("counter"))

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """Tables the query reads, with their schemas, sorted."""
        return tuple(sorted({f"{table.db}.{table.name}" for table in self.tree.find_all(exp.Table) if table.db}))

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever the file does."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def reading(self, tables: Mapping[str, str]) -> str:
        """Return the query with some of the tables it reads replaced by others, save where it reads them whole."""

        def replaced(read: re.Match[str]) -> str:
            table, alias = read["table"], read["alias"] or read["name"]
            return read[0] if table not in tables or alias in self.reads_whole else f"{tables[table]} as {alias}"

        return _READ.sub(replaced, self.query)


@cache
def load_models(root: Path = SQL_ROOT) -> dict[str, Model]:
    """Read every model of the staging and marts layers, upstream first, keyed by table name; once a process.

    Raises ModelError naming the file when one lacks a description, a grain or a column comment, reads a table that does
    not exist or a layer to its right, or when models depend on each other in a circle.
    """
    models = {
        model.table: model
        for model in (_read(path) for path in sorted(root.glob("*/*.sql")) if path.parent.name in LAYERS)
    }
    for model in models.values():
        _check_upstream(model, models, root)
    sorter = graphlib.TopologicalSorter({table: [t for t in m.upstream if t in models] for table, m in models.items()})
    try:
        return {table: models[table] for table in sorter.static_order()}
    except graphlib.CycleError as error:
        raise ModelError(
            f"{root}: these models depend on each other in a circle: {' -> '.join(error.args[1])}"
        ) from error


def load_checks(root: Path = SQL_ROOT) -> dict[str, Model]:
    """Read the cross-table rules of `sql/checks/`, keyed by name; each returns the rows that break it."""
    return {path.stem: _read(path, documented=False) for path in sorted(root.glob("checks/*.sql"))}


def seed_files(root: Path = SQL_ROOT) -> dict[str, Path]:
    """Return the files of `sql/seeds/`, keyed by the table each becomes."""
    return {f"seeds.{path.stem}": path for path in sorted(root.glob("seeds/*.csv"))}


def _read(path: Path, *, documented: bool = True) -> Model:
    text = path.read_text(encoding="utf-8")
    header = _HEADER.match(text)
    if header is None:
        raise ModelError(f"{path}: begin the file with a /* comment */ that says what it holds")
    fields = dict(_FIELD.findall(header["text"]))
    description, _, rest = _FIELD.sub("", header["text"]).strip().partition("\n")
    query = text[header.end() :].strip()
    tree = _parse(path, query)
    rebuilt_by = _names(fields.get("Rebuilt by", ""))
    model = Model(
        schema=path.parent.name,
        name=path.stem,
        path=path,
        query=query,
        tree=tree,
        description=description.strip(),
        notes=" ".join(rest.split()),
        grain=_names(fields.get("Grain", "")),
        newest=_names(fields.get("Newest", "")),
        touches=fields.get("Touches"),
        rebuilt_by=next((name for name in rebuilt_by if name != _CLOSED), None),
        is_of_closed_days=_CLOSED in rebuilt_by,
        reads_whole=_names(fields.get("Reads whole", "")),
        anew_with=_names(fields.get("Anew with", "")),
        touched=_touched(path),
        columns=tuple(_columns(tree)),
    )
    if documented:
        _check_documentation(model)
    return model


def _touched(path: Path) -> str | None:
    """Return the query for runs that changes of a staging table touch besides, if there is one."""
    file = path.parents[1] / "touched" / path.name
    return file.read_text(encoding="utf-8") if path.parent.name == "staging" and file.is_file() else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parse(path: Path, query: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(query, dialect="duckdb")
    except SqlglotError as error:
        raise ModelError(f"{path}: not a SELECT that can be parsed: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, exp.Query):
        raise ModelError(f"{path}: holds a {tree.key.upper()}; a model is one SELECT")
    return tree


def _columns(tree: exp.Query) -> Iterator[Column]:
    for projection in tree.selects:
        comment = " ".join(" ".join(projection.comments or []).split())
        tags = tuple(Tag(name, _names(values)) for name, values in _TAG.findall(comment))
        yield Column(projection.alias_or_name, _TAG.sub("", comment).strip(), tags)


def _check_documentation(model: Model) -> None:
    names = [column.name for column in model.columns]
    missing = [column.name for column in model.columns if not column.comment]
    unknown = [name for name in (*model.grain, *model.newest) if name not in names]
    unknown += set(model.anew_with) - set(model.upstream)
    unknown += set(model.reads_whole) - {table.alias for table in model.tree.find_all(exp.Table)}
    if not model.description or not model.grain:
        raise ModelError(f"{model.path}: the header needs a first sentence and a line `Grain: column, …`")
    if missing:
        raise ModelError(f"{model.path}: say in a comment what {', '.join(missing)} means")
    if unknown:
        raise ModelError(f"{model.path}: the header names {', '.join(unknown)}, which the query does not have")


def _check_upstream(model: Model, models: Mapping[str, Model], root: Path) -> None:
    known = {*models, *seed_files(root), "staging.landing_files"}
    for table in model.upstream:
        layer = table.partition(".")[0]
        allowed = {"staging": ("landing",), "marts": ("seeds", "staging", "marts")}[model.schema]
        if layer not in allowed:
            raise ModelError(
                f"{model.path}: reads {table}; a model in {model.schema} reads {' and '.join(allowed)} only"
            )
        if layer != "landing" and table not in known:
            raise ModelError(f"{model.path}: reads {table}, which no file in {root} defines")
