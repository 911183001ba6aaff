"""Recorded Rollouts, AnalysisRuns and Experiments, served through the trees of applications, into marts.

The recordings are not part of the project; where they are absent these tests are skipped.
"""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.settings import CHECKOUT, load_settings
from tests.conftest import publish_landing, rows
from tests.recorded.test_argocd import REPLAY, replaying

RECORDINGS = CHECKOUT.parent / "shared" / "data" / "rollouts"
NOW = "2026-01-01T00:00:00Z"

pytestmark = pytest.mark.skipif(not (RECORDINGS.is_dir() and REPLAY.is_file()), reason="the recordings are not here")


def recorded() -> dict[str, dict[str, Any]]:
    """Return every recorded object by its file; each is made an object of its own, since many share a name or a uid."""
    found = {}
    for file in sorted(RECORDINGS.rglob("*.yaml")):
        manifest = json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
        name = f"{file.parent.name}-{file.stem}".lower().replace("_", "-")
        manifest["metadata"] |= {"name": name, "uid": name}
        found[name] = manifest
    return found


def story_of(manifests: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an application for each object, that has a Rollout and is not well, so that its tree is read."""
    told = []
    for name, manifest in manifests.items():
        metadata = {"name": name, "namespace": "argocd", "uid": f"application-{name}", "creationTimestamp": NOW}
        resources = [{"group": "argoproj.io", "kind": "Rollout", "name": name}]
        status = {"health": {"status": "Degraded"}, "resources": resources}
        application = {"metadata": metadata, "spec": {"project": "default"}, "status": status}
        resource = {"application": name, "kind": manifest["kind"], "name": name, "manifest": manifest}
        told += [{"at": NOW, "application": application}, {"at": NOW, "resource": resource}]
    return told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which all of them were collected, twice."""
    folder = tmp_path_factory.mktemp("rollouts")
    story = folder / "story.jsonl"
    story.write_text("\n".join(map(json.dumps, story_of(recorded()))))
    with replaying(story, NOW) as url:
        settings = load_settings({"PHOENIX_HOME": str(folder / "home"), "PHOENIX_ARGOCD_URL": url})
        for _ in range(2):
            [done] = sync_argocd(settings, clock=lambda: datetime.now(UTC))
            assert (done.state, done.note) == ("ok", None)
    assert set(done.landed) <= {"argocd_sightings"}  # the second pass found nothing new
    publish_landing(settings.home)
    return settings.home


def test_each_rollout_is_told_with_how_it_stands(home: Path) -> None:
    """Those that were aborted are, and no others; a version is promoted where it is the stable one."""
    rollouts = {name: one for name, one in recorded().items() if one["kind"] == "Rollout"}
    found = rows(home, "select rollout, status, aborted_at from marts.rollouts")
    assert {row["rollout"] for row in found} == set(rollouts)
    told = {row["rollout"]: row for row in found}
    for name, manifest in rollouts.items():
        status = manifest.get("status") or {}
        assert (told[name]["status"] == "aborted") == bool(status.get("abort")), name
        if status.get("abort") and status.get("abortedAt"):
            aborted_at = told[name]["aborted_at"]
            assert isinstance(aborted_at, datetime)
            assert f"{aborted_at:%Y-%m-%dT%H:%M:%SZ}" == status["abortedAt"]
        if not status.get("abort") and status.get("stableRS"):
            assert (told[name]["status"] == "promoted") == (status["stableRS"] == status["currentPodHash"]), name


def test_each_abort_with_something_to_go_back_to_is_a_rollback(home: Path) -> None:
    """Seven of the recorded Rollouts had been aborted, all of them from a version that was stable before."""
    found = rows(home, "select kind, confidence from marts.rollbacks")
    assert Counter((row["kind"], row["confidence"]) for row in found) == {("rollout_abort", "explicit"): 7}


def test_each_analysis_run_is_told_with_how_it_ended(home: Path, tmp_path: Path) -> None:
    """All phases occur, among them none at all; an Experiment is neither."""
    runs = {name: one for name, one in recorded().items() if one["kind"] == "AnalysisRun"}
    found = rows(home, "select analysis_run, phase from staging.argocd_analysis_runs")
    assert {row["analysis_run"]: row["phase"] for row in found} == {
        name: (one.get("status") or {}).get("phase") for name, one in runs.items()
    }
