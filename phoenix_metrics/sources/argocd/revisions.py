"""Commits that applications were synced to: author, date and message, read once and kept for ever."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from phoenix_metrics.errors import SourceError
from phoenix_metrics.sources.argocd.applications import Place, payload_of
from phoenix_metrics.sources.argocd.asking import Reader
from phoenix_metrics.sources.items import Item

AT_MOST = 100  # commits that one pass asks for: each goes to the repository server, and perhaps to Git
_SHA = re.compile(r"[0-9a-f]{40}")  # versions of charts and digests of images have no commit


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository, by which application and source it can be asked for, and when it was deployed."""

    repo_url: str
    revision: str
    place: Place
    source: int
    deployed_at: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other commits."""
        return self.repo_url, self.revision


def commits_of(told: Mapping[str, Any], place: Place) -> Iterator[Commit]:
    """Yield the commits that an application's history and its operation name, once each."""
    status = told["status"]
    state = status["operationState"] or {}
    entries = [(entry, entry.get("deployedAt")) for entry in status["history"]]
    entries += [(state["syncResult"], state.get("startedAt"))] if state.get("syncResult") else []
    for entry, deployed_at in entries:
        revisions = entry.get("revisions") or [entry.get("revision")]
        for number, (revision, source) in enumerate(zip(revisions, entry["sources"], strict=False)):
            if _SHA.fullmatch(revision or "") and not source.get("chart"):
                yield Commit(source["repoURL"], revision, place, number, deployed_at or "")


def fetch_revisions(reader: Reader, commits: Iterable[Commit]) -> Iterator[Item]:
    """Yield what Argo CD tells of commits, the newest first, and of those it cannot tell of that it could not."""
    newest = nlargest(AT_MOST, commits, key=lambda commit: (commit.deployed_at, commit.revision))

    def ask(commit: Commit) -> dict[str, Any]:
        place = commit.place
        name, namespace, project = place.name, place.namespace, place.project
        return reader.client.revision_metadata(name, namespace, project, commit.revision, commit.source)

    for commit, answer in reader.each(ask, newest):
        told = {} if isinstance(answer, SourceError) else answer
        payload = {
            "instance": reader.server.name,
            "repoURL": commit.repo_url,
            "revision": commit.revision,
            "author": told.get("author"),
            "date": told.get("date"),
            "message": told.get("message") or "",
            "tags": told.get("tags") or [],
        }
        yield Item("argocd_revisions", None, payload_of(payload))
