"""Pull requests: what was proposed, when, and the commit it became."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

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

OVERLAP = timedelta(hours=1)  # a change can appear in the list a little after its time

_PULL_REQUEST = (
    "id",
    "number",
    "title",
    "state",
    "draft",
    "created_at",
    "updated_at",
    "closed_at",
    "merged_at",
    "merge_commit_sha",
    "html_url",
)


def fetch_pull_requests(
    client: GitHubClient, repository: Repository, visit: Bookmark, *, since: datetime
) -> Iterator[Batch]:
    """Yield the pull requests updated since the last visit, newest first.

    While pages are read an update moves its pull request to the front, which shifts the others towards pages still to
    be read, so none is missed; the cursor is set when the last page has been read.
    """
    wanted = wanted_after(visit.cursor, since)
    newest = None
    listed = {"state": "all", "sort": "updated", "direction": "desc"}
    for page in pages_if_changed(client, visit, since, f"{repository.path}/pulls", **listed):
        times = [parse_time(pull["updated_at"]) for pull in page.items]
        if newest is None:
            newest = max(times, default=wanted)
            if newest <= wanted:
                break
        news = [pull for pull, at in zip(page.items, times, strict=True) if at > wanted - OVERLAP]
        yield [Item("github_pull_requests", pull["id"], pull_request_payload(pull)) for pull in news]
        if len(news) < len(page.items):
            break
    visit.cursor = stretch_read(visit.cursor, since, max(newest or wanted, wanted))


def pull_request_payload(pull: Mapping[str, Any]) -> str:
    """Return a pull request without its text, its people's profiles and the two repository objects."""
    return as_text(
        {
            **kept(pull, _PULL_REQUEST),
            "user": kept(pull.get("user"), ("id", "login", "type")),
            "labels": [label["name"] for label in pull.get("labels") or []],
            "head": _end(pull["head"]),
            "base": _end(pull["base"]),
        }
    )


def _end(end: Mapping[str, Any]) -> dict[str, Any]:
    """Return one end of a pull request; a deleted fork leaves no repository."""
    return {**kept(end, ("ref", "sha")), "repo": kept(end.get("repo"), ("id", "full_name"))}
