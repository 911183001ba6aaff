"""Releases: which commit was published under which tag, and when."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.payloads import parse_time
from phoenix_metrics.sources.github.side_loops import (
    Bookmark,
    Repository,
    kept,
    pages_if_changed,
    stretch_read,
    wanted_after,
)
from phoenix_metrics.sources.items import Batch, Item, as_text

_RELEASE = (
    "id",
    "tag_name",
    "target_commitish",
    "name",
    "prerelease",
    "created_at",
    "published_at",
    "updated_at",
    "html_url",
)


def fetch_releases(
    client: GitHubClient, repository: Repository, visit: Bookmark, *, since: datetime
) -> Iterator[Batch]:
    """Yield the releases published or changed since the last visit, newest first, each with the commit of its tag.

    The list is in order of creation and a draft may be published late, so it is cut at the first page without news.
    """
    wanted = wanted_after(visit.cursor, since)
    newest = wanted
    for page in pages_if_changed(client, visit, since, f"{repository.path}/releases"):
        news = [release for release in page.items if not release["draft"] and _changed_at(release) > wanted]
        if not news:
            break
        newest = max(newest, *map(_changed_at, news))
        yield [
            Item("github_releases", release["id"], release_payload(release, _tagged_sha(client, repository, release)))
            for release in news
        ]
    visit.cursor = stretch_read(visit.cursor, since, newest)


def release_payload(release: Mapping[str, Any], tag_sha: str | None) -> str:
    """Return a release without its text and files, and with the commit its tag stood for when we looked."""
    author = kept(release.get("author"), ("id", "login"))
    return as_text({**kept(release, _RELEASE), "author": author, "tag_sha": tag_sha})


def _changed_at(release: Mapping[str, Any]) -> datetime:
    published = parse_time(release["published_at"])
    return max(published, parse_time(release["updated_at"])) if release.get("updated_at") else published


def _tagged_sha(client: GitHubClient, repository: Repository, release: Mapping[str, Any]) -> str | None:
    """Return the commit of a release's tag, or None where the tag is gone; `target_commitish` may be a branch."""
    git = f"{repository.path}/git"
    try:
        target = client.get(f"{git}/ref/tags/{quote(release['tag_name'])}")["object"]
        while target["type"] == "tag":  # an annotated tag is an object of its own
            target = client.get(f"{git}/tags/{target['sha']}")["object"]
    except RepositoryError:
        return None
    return str(target["sha"])
