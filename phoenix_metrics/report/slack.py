"""The digest's short form for Slack: the summary as it is, of every other part the first rows, in the room there is.

Slack has no tables in messages of webhooks, so a row becomes a line that names what its figures are. Remarks and plots
are left to the other formats. What does not fit is left out from the end, never the summary and what is not known.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from phoenix_metrics.report.document import (
    Cell,
    Digest,
    Listing,
    Paragraph,
    Section,
    Sentence,
    Table,
    Text,
    enumerated,
    said,
)
from phoenix_metrics.report.rendering import safe_url, visible
from phoenix_metrics.slack import (
    MOST_BLOCKS,
    MOST_LETTERS,
    MOST_LETTERS_OF_BLOCKS,
    MOST_LETTERS_OF_HEADERS,
    code,
    escaped,
    length,
    link,
)

ROWS = (3, 2, 1, 0)  # of a table, or sentences of a list; fewer where the message would get too long
COLUMNS = {  # besides the first one; of a part that is not here no table is told
    "headline": {"These days", "Before", "Change", "Verdict"},
    "slower": {"Median before", "Since", "Times as long", "Commits"},
    "workflows": {"Job time lost", "Failure ratio", "n", "Newest failure", "Jobs", "Share"},
    "flaky": {"Flaky at", "n", "Proof"},
    "costs": {"Cost", "Wasted", "Jobs", "Spent so far", "Forecast", "Crossed"},
    "deliveries": {"Deployments", "Change failure ratio", "Rollbacks"},
    "schedules": {"Missed", "Late", "Last missed"},
    "alerts": {"Of what", "State", "Fired", "Figure", "Pages"},
    "completeness": {"Newest pass", "Known to be missing", "Note"},
}
JUDGED = "headline"  # of its rows only those that are called better or worse, as the others changed nothing

_KEPT = 5  # blocks: title, days, summary, what is not known, whence it is
_LONGEST_TEXT = 450  # letters of one stretch: escaped and with its address it still fits into a section
_LONGEST_URL = 600
_LONGEST_LINE = MOST_LETTERS - 4


def slack_body(digest: Digest, dashboard: str) -> dict[str, Any]:
    """Return what an incoming webhook of Slack's takes: a line for notifications, and blocks within its limits."""
    for rows in ROWS:
        blocks = list(_blocks(digest, dashboard, rows))
        if _fits(blocks):
            break
    while len(blocks) > _KEPT and not _fits(blocks):
        del blocks[-3]  # the last two are what is not known and whence all this is
    return {"text": _cut(f"{digest.title}, {digest.subtitle}"), "blocks": blocks}


def _fits(blocks: Sequence[dict[str, Any]]) -> bool:
    written = json.dumps(blocks, ensure_ascii=False)
    return len(blocks) <= MOST_BLOCKS and length(written) <= MOST_LETTERS_OF_BLOCKS


def _blocks(digest: Digest, dashboard: str, rows: int) -> Iterator[dict[str, Any]]:
    title = visible(digest.title)[: MOST_LETTERS_OF_HEADERS // 2]
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    notice = f":warning: *Stale*: {_cut(digest.notice)}" if digest.notice else ""
    yield _context(_cut(digest.subtitle), *([notice] if notice else []))
    for section in digest.sections:
        lines = list(_lines(section, rows, is_whole=section is digest.sections[0]))
        for text in _packed(lines) if len(lines) > 1 else ():
            yield {"type": "section", "text": _mrkdwn(text)}
    pages = link(safe_url(dashboard), "dashboard")
    yield _context(f"{_line(digest.colophon)} Short form of `phoenix report`; the {pages} has the pages.")


def _lines(section: Section, rows: int, *, is_whole: bool) -> Iterator[str]:
    """Yield the title of a section and what is told of it; nothing but the title where that is nothing."""
    yield f"*{_cut(section.title)}*"
    for block in section.blocks:
        if isinstance(block, Paragraph):
            yield _line(block.words)
        elif isinstance(block, Listing):
            shown = len(block.items) if is_whole else rows
            yield from (_line(said("• ", item)) for item in block.items[:shown])
            yield from _more(len(block.items) - shown)
        elif isinstance(block, Table):
            yield from _table(section.key, block, rows)


def _table(key: str, table: Table, rows: int) -> Iterator[str]:
    told = [row for row in table.rows if key != JUDGED or any(cell.tone for cell in row)]
    columns = COLUMNS.get(key, set())
    if not columns or not told:
        return
    if table.shows_title:
        yield f"_{_cut(table.title)}_"
    for row in told[:rows]:
        first, *rest = zip(table.columns, row, strict=True)
        figures = [_figure(column.label, cell) for column, cell in rest if column.label in columns and cell.words]
        yield _line(said("• ", _words(first[1]), ": ", enumerated(figures, ", ")))
    yield from _more(len(told) - rows)


def _figure(label: str, cell: Cell) -> Sentence:
    """Return what a cell says, with its column's name before it unless it says so itself."""
    return said("" if label == "Verdict" else f"{label[0].lower()}{label[1:]} ", _words(cell))


def _words(cell: Cell) -> Sentence:
    return said(cell.words, said(" (", cell.detail, ")") if cell.detail else "")


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"• and {count} more"


def _line(sentence: Sentence) -> str:
    """Return a sentence; what would make it too long for a section is left out from a stretch on."""
    line = ""
    for part in sentence:
        written = _part(part)
        if length(line) + length(written) > _LONGEST_LINE:
            return f"{line}…"
        line += written
    return line


def _part(part: Text) -> str:
    url = safe_url(part.url)
    if url and length(escaped(url)) <= _LONGEST_URL:
        return link(url, _short(part.text))
    if part.kind in ("name", "code"):
        return code(_short(part.text).strip() or "(no name)")
    return f"*{_cut(part.text)}*" if part.kind == "strong" else _cut(part.text)


def _cut(text: str) -> str:
    return escaped(_short(text))


def _short(text: str) -> str:
    """Return text on one line, without its end if it is long."""
    shown = visible(text)
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def _packed(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines in as few texts as they fit into."""
    text = ""
    for line in lines:
        if text and length(text) + 1 + length(line) > MOST_LETTERS:
            yield text
            text = ""
        text = f"{text}\n{line}" if text else line
    yield text


def _context(*texts: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text) for text in texts]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Return a text object; what looks like an address or a channel stays mere words."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
