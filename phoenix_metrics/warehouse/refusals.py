"""What a person is told whose query is not answered: what is wrong, where, and what to do instead."""

import re

from phoenix_metrics.errors import QueryError

_KINDS = "SELECT, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN"
_MARK = re.compile(r"\n+LINE (\d+): (?P<line>.*)\n(?P<caret>.*)", re.DOTALL)
_READ_ONLY = "The snapshot is only read here; nothing in it can be changed."
_TABLES_ONLY = "Queries here read the snapshot's tables and nothing else: no files, network, settings or extensions."
_ASK_LESS = "Ask for fewer days or columns, use a daily table such as marts.workflow_daily, or add a limit."


def refusal(kind: str, text: str, query: str, *, seconds: float) -> QueryError:
    """Return the error for a query that was refused; `text` is what DuckDB says of it, if it says anything."""
    if kind == "query":
        return _in_words(text, query)
    return QueryError(
        {
            "busy": "Other readers' queries are still running. Try again in a moment.",
            "statements": "Nothing to run: the query is empty."
            if text == "0"
            else f"One query at a time: these are {text}, separated by semicolons.",
            "kind": f"Only a query that reads can run here ({_KINDS}), and this is {text}. {_READ_ONLY}",
            "time": f"Stopped after {seconds:g} seconds, the most that a query here may take. {_ASK_LESS}",
            "memory": f"Stopped, because it needs more memory than a query here may use. {_ASK_LESS}",
            "ended": f"Stopped, because it took more time or memory than a query here may use. {_ASK_LESS}",
        }[kind]
    )


def _in_words(text: str, query: str) -> QueryError:
    """Return DuckDB's error without its class name, with its hint in the sentence and the marked line apart."""
    text = text.partition("\n\nStack Trace:")[0]
    marked = _MARK.search(text)
    said = " ".join(text[: marked.start() if marked else None].split())
    name, _, message = said.partition(" Error: ")
    message = message or said
    if name == "Permission" or "disabled by configuration" in message or "has been locked" in message:
        message = f"{_TABLES_ONLY} DuckDB says: {message}"
    elif "read-only mode" in message:
        message = _READ_ONLY
    if not message.endswith((".", "!", "?")):
        message += "."
    if marked is None:
        return QueryError(message)
    line = _line_of(marked["line"], int(marked[1]), query)
    return QueryError(f"Line {line}: {message}" if line else message, f"{marked['line']}\n{_under(marked)}")


def _under(marked: re.Match[str]) -> str:
    """Return the carets below the line; DuckDB has put them below `LINE n: `, which is not shown."""
    return marked["caret"].removeprefix(" " * len(f"LINE {marked[1]}: ")).rstrip()


def _line_of(marked: str, told: int, query: str) -> int | None:
    """Return the line of the query that DuckDB marks; once it runs, it counts the lines of a query around ours."""
    lines = query.split("\n")
    text = marked.removeprefix("...").removesuffix("...")
    if told <= len(lines) and text in lines[told - 1]:
        return told
    found = [number for number, line in enumerate(lines, start=1) if text in line]
    return found[0] if len(found) == 1 else None
