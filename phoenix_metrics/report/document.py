"""The digest as a document: sections of sentences, tables and small plots, which a template puts into a format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal

from phoenix_metrics.words import counted

Tone = Literal["", "better", "worse"]
Style = Literal["good", "bad", "rest", "main", "soft"]


@dataclass(frozen=True)
class Text:
    """A stretch of a sentence, perhaps with the page it leads to.

    It is words; words that catch the eye; a name from elsewhere or something to type, which are shown letter by letter.
    """

    text: str
    kind: Literal["words", "strong", "name", "code"] = "words"
    url: str | None = None


Sentence = tuple[Text, ...]


def said(*parts: str | Text | Sentence) -> Sentence:
    """Return a sentence of words, names and other sentences; what is empty is left out."""
    found: list[Text] = []
    for part in parts:
        found += [Text(part)] if isinstance(part, str) else [part] if isinstance(part, Text) else part
    return tuple(text for text in found if text.text)


def name(text: str | None, url: str | None = None) -> Text:
    """Return a name from elsewhere, perhaps with the page that it leads to."""
    return Text((text or "").strip() or "(no name)", "name", url)


def code(text: str) -> Text:
    """Return something to type: a setting, a table, a command."""
    return Text(text, "code")


def strong(text: str) -> Text:
    """Return words that catch the eye."""
    return Text(text, "strong")


def link(text: str, url: str | None) -> Text:
    """Return words of ours that lead to a page, if it is known."""
    return Text(text, url=url)


def enumerated(sentences: Sequence[Sentence], separator: str = "; ") -> Sentence:
    """Return sentences as one, with something between them."""
    return said(*(said(separator if number else "", sentence) for number, sentence in enumerate(sentences)))


@dataclass(frozen=True)
class Share:
    """A part of a whole, from 0 to 1, drawn as a bar where a format can."""

    ratio: float


@dataclass(frozen=True)
class Range:
    """A value and its interval on a scale from 0 to 1, and where no change would be, if it is about one."""

    low: float
    value: float
    high: float
    unchanged: float | None = None


@dataclass(frozen=True)
class Cell:
    """What stands in a table: words, what stands smaller with them, whether that is good, and what is drawn of it."""

    words: Sentence
    detail: Sentence = ()
    tone: Tone = ""
    mark: Share | Range | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    label: str
    is_number: bool = False


@dataclass(frozen=True)
class Paragraph:
    """One sentence or several that follow each other."""

    kind: ClassVar[str] = "paragraph"
    words: Sentence


@dataclass(frozen=True)
class Listing:
    """Sentences below each other."""

    kind: ClassVar[str] = "listing"
    items: tuple[Sentence, ...]


@dataclass(frozen=True)
class Remark:
    """What to know of the figures above it: population, window, what is left out."""

    kind: ClassVar[str] = "remark"
    words: Sentence


@dataclass(frozen=True)
class Table:
    """Rows under headings; where the section's title says what they are, the table's own is for screen readers."""

    kind: ClassVar[str] = "table"
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shows_title: bool = True


@dataclass(frozen=True)
class Series:
    """Values of each day, None where there is none, and the style they are drawn in."""

    name: str
    style: Style
    values: tuple[float | None, ...]
    few: tuple[bool, ...] = ()  # days whose value rests on few samples


@dataclass(frozen=True)
class Plot:
    """Something day by day over two periods: columns on each other, or points on lines."""

    title: str
    form: Literal["columns", "points"]
    days: tuple[date, ...]
    since: date  # the first day of the later period
    series: tuple[Series, ...]
    written: Callable[[float], str]
    scale: Callable[[float], str]  # shorter, where the title names the unit
    steps: tuple[float, ...]  # distances between two lines of the scale; the first that fits is taken


@dataclass(frozen=True)
class Plots:
    """Plots beside each other."""

    kind: ClassVar[str] = "plots"
    plots: tuple[Plot, ...]


Block = Paragraph | Listing | Remark | Table | Plots


def cell(
    words: str | Text | Sentence, detail: str | Text | Sentence = (), tone: Tone = "", mark: Share | Range | None = None
) -> Cell:
    """Return a cell of words, names and sentences."""
    return Cell(said(words), said(detail), tone, mark)


def paragraph(*parts: str | Text | Sentence) -> Paragraph:
    """Return a paragraph of words, names and sentences."""
    return Paragraph(said(*parts))


def remark(*parts: str | Text | Sentence) -> Remark:
    """Return a remark of words, names and sentences."""
    return Remark(said(*parts))


def rest(count: int, noun: str, table: str) -> list[Block]:
    """Say how many more there are than are shown, and where, if there are any."""
    return [paragraph(f"And {counted(count, f'more {noun}')}: ", code(table), ".")] if count > 0 else []


@dataclass(frozen=True)
class Section:
    """A part of the digest: a short name for addresses, a title, and what it holds."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Digest:
    """The whole document; the first section is the summary."""

    title: str
    subtitle: str
    week: str  # the ISO week in which its days end, such as 2026-W47
    notice: str  # what a reader has to know before anything else, such as that it is stale
    sections: tuple[Section, ...]
    colophon: Sentence
