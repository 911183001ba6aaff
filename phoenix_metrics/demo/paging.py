"""Lists in pages, with GitHub's `Link` header."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

_USUAL_SIZE = 30
_LARGEST_SIZE = 100
_REACHABLE_WHEN_FILTERED = 1_000


@dataclass(frozen=True)
class Listing:
    """A whole list, of which one page is shown; without a key it is a bare array.

    One that grows at its front names its items by `cursor_of`, and is paged through from item to item.
    """

    items: Sequence[Any]
    shown: Callable[[Any], dict[str, Any]]
    key: str | None = None
    is_filtered: bool = False
    cursor_of: Callable[[Any], str] | None = None

    @property
    def reachable(self) -> int:
        """How many items can be paged to: a filtered list ends early, though its total count does not say so."""
        return min(len(self.items), _REACHABLE_WHEN_FILTERED) if self.is_filtered else len(self.items)


def page(listing: Listing, query: Mapping[str, str], url: str) -> tuple[Any, dict[str, str]]:
    """Return the page asked for and its headers; `url` is the list's address for the links."""
    size = min(_natural(query.get("per_page"), _USUAL_SIZE), _LARGEST_SIZE)
    if listing.cursor_of is not None:
        return _page_from_cursor(listing, listing.cursor_of, size, query, url)
    number = _natural(query.get("page"), 1)
    end = min(number * size, listing.reachable)
    items = [listing.shown(item) for item in listing.items[(number - 1) * size : end]]
    payload = {"total_count": len(listing.items), listing.key: items} if listing.key else items
    last = max(1, -(-listing.reachable // size))
    links = [
        f'<{url}?{urlencode({**query, "page": target})}>; rel="{rel}"' for rel, target in _neighbours(number, last)
    ]
    return payload, {"link": ", ".join(links)} if links else {}


def _page_from_cursor(
    listing: Listing, cursor_of: Callable[[Any], str], size: int, query: Mapping[str, str], url: str
) -> tuple[Any, dict[str, str]]:
    """Return the page that begins with the item the cursor names, with a link to the next one."""
    cursors = [cursor_of(item) for item in listing.items]
    start = cursors.index(query["cursor"]) if query.get("cursor") in cursors else 0
    items = [listing.shown(item) for item in listing.items[start : start + size]]
    following = cursors[start + size : start + size + 1]
    links = [f'<{url}?{urlencode({**query, "cursor": cursor})}>; rel="next"' for cursor in following]
    return items, {"link": links[0]} if links else {}


def _neighbours(number: int, last: int) -> list[tuple[str, int]]:
    before = [("prev", min(number - 1, last))] if number > 1 else []
    after = [("next", number + 1), ("last", last)] if number < last else []
    return [*before, *after, *([("first", 1)] if number > 1 else [])]


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default
