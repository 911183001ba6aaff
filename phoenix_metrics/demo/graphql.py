"""As much of GraphQL as the demo organisation's callers speak: queries with variables, aliases and inline fragments."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'#[^\n]*|\.\.\.|"(?:[^"\\]|\\.)*"|-?\d+|[_A-Za-z]\w*|[^\s,]')
_NAME = re.compile(r"[_A-Za-z]\w*")
_CONSTANTS = {"true": True, "false": False, "null": None}


class QueryError(Exception):
    """A query that is not executed at all; it says why."""


class FieldError(Exception):
    """A field that has no value, while others may: GitHub's type of the error, and its words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Node:
    """An object: its type and its fields, each a value or a function of the field's arguments that gives it.

    A value is a scalar, a node, a list of these or None; a function may raise FieldError, or return one in a list.
    """

    type: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class _Selected:
    """A field that is asked for, or an inline fragment: then `on` names the type it applies to."""

    name: str = ""
    key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    selections: "tuple[_Selected, ...]" = ()
    on: str | None = None


@dataclass(frozen=True)
class _Variable:
    name: str


def execute(query: str, variables: Mapping[str, Any], root: Node) -> dict[str, Any]:
    """Return the answer to a query: data, and beside it the errors of single fields. Raises QueryError."""
    selections = _Reader(query).read(variables)
    execution = _Execution(variables)
    data = execution.selected(root, selections, ())
    return {"data": data, **({"errors": execution.errors} if execution.errors else {})}


class _Execution:
    """Takes from nodes what is selected, and collects errors on the way."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self.errors: list[dict[str, Any]] = []

    def selected(self, node: Node, selections: tuple[_Selected, ...], path: tuple[str | int, ...]) -> dict[str, Any]:
        """Return what is selected of a node."""
        return {
            asked.key: self._value(self._looked_up(node, asked), asked, (*path, asked.key))
            for asked in _applying(node, selections)
        }

    def _looked_up(self, node: Node, asked: _Selected) -> Any:
        if asked.name == "__typename":
            return node.type
        if asked.name not in node.fields:
            raise QueryError(f"Field '{asked.name}' doesn't exist on type '{node.type}'")
        found = node.fields[asked.name]
        try:
            return found(self._filled(asked.arguments)) if callable(found) else found
        except FieldError as error:
            return error

    def _value(self, found: Any, asked: _Selected, path: tuple[str | int, ...]) -> Any:
        if isinstance(found, FieldError):
            self.errors.append({"type": found.kind, "path": list(path), "message": str(found)})
            return None
        if isinstance(found, list):
            return [self._value(item, asked, (*path, index)) for index, item in enumerate(found)]
        if isinstance(found, Node):
            if not asked.selections:
                raise QueryError(f"Field must have selections (field '{asked.name}' returns {found.type})")
            return self.selected(found, asked.selections, path)
        return found

    def _filled(self, value: Any) -> Any:
        if isinstance(value, _Variable):
            return self._variables.get(value.name)
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        return [self._filled(inner) for inner in value] if isinstance(value, list) else value


def _applying(node: Node, selections: tuple[_Selected, ...]) -> Iterator[_Selected]:
    for asked in selections:
        if not asked.name:
            yield from _applying(node, asked.selections) if asked.on in (None, node.type) else ()
        else:
            yield asked


class _Reader:
    """Reads a query token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = [token for token in _TOKEN.findall(text) if not token.startswith("#")]
        self._place = 0

    def read(self, variables: Mapping[str, Any]) -> tuple[_Selected, ...]:
        """Return what the query selects, if it has the variables it declares."""
        if self._took("query"):
            if _NAME.fullmatch(self._next):
                self._take()
            self._check_variables(variables)
        selections = self._selections()
        if self._next:
            raise self._unexpected()
        return selections

    def _check_variables(self, variables: Mapping[str, Any]) -> None:
        if not self._took("("):
            return
        while not self._took(")"):
            self._expect("$")
            name = self._named()
            self._expect(":")
            kind = ""
            while self._next in ("[", "]", "!") or (_NAME.fullmatch(self._next) and not kind.endswith(("]", "!"))):
                kind += self._take()
            if kind.endswith("!") and variables.get(name) is None:
                raise QueryError(f"Variable ${name} of type {kind} was provided invalid value")

    def _selections(self) -> tuple[_Selected, ...]:
        self._expect("{")
        found = []
        while not self._took("}"):
            found.append(self._fragment() if self._took("...") else self._field())
        return tuple(found)

    def _fragment(self) -> _Selected:
        on = self._named() if self._took("on") else None
        return _Selected(on=on, selections=self._selections())

    def _field(self) -> _Selected:
        key = name = self._named()
        if self._took(":"):
            name = self._named()
        arguments = self._pairs(")") if self._took("(") else {}
        return _Selected(name, key, arguments, self._selections() if self._next == "{" else ())

    def _pairs(self, end: str) -> dict[str, Any]:
        found = {}
        while not self._took(end):
            name = self._named()
            self._expect(":")
            found[name] = self._argument()
        return found

    def _argument(self) -> Any:
        token = self._take()
        if token == "$":  # noqa: S105  # no password
            return _Variable(self._named())
        if token == "{":  # noqa: S105
            return self._pairs("}")
        if token == "[":  # noqa: S105
            found = []
            while not self._took("]"):
                found.append(self._argument())
            return found
        if token.startswith('"'):
            return token[1:-1]
        return int(token) if re.fullmatch(r"-?\d+", token) else _CONSTANTS.get(token, token)

    @property
    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next
        if not token:
            raise self._unexpected()
        self._place += 1
        return token

    def _took(self, token: str) -> bool:
        is_there = self._next == token
        self._place += is_there
        return is_there

    def _named(self) -> str:
        if not _NAME.fullmatch(self._next):
            raise self._unexpected()
        return self._take()

    def _expect(self, token: str) -> None:
        if not self._took(token):
            raise self._unexpected()

    def _unexpected(self) -> QueryError:
        return QueryError(f"Parse error on {self._next!r}" if self._next else "Unexpected end of document")
