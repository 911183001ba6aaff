"""Passes over an Argo CD that plays a story: nothing that people and the cluster did is missed between two passes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.demo.argocd.actions import Abort, Action, Commit, Create, Delete, Outcome, Promote, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from tests import argocd_server

REPLAY = CHECKOUT.parent / "shared" / "tools" / "argocd_replay.py"
RECORDED = CHECKOUT.parent / "shared" / "data" / "rollouts"
START = datetime(2026, 1, 2, 8, tzinfo=UTC)
MINUTE = 60
ROLLS = Outcome(healthy_after=None)
FAILS = Outcome("Failed", message="one or more objects failed to apply")


def settings_of(url: str, folder: Path) -> Settings:
    return load_settings({"PHOENIX_HOME": str(folder / "home"), "PHOENIX_ARGOCD_URL": url, "PHOENIX_ARGOCD_TOKEN": "t"})


def landed(settings: Settings, name: str) -> list[dict[str, Any]]:
    files = sorted((settings.home / "landing" / f"argocd_{name}").glob("*/*.parquet"), key=lambda file: file.name)
    return [json.loads(text) for file in files for text in pq.read_table(file)["payload"].to_pylist()]


def story() -> list[Action]:
    """Return three hours: a sync each ten minutes, each second one failed and tried again within the minute."""
    at = int(START.timestamp())
    told: list[Action] = [Create(at, "shop"), Create(at, "canary", rollouts=("api",)), Create(at, "old")]
    for turn in range(18):
        at += 10 * MINUTE
        told.append(Commit(at, "shop", (f"{turn + 1:040x}",), {"shop": f"ghcr.io/acme/shop:{turn}"}))
        if turn % 2:
            told.append(Sync(at, "shop", outcome=FAILS))
        told.append(Sync(at + 30, "shop"))
    at = int(START.timestamp()) + 60 * MINUTE
    ends: list[Action] = [Promote(at + 50 * MINUTE, "canary", "api", 300), Abort(at + 80 * MINUTE, "canary", "api")]
    for turn in range(3):  # the first version of a Rollout needs no steps
        told.append(Commit(at, "canary", (f"{turn + 100:040x}",), {"api": f"ghcr.io/acme/api:{turn}"}))
        told.append(Sync(at + 10, "canary", outcome=ROLLS if turn else Outcome()))
        at += 30 * MINUTE
    told += ends
    return [*told, Delete(at + 5 * MINUTE, "old")]


def test_every_operation_is_told_of_by_a_pass_each_five_minutes(tmp_path: Path) -> None:
    """Those that were overwritten by their events; a canary's end, an abort, a deletion; and never a refresh."""
    actions = story()
    syncs = [one for one in actions if isinstance(one, Sync)]
    with argocd_server.serving(Cluster(actions), START, token="t") as server:
        settings = settings_of(server.url, tmp_path)
        for _ in range(40):
            server.wait(minutes=5)
            [done] = sync_argocd(settings, lambda: server.now)
            assert (done.state, done.note) == ("ok", None)
        assert server.cluster.refusals == []
        assert server.refreshes == []
    events = landed(settings, "events")
    assert len({one["uid"] for one in events}) == len(events)
    ends = [one for one in events if one["reason"] == "OperationCompleted"]
    assert len(ends) == len(syncs)
    assert sum("failed" in one["message"] for one in ends) == sum(one.outcome is FAILS for one in syncs)
    succeeded = {one.at + one.starts_after for one in syncs if one.outcome is not FAILS}
    assert {
        int(datetime.fromisoformat(entry["deployStartedAt"]).timestamp())
        for one in landed(settings, "applications")
        for entry in one["status"]["history"]
    } == succeeded
    aborted = [
        one["rollout"]["status"] for one in landed(settings, "rollouts") if one["rollout"]["status"].get("abort")
    ]
    assert len({one["abortedAt"] for one in aborted}) == 1
    phases = {one["analysisRun"]["status"]["phase"] for one in landed(settings, "analysis_runs")}
    assert {"Successful", "Failed"} <= phases
    images = {image for one in landed(settings, "replica_sets") for image in one["images"]}
    assert {f"ghcr.io/acme/api:{turn}" for turn in range(3)} <= images
    gone = [(one["application"], one["state"]) for one in landed(settings, "sightings") if one["state"] != "seen"]
    assert gone == [("old", "deleted")]
    commits = {one["revision"] for one in landed(settings, "revisions") if one["date"]}
    assert commits >= {f"{turn + 1:040x}" for turn in range(18)}


@pytest.fixture
def replayed(tmp_path: Path) -> Iterator[str]:
    """Return the address of a replay server with a recorded Rollout, whose tree tells names and kinds only."""
    if not REPLAY.is_file() or not RECORDED.is_dir():
        pytest.skip("the replay server and the recordings are not beside the project")
    manifests = [yaml.safe_load(path.read_text()) for path in sorted(RECORDED.rglob("*bortedRollout.yaml"))]
    rollout = json.loads(json.dumps(manifests[0], default=str))
    application = {
        "metadata": {"name": "shop", "namespace": "argocd", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"project": "default"},
        "status": {
            "health": {"status": "Degraded"},
            "resources": [{"group": "argoproj.io", "kind": "Rollout", "name": "api"}],
        },
    }
    resource = {"application": "shop", "kind": "Rollout", "name": "api", "namespace": "prod", "manifest": rollout}
    rows = [{"at": "2026-01-01T00:00:00Z", **told} for told in ({"application": application}, {"resource": resource})]
    file = tmp_path / "story.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, str(REPLAY), str(file), "--port", "0", "--token", "t", "--root-path", "/argo-cd"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield re.findall(r"http://\S+", server.stdout.readline())[0]
        server.kill()


def test_a_tree_that_tells_names_only_is_enough(replayed: str, tmp_path: Path) -> None:
    """Neither parents nor revisions nor health: the manifests tell; a second pass lands nothing."""
    settings = settings_of(replayed, tmp_path)
    now = datetime.now(UTC)
    [first] = sync_argocd(settings, lambda: now)
    assert (first.state, first.note, first.landed["argocd_rollouts"]) == ("ok", None, 1)
    [second] = sync_argocd(settings, lambda: now + timedelta(minutes=1))
    assert second.landed == {}
    [rollout] = landed(settings, "rollouts")
    assert rollout["rollout"]["status"]["abort"]
    assert httpx.get(f"{replayed}/_control").json()["refreshes"] == 0
