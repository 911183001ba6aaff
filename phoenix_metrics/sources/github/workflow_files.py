"""Workflow files of the default branch: what is scheduled, and which job waits for which."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient, Page
from phoenix_metrics.sources.github.payloads import parse_time
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository
from phoenix_metrics.sources.github.workflow_syntax import read_workflow
from phoenix_metrics.sources.items import Batch, Item, as_text

FOLDER = ".github/workflows"
MOST_BYTES = 512 * 1024  # a larger file is not read
FILES_AT_ONCE = 20  # of a repository, written down together
READER = "1"  # goes up with what is read of a file: then all are fetched again

# The blobs of files that are stored, by repository and path; None where another reader read one.
Stored = Mapping[int, Mapping[str, str | None]]


@dataclass(frozen=True)
class _Standing:
    """Where the last visit stopped: by which reader the files were read, and when the folder was listed."""

    reader: str | None = None
    listed_at: datetime | None = None

    @classmethod
    def of(cls, cursor: str | None) -> "_Standing":
        reader, _, listed_at = (cursor or "").partition("@")
        return cls(reader, parse_time(listed_at)) if listed_at else cls()


def fetch_workflow_files(
    client: GitHubClient, repository: Repository, visit: Bookmark, *, stored: Stored, now: datetime
) -> Iterator[Batch]:
    """Yield the workflow files that are new, changed or gone since the last visit, with what is read of each.

    The list of the folder is one request and tells the blob of each file, so only those that are not stored are
    fetched. Of a folder GitHub lists the first thousand files. One that cannot be read is yielded with a note.
    """
    if repository.default_branch is None:
        return
    known = stored.get(repository.repository_id, {})
    standing = _Standing.of(visit.cursor)
    is_known = standing.reader == READER and visit.etag_scope == client.etag_scope
    page = _folder(client, repository, visit.etag if is_known else None)
    if not page.is_unchanged:
        listed = {entry["path"]: entry for entry in page.items if _is_workflow(entry)}
        gone = [_item(path, None, standing) for path in known if path not in listed]
        news = [entry for path, entry in listed.items() if known.get(path) != entry["sha"]]
        yield gone
        for start in range(0, len(news), FILES_AT_ONCE):
            yield list(_read(client, repository, news[start : start + FILES_AT_ONCE], standing))
    visit.etag, visit.etag_scope = page.etag, client.etag_scope
    visit.cursor = f"{READER}@{now.isoformat()}"


def _folder(client: GitHubClient, repository: Repository, etag: str | None) -> Page:
    """Return the list of the folder, empty where there is none. Raises RepositoryError where no file may be seen."""
    contents = f"{repository.path}/contents"
    try:
        return client.page(f"{contents}/{FOLDER}", None, etag=etag)
    except RepositoryError:
        client.get(contents)  # a folder that is not there is no gap, unless nothing else is there for us either
        return Page([], 0, None)


def _is_workflow(entry: Mapping[str, Any]) -> bool:
    return bool(entry["type"] == "file" and entry["path"].endswith((".yml", ".yaml")))


def _read(
    client: GitHubClient, repository: Repository, entries: list[dict[str, Any]], standing: _Standing
) -> Iterator[Item]:
    for entry in entries:
        if entry["size"] > MOST_BYTES:
            note = f"its {entry['size']:,} bytes are more than the {MOST_BYTES:,} that are read"
            yield _item(entry["path"], entry, standing, note=note)
            continue
        try:
            found = client.get(f"{repository.path}/contents/{quote(entry['path'])}")
        except RepositoryError:  # gone since the folder was listed, which the next visit will find
            continue
        try:
            text = base64.b64decode(found["content"]).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            yield _item(entry["path"], found, standing, note="it is not text in UTF-8")
            continue
        yield _item(entry["path"], found, standing, text=text, **read_workflow(text))


def _item(path: str, entry: Mapping[str, Any] | None, standing: _Standing, **told: object) -> Item:
    """Return a version of a file; without an entry it is gone. It came after the folder was listed the last time."""
    blob = {"sha": entry["sha"], "size": entry["size"]} if entry else {"sha": None}
    not_before = standing.listed_at.isoformat() if standing.listed_at else None
    payload = {"path": path, **blob, "reader": READER, "not_before": not_before, **told}
    return Item("github_workflow_files", None, as_text(payload))
