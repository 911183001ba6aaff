"""Recorded Applications of Argo CD, served as states over time and collected by the real code, into marts.

The recordings are not part of the project; where they are absent these tests are skipped.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.settings import CHECKOUT, load_settings
from tests.conftest import publish_landing, rows

SHARED = CHECKOUT.parent / "shared"
RECORDINGS = SHARED / "data" / "argocd"
REPLAY = SHARED / "tools" / "argocd_replay.py"
FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"

pytestmark = pytest.mark.skipif(not (RECORDINGS.is_dir() and REPLAY.is_file()), reason="the recordings are not here")


@contextmanager
def replaying(story: Path, now: str) -> Iterator[str]:
    """Serve a story as of a moment and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(REPLAY), str(story), "--port", str(port), "--now", now, "--root-path", "/argo-cd"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "applications at" in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}/argo-cd"
        finally:
            process.kill()


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every recorded object that is an Application, with the moment from which it is served."""
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        is_later = file.name == "syncedAppWithHistory.yaml"  # the second of two snapshots of one application
        yield SECOND if is_later else FIRST, json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
    for file in sorted(RECORDINGS.glob("*/applications.json")):
        yield from ((FIRST, application) for application in json.loads(file.read_text())["items"])
    excerpt = json.loads((RECORDINGS / "argocd_issue_18429" / "status_history_excerpt.json").read_text())
    metadata = {"name": "issue-18429", "namespace": "argocd", "uid": "18429", "creationTimestamp": FIRST}
    yield FIRST, {"metadata": metadata, "spec": {"project": "default"}, "status": excerpt}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which all of it was collected: in two moments, the second twice."""
    folder = tmp_path_factory.mktemp("recorded")
    story = folder / "story.jsonl"
    story.write_text("\n".join(json.dumps({"at": at, "application": one}) for at, one in recorded()))
    for now in (FIRST, SECOND, SECOND):
        with replaying(story, now) as url:
            settings = load_settings({"PHOENIX_HOME": str(folder / "home"), "PHOENIX_ARGOCD_URL": url})
            done = sync_argocd(settings, clock=lambda: datetime.now(UTC))
            assert [(one.state, one.note) for one in done] == [("ok", None)]
    publish_landing(settings.home)
    return settings.home


def test_every_object_is_collected(home: Path) -> None:
    """Eight objects of seven applications, and the excerpt, are in the marts with all their operations."""
    counts = {
        row["application"]: row["count"]
        for row in rows(home, "select application, count(*) as count from marts.operations group by application")
    }
    assert counts == {
        "velero-test": 10,
        "guestbook": 3,  # two of the history, and one under way that the first snapshot had, too
        "magchen-old-appset-local-cluster": 1,
        "feng-argo": 3,
        "feng-multi-argo": 1,
        "feng-argo-hello": 1,
        "string": 6,
        "issue-18429": 1,
    }
    assert rows(home, "select * from marts.data_health where state = 'set_aside'") == []


def test_ten_entries_of_one_revision_are_one_delivery(home: Path) -> None:
    """An application synced ten times at one revision was delivered once and synced again nine times."""
    (row,) = rows(
        home,
        "select count(*) filter (where is_deployment) as deliveries, count(*) filter (where is_resync) as resyncs, "
        "count(distinct revision) as revisions from marts.deployments where application = 'velero-test'",
    )
    assert row == {"deliveries": 1, "resyncs": 9, "revisions": 1}


def test_several_sources_are_one_revision(home: Path) -> None:
    """An entry of several sources is known by all their revisions, in their order."""
    revision = rows(home, "select revision from marts.deployments where application = 'issue-18429'")
    assert revision == [
        {"revision": "e2344c9e5fd4e8b6299a120bce23fa3ce551aff1+37fa4da84a246e0303031d02a6a103a3a8f6ddcc"}
    ]


def test_who_did_it_is_told_only_where_the_source_tells(home: Path) -> None:
    """An absent or empty initiator is unknown, not a person and not the controller."""
    found = rows(
        home,
        "select application, trigger, initiated_by, count(*) as count from marts.deployments "
        "where application in ('velero-test', 'string', 'guestbook') group by all order by all",
    )
    assert [tuple(row.values()) for row in found] == [
        ("guestbook", "unknown", None, 3),
        ("string", "auto_sync", None, 4),
        ("string", "user", "admin", 2),
        ("velero-test", "unknown", None, 9),
        ("velero-test", "user", "email-removed", 1),  # its state tells what its history does not
    ]


def test_the_same_revision_again_is_no_delivery(home: Path) -> None:
    """Of six entries with five revisions five are deliveries, none of them a rollback."""
    found = rows(
        home,
        "select history_id, is_deployment, is_resync, is_rollback from marts.deployments "
        "where application = 'string' order by history_id",
    )
    assert [tuple(row.values()) for row in found] == [(entry, entry != 4, entry == 4, False) for entry in range(6)]
