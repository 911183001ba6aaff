"""Listings: tables in HTML whose cells hold two lines, marks that are drawn, and links; they stack on a narrow page.

Whatever came from elsewhere must be escaped by who makes a cell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """What stands in one place, in HTML: a first line and what explains it, smaller, below."""

    main: str
    below: str = ""


def listing(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows of cells under their headings, in HTML."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    labels = [head.partition("<")[0] for head in heads]
    body = "".join(f"<tr>{''.join(map(_cell, row, labels))}</tr>" for row in rows)
    return f'<table class="listing"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def known(value: object, otherwise: str) -> str:
    """Return a text, or what stands where there is none."""
    return value if isinstance(value, str) and value else otherwise


def inside(text: str, address: str) -> str:
    """Return a link to a page of ours, which opens in place of this one."""
    return f'<a href="{escape(address)}" target="_self">{escape(text)}</a>'


def outside(text: str, url: object) -> str:
    """Return a link to a page elsewhere, which opens beside this one; the text alone where no page is known."""
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        return escape(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(text)}</a>'


def axis(title: str, *ticks: str) -> str:
    """Return the heading of a column of drawn marks, with what its places from left to right stand for."""
    return f'{title}<span class="scale">{"".join(f"<span>{tick}</span>" for tick in ticks)}</span>'


def interval(low: float, at: float, high: float, said: str, *, is_few: bool = False, is_centred: bool = False) -> str:
    """Return an interval around a point, drawn between 0 and 1; hollow where few samples stand behind it.

    Where it is centred, the middle is marked, which stands for no difference.
    """
    centred = " centred" if is_centred else ""
    few = ' class="few"' if is_few else ""
    left, right = _percent(low), _percent(high)
    return (
        f'<span class="mark interval{centred}" role="img" aria-label="{escape(said)}">'
        f'<i style="left: {left}; width: calc({right} - {left})"></i><b{few} style="left: {_percent(at)}"></b></span>'
    )


def share(value: float, said: str, *, kind: str = "") -> str:
    """Return a part of a whole, drawn as a bar between 0 and 1; the kinds `bad` and `unknown` have patterns."""
    return (
        f'<span class="mark share {kind}" role="img" aria-label="{escape(said)}">'
        f'<i style="width: {_percent(value)}"></i></span>'
    )


def _cell(cell: Cell, label: str) -> str:
    return (
        f'<td data-label="{escape(label)}">{cell.main}'
        + (f"<small>{cell.below}</small>" if cell.below else "")
        + "</td>"
    )


def _percent(value: float) -> str:
    return f"{100 * min(max(value, 0), 1):.2f}%"
