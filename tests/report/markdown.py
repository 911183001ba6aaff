"""Markdown as GitHub reads it: what a document shows, and its tables, cell by cell."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
Rows = list[tuple[str, ...]]


def tables(text: str) -> dict[str, Rows]:
    """Return the rows of each table of a document, without the headings, by its title, else that of its section."""
    found: dict[str, Rows] = {}
    for title, rows in _tables(GITHUB.parse(text)):
        assert len({len(row) for row in rows}) == 1, rows
        assert title not in found
        found[title] = rows[1:]
    return found


def links(text: str) -> list[tuple[str, str]]:
    """Return the words and the address of each link."""
    found = []
    for token in GITHUB.parse(text):
        children = token.children or []
        for index, child in enumerate(children):
            if child.type == "link_open":
                end = next(place for place in range(index, len(children)) if children[place].type == "link_close")
                found.append((shown(children[index:end]), str(child.attrs["href"])))
    return found


def prose(text: str) -> list[str]:
    """Return each paragraph, heading and item of a document as it is read."""
    return [shown(token.children or []) for token in GITHUB.parse(text) if token.type == "inline"]


def html_in(text: str) -> list[str]:
    """Return what a reader of Markdown would take for HTML."""
    tokens = GITHUB.parse(text)
    everything = [*tokens, *(child for token in tokens for child in token.children or [])]
    return [token.content for token in everything if token.type in ("html_inline", "html_block")]


def shown(tokens: Sequence[Token]) -> str:
    """Return the text of a line as a reader sees it."""
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline", "html_inline"))


def _tables(tokens: Sequence[Token]) -> Iterator[tuple[str, Rows]]:
    rows: Rows = []
    cells: list[str] = []
    title = ""
    for before, token in pairwise(tokens):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            cells = []
        elif token.type == "inline" and before.type in ("th_open", "td_open"):
            cells.append(shown(token.children or []))
        elif token.type == "tr_close":
            rows.append(tuple(cells))
        elif token.type == "table_close":
            yield title, rows
        elif before.type == "heading_open" or (before.type == "paragraph_open" and _is_strong(token)):
            title = shown(token.children or [])


def _is_strong(token: Token) -> bool:
    """Whether a line is strong from its beginning to its end."""
    kinds = [child.type for child in token.children or [] if child.content or child.type != "text"]
    return kinds == ["strong_open", "text", "strong_close"]
