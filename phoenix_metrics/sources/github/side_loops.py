"""What every side loop shares: whom it visits, where a list sorted by change is cut, and what is kept of an object."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient, Page
from phoenix_metrics.sources.github.payloads import parse_time


class Repository(Protocol):
    """A repository that is visited."""

    @property
    def repository_id(self) -> int:
        """GitHub's id."""

    @property
    def default_branch(self) -> str | None:
        """Its mainline; None while it is empty."""

    @property
    def path(self) -> str:
        """Its address by number, which a rename does not redirect."""


class Bookmark(Protocol):
    """Where the last visit stopped; a fetch sets `cursor` at its end, to where the next one goes on.

    `etag` is that of the list as it was when all of it had been read, and `etag_scope` the credential's it is good for.
    """

    cursor: str | None
    etag: str | None
    etag_scope: str | None


def pages(client: GitHubClient, path: str, key: str | None, **parameters: str) -> Iterator[Page]:
    """Yield the pages of a list, asking for each only when it is wanted."""
    first = client.page(path, key, **parameters)
    return chain([first], client.pages_after(first, key))


def pages_if_changed(
    client: GitHubClient, visit: Bookmark, since: datetime, path: str, **parameters: str
) -> Iterator[Page]:
    """Yield the pages of a list, or one page without items if it is as the last whole visit found it: that is free."""
    is_known = _covers(visit.cursor, since) and visit.etag_scope == client.etag_scope
    first = client.page(path, None, etag=visit.etag if is_known else None, **parameters)
    visit.etag, visit.etag_scope = first.etag, client.etag_scope
    return chain([first], client.pages_after(first, None))


def wanted_after(cursor: str | None, since: datetime) -> datetime:
    """Return the moment after which changes are wanted: where the last visit ended, or `since` if that is earlier.

    A cursor is the stretch that was read, so a `since` set to before its start makes the list be read again.
    """
    return parse_time(cursor.partition("..")[2]) if cursor and _covers(cursor, since) else since


def _covers(cursor: str | None, since: datetime) -> bool:
    return cursor is not None and parse_time(cursor.partition("..")[0]) <= since


def stretch_read(cursor: str | None, since: datetime, newest: datetime) -> str:
    """Return the cursor after everything from `since` to the newest change has been read."""
    start = since if cursor is None else min(since, parse_time(cursor.partition("..")[0]))
    return f"{start.isoformat()}..{newest.isoformat()}"


def is_organization(client: GitHubClient, owner: str) -> bool:
    """Whether an owner of repositories is an organisation; a person has no runners and no bill for others to read."""
    try:
        return bool(client.get(f"/users/{owner}")["type"] == "Organization")
    except RepositoryError:
        return False


def kept(source: Mapping[str, Any] | None, keys: Iterable[str]) -> dict[str, Any]:
    """Return some fields of an object, None where it lacks one."""
    return {key: source.get(key) for key in keys} if source else {}
