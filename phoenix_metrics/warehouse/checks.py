"""What the models promise, put to the question: the tags of their columns, their grain, and the cross-table rules."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from phoenix_metrics.warehouse.models import Model


@dataclass(frozen=True)
class Check:
    """A rule over one table; `query` returns one row: how many rows break each of its parts."""

    name: str
    table: str
    description: str
    parts: tuple[str, ...]
    query: str
    is_blocking: bool = True


@dataclass(frozen=True)
class Finding:
    """How a check went: rows that break it, by column or key; none if it holds."""

    check: Check
    broken: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether no row breaks the rule."""
        return not self.broken


def checks_of(model: Model) -> list[Check]:
    """Return the checks that a model's grain and tags stand for; those on columns tagged `#warn` do not block."""
    key = ", ".join(model.grain)
    grain = f"select count(*) from (select 1 from {model.table} where {{scope}} group by {key} having count(*) > 1)"
    checks = [Check("grain_is_unique", model.table, f"One row for each {key}.", (key,), grain)]
    for (kind, is_warning), conditions in _tagged(model).items():
        name = f"{kind}_warning" if is_warning else kind
        sentence = f"{_SENTENCES[kind]} {', '.join(conditions)}."
        counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions.values())
        query = f"select {counts} from {model.table} where {{scope}}"
        checks.append(Check(name, model.table, sentence, tuple(conditions), query, not is_warning))
    return checks


def check_rule(rule: Model, query: str | None = None) -> Check:
    """Return the check that a cross-table rule of `sql/checks/` stands for, with another query if one is given.

    It guards the snapshot.
    """
    counted = f"select count(*) from ({query or rule.query})"
    return Check(rule.name, "snapshot", rule.description, (rule.name,), counted)


def run_check(connection: duckdb.DuckDBPyConnection, check: Check, *, scope: str = "true") -> Finding:
    """Count the rows that break a check, over the whole table or over the rows for which a condition holds."""
    counts = connection.execute(check.query.format(scope=scope)).fetchone() or ()
    return Finding(check, {part: count for part, count in zip(check.parts, counts, strict=True) if count})


_SENTENCES = {"not_null": "Never NULL:", "accepted_values": "Only known values:"}


def _tagged(model: Model) -> dict[tuple[str, bool], dict[str, str]]:
    """Return for each kind of promise, and whether breaking it only warns, the condition for broken rows by column."""
    found: dict[tuple[str, bool], dict[str, str]] = defaultdict(dict)
    for column in model.columns:
        for kind, condition in _conditions(model, column.name):
            found[kind, column.has("warn")][column.name] = condition
    return found


def _conditions(model: Model, name: str) -> Iterator[tuple[str, str]]:
    column = next(column for column in model.columns if column.name == name)
    for tag in column.tags:
        if tag.name == "not_null":
            yield "not_null", f"{name} is null"
        elif tag.name == "in":
            values = ", ".join(f"'{value}'" for value in tag.values)
            yield "accepted_values", f"{name} not in ({values})"
