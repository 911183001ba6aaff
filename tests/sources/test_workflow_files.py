"""Workflow files over the contents API: what is asked, what is kept, and what becomes of odd answers."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from phoenix_metrics.errors import AccessError, RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.github.workflow_files import (
    FILES_AT_ONCE,
    FOLDER,
    MOST_BYTES,
    READER,
    fetch_workflow_files,
)
from tests.sources.visited import Bookmark, Shop
from tests.world import World, WorldServer, serving
from tests.world.routes import Answer

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
CONTENTS = "/repositories/1/contents"
NIGHTLY = b"on:\n  schedule:\n    - cron: 0 2 * * *\njobs:\n  night: {}\n"
CI = b"on: push\njobs:\n  test: {}\n  ship: {needs: test}\n"


class Files:
    """The files of a repository, which tests change."""

    def __init__(self, server: WorldServer) -> None:
        self.files: dict[str, bytes] | None = {f"{FOLDER}/nightly.yml": NIGHTLY, f"{FOLDER}/ci.yaml": CI}
        self.stored: dict[str, str | None] = {}
        self.visit = Bookmark()
        self.server = server
        self.hours = 0
        server.extra[f"{CONTENTS}/{FOLDER}"] = lambda match, query: self._listed()
        server.extra[f"{CONTENTS}/(.+)"] = lambda match, query: self._file(match[1])
        server.extra[CONTENTS] = Answer(200, [{"type": "file", "path": "README.md"}])

    def _listed(self) -> Answer:
        if self.files is None:
            return Answer(404, {"message": "Not Found"})
        return Answer(200, [self._entry(path) for path in self.files] + [{"type": "dir", "path": f"{FOLDER}/a.yml"}])

    def _file(self, path: str) -> Answer:
        path = path.replace("%20", " ")
        if self.files is None or path not in self.files:
            return Answer(404, {"message": "Not Found"})
        content = base64.encodebytes(self.files[path]).decode()
        return Answer(200, {**self._entry(path), "encoding": "base64", "content": content})

    def _entry(self, path: str) -> dict[str, Any]:
        content = (self.files or {})[path]
        sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return {"type": "file", "path": path, "sha": sha, "size": len(content)}

    def fetch(self) -> list[dict[str, Any]]:
        """Visit once, an hour after the last time; return what was yielded, which is stored from then on."""
        client = GitHubClient(self.server.url, SecretStr("one"), Governor(0.05))
        now = NOW + timedelta(hours=self.hours)
        self.hours += 1
        told = []
        for batch in fetch_workflow_files(client, Shop(), self.visit, stored={1: self.stored}, now=now):
            for item in batch:
                payload = json.loads(item.payload)
                told.append(payload)
                self.stored[payload["path"]] = payload["sha"]
                if payload["sha"] is None:
                    del self.stored[payload["path"]]
        return told

    def asked(self) -> list[tuple[int, str]]:
        """Return what was asked since the last time, as statuses and addresses below `contents`."""
        asked = [(one.status, one.target.partition("?")[0].removeprefix(CONTENTS)) for one in self.server.requests]
        self.server.requests.clear()
        return asked


@pytest.fixture
def repository() -> Iterator[Files]:
    with serving(World(NOW)) as server:
        yield Files(server)


LIST, ONE, OTHER = f"/{FOLDER}", f"/{FOLDER}/nightly.yml", f"/{FOLDER}/ci.yaml"


def test_each_file_is_fetched_once(repository: Files) -> None:
    """The text is kept beside what was read of it; the second visit is one request, which is free."""
    nightly, ci = repository.fetch()
    assert repository.asked() == [(200, LIST), (200, ONE), (200, OTHER)]
    assert (nightly["text"], nightly["reader"], nightly["not_before"]) == (NIGHTLY.decode(), READER, None)
    assert nightly["schedule"] == [{"cron": "0 2 * * *", "timezone": "UTC"}]
    assert [(job["key"], job["waits_for"]) for job in ci["jobs"]] == [("test", []), ("ship", ["test"])]
    assert repository.fetch() == []
    assert repository.asked() == [(304, LIST)]


def test_only_what_changed_is_fetched(repository: Files) -> None:
    """A changed file, a new one with a blank in its name, and one that went; each after the last list."""
    repository.fetch()
    repository.fetch()
    repository.asked()
    repository.files = {f"{FOLDER}/nightly.yml": NIGHTLY + b"\n", f"{FOLDER}/a b.yml": CI, "docs/c.txt": b""}
    found = {one["path"]: (one["sha"] is None, one["not_before"]) for one in repository.fetch()}
    last_list = "2026-03-02T09:00:00+00:00"
    paths = [f"{FOLDER}/{name}" for name in ("ci.yaml", "nightly.yml", "a b.yml")]
    assert found == dict(zip(paths, [(True, last_list), (False, last_list), (False, last_list)], strict=True))
    assert repository.asked() == [(200, LIST), (200, ONE), (200, f"/{FOLDER}/a%20b.yml")]
    assert repository.fetch() == []


def test_files_read_by_an_older_reader_are_read_again(repository: Files) -> None:
    """Though neither they nor the list have changed."""
    repository.fetch()
    repository.stored = dict.fromkeys(repository.stored)
    assert repository.visit.cursor == f"{READER}@2026-03-02T08:00:00+00:00"
    repository.visit.cursor = "0@2026-03-02T08:00:00+00:00"
    repository.asked()
    assert len(repository.fetch()) == 2
    assert repository.asked() == [(200, LIST), (200, ONE), (200, OTHER)]


def test_a_repository_without_workflows_has_no_gap(repository: Files) -> None:
    """The root tells a folder that is not there from one that may not be seen; what was there is gone."""
    repository.fetch()
    repository.files = None
    repository.asked()
    assert sorted((one["path"], one["sha"]) for one in repository.fetch()) == [
        (f"{FOLDER}/ci.yaml", None),
        (f"{FOLDER}/nightly.yml", None),
    ]
    assert repository.asked() == [(404, LIST), (200, "")]
    assert repository.fetch() == []


def test_what_may_not_be_seen_is_a_gap(repository: Files) -> None:
    """404 for all contents, or 403 with the permission that is lacking; what is stored stays."""
    repository.fetch()
    cursor = repository.visit.cursor
    repository.files = None
    repository.server.extra[CONTENTS] = Answer(404, {"message": "Not Found"})
    with pytest.raises(RepositoryError, match=r"1/contents: does not exist or this token may not see it"):
        repository.fetch()
    refusal = Answer(403, {"message": "Resource not accessible"}, {"x-accepted-github-permissions": "contents=read"})
    repository.server.extra[f"{CONTENTS}/{FOLDER}"] = refusal
    with pytest.raises(AccessError, match="it needs contents=read"):
        repository.fetch()
    assert (repository.visit.cursor, len(repository.stored)) == (cursor, 2)


def test_files_that_cannot_be_read_are_said(repository: Files) -> None:
    """Broken, of another encoding, too large to be fetched; each is told once, and the others are read."""
    size = MOST_BYTES + 1
    odd = {"broken.yml": b"jobs: [", "latin.yml": b"name: caf\xe9", "large.yml": b"#" * size, "ci.yml": CI}
    repository.files = {f"{FOLDER}/{name}": content for name, content in odd.items()}
    notes = {one["path"].rpartition("/")[2]: one.get("note") for one in repository.fetch()}
    assert "not YAML that can be read (line 1" in notes.pop("broken.yml")
    assert notes == {
        "latin.yml": "it is not text in UTF-8",
        "large.yml": "its 524,289 bytes are more than the 524,288 that are read",
        "ci.yml": None,
    }
    assert [path for _, path in repository.asked()] == [
        LIST,
        *(f"/{FOLDER}/{name}" for name in odd if name != "large.yml"),
    ]
    assert repository.fetch() == []


def test_a_visit_that_is_cut_off_goes_on_where_it_stopped(repository: Files) -> None:
    """Files are written down some at a time, and those are not asked for again."""
    repository.files = {f"{FOLDER}/{number:03d}.yml": CI for number in range(2 * FILES_AT_ONCE)}
    refused = f"{CONTENTS}/{FOLDER}/030.yml"
    repository.server.extra = {refused: Answer(403, {"message": "no"}), **repository.server.extra}
    with pytest.raises(AccessError):
        repository.fetch()
    assert (len(repository.stored), repository.visit.cursor) == (FILES_AT_ONCE, None)
    del repository.server.extra[refused]
    repository.asked()
    assert len(repository.fetch()) == FILES_AT_ONCE
    assert len(repository.asked()) == 1 + FILES_AT_ONCE


def test_a_file_that_goes_while_it_is_read_is_left_to_the_next_visit(repository: Files) -> None:
    """It is in the list but not to be had."""
    repository.server.extra = {f"{CONTENTS}/{FOLDER}/ci.yaml": Answer(404, {}), **repository.server.extra}
    assert [one["path"] for one in repository.fetch()] == [f"{FOLDER}/nightly.yml"]


def test_an_empty_repository_is_not_asked(repository: Files) -> None:
    """It has no branch."""
    client = GitHubClient(repository.server.url, SecretStr("one"), Governor(0.05))
    assert list(fetch_workflow_files(client, Shop(default_branch=None), Bookmark(), stored={}, now=NOW)) == []
    assert repository.asked() == []
