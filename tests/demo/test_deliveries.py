"""The demo organisation's deliveries: from a build to production, and what goes wrong on the way."""

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta

import pytest

from phoenix_metrics.demo.argocd.actions import Abort, Commit, Rollback, SetImage, Sync
from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.deliveries import DEVELOPMENT, PRODUCTION, STAGING, Deliveries, LivingCluster
from phoenix_metrics.demo.universe import DAY, Universe
from phoenix_metrics.demo.world import World
from tests.demo.conftest import NOW, Visitor

TODAY = int(NOW.timestamp()) // DAY
STORY = range(TODAY - 88, TODAY)


@pytest.fixture(scope="module")
def living() -> LivingCluster:
    """The cluster as it is now."""
    universe = Universe()
    cluster = LivingCluster(universe, World(universe, 60, BreakageLog()), 60)
    cluster.live_until(int(NOW.timestamp()))
    cluster.cluster.advance(int(NOW.timestamp()))
    return cluster


@pytest.fixture(scope="module")
def told() -> list[object]:
    """Everything that is done in twelve weeks."""
    universe = Universe()
    story = Deliveries(universe, World(universe, 60, BreakageLog()))
    return [action for day in STORY for action in story.day(day)]


def test_argo_cd_refuses_nothing(living: LivingCluster) -> None:
    """People of the organisation ask for nothing that Argo CD would refuse, and each environment is delivered to."""
    assert living.cluster.refusals == []
    entries = {one["metadata"]["name"]: len(one["status"]["history"]) for one in living.cluster.applications()}
    assert entries[DEVELOPMENT] == 10
    assert entries[STAGING] > entries[PRODUCTION] > 30


def test_a_restart_tells_the_same_story() -> None:
    """A server started days later tells the same of the days before, ids and times and all."""
    with ExitStack() as stack:
        earlier, later = Visitor(stack, NOW), Visitor(stack, NOW + timedelta(days=3))
        earlier.ask("/argo-cd/api/v1/applications")
        earlier.now = later.now
        path = "/argo-cd/api/v1/applications"
        assert earlier.ask(path).json()["items"] == later.ask(path).json()["items"]


def test_production_gets_what_staging_had(told: list[object]) -> None:
    """A version comes to production only after it was promoted to staging, and there only after development."""
    versions: dict[str, set[str]] = {DEVELOPMENT: set(), STAGING: set(), PRODUCTION: set()}
    before = {STAGING: DEVELOPMENT, PRODUCTION: STAGING}
    for action in told:
        if isinstance(action, Commit):
            version = action.images["api"]
            if action.name in before:
                assert version in versions[before[action.name]]
            versions[action.name].add(version)
    assert all(len(found) > 20 for found in versions.values())


def test_things_go_wrong(told: list[object]) -> None:
    """In twelve weeks canaries are stopped, people go back, operations fail and somebody works past Git."""
    counts = Counter(type(action) for action in told)
    failed = [action for action in told if isinstance(action, Sync) and action.outcome.phase == "Failed"]
    reverts = [action for action in told if isinstance(action, Commit) and action.message.startswith("Revert")]
    assert {action.name for action in failed} >= {DEVELOPMENT, STAGING}
    assert min(counts[Abort], counts[Rollback], counts[SetImage], len(reverts)) > 0


def test_an_image_is_of_a_build_that_was_done() -> None:
    """What development runs was built by a run of main whose update-manifests had ended before."""
    with ExitStack() as stack:
        visitor = Visitor(stack)
        application = visitor.ask(f"/argo-cd/api/v1/applications/{DEVELOPMENT}").json()
        sha = application["status"]["summary"]["images"][0].rpartition("main-")[2]
        runs = [run for run in visitor.runs(head_sha=sha) if run["path"].endswith("/ci.yml")]
        jobs = [job for run in runs for job in visitor.all(f"/actions/runs/{run['id']}/jobs", "jobs", filter="all")]
        (updated,) = [job for job in jobs if job["name"] == "update-manifests" and job["conclusion"] == "success"]
        assert updated["completed_at"] < application["status"]["history"][-1]["deployStartedAt"]
