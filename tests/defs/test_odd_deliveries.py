"""What Argo CD may say and no cluster of ours plays: states written by hand, polled, and followed into deployments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.settings import load_settings
from tests.conftest import publish_landing, rows
from tests.written_argocd import REPOSITORY, SHA, ArgoCD, serving

APPLICATION = "api-production"
SOURCE = {"repoURL": REPOSITORY, "path": APPLICATION}
NEXT = f"{2:040x}"


@pytest.fixture
def argocd() -> Iterator[ArgoCD]:
    """A running server with one application of one deployment."""
    with serving(ArgoCD()) as server:
        server.add(APPLICATION)
        yield server


def polled(argocd: ArgoCD, folder: Path, columns: str) -> list[dict[str, Any]]:
    """Return what is known of its deployments after one more pass, a minute later; the oldest first."""
    settings = load_settings({"PHOENIX_HOME": str(folder), "PHOENIX_ARGOCD_URL": argocd.url})
    argocd.clock.pass_by(minutes=1)
    [done] = sync_argocd(settings, argocd.clock)
    assert (done.state, done.note) == ("ok", None)
    publish_landing(settings.home)
    return rows(settings.home, f"select {columns} from marts.deployments order by started_at, revision")


def health_note(folder: Path) -> str | None:
    """Return what is said of the server."""
    [found] = rows(folder, "select note from marts.data_health where source = 'argocd'")
    return found["note"]


def operation(argocd: ArgoCD, phase: str, revision: str | None, **details: object) -> dict[str, Any]:
    """Make an operation the application's latest: it began a minute ago and, with `revision`, came to that."""
    state = {
        "phase": phase,
        "startedAt": argocd.clock.text(minutes=1),
        "operation": {"sync": {"revision": NEXT}, "initiatedBy": {"username": "ann"}},
        **({"syncResult": {"revision": revision, "source": SOURCE}} if revision else {}),
        **details,
    }
    argocd.applications["argocd", APPLICATION]["status"]["operationState"] = state
    return state


def test_nothing_happened_to_an_application_yet(argocd: ArgoCD, tmp_path: Path) -> None:
    """No history, no operation, no health, lists that are null: an application without deployments, and no error."""
    argocd.applications["argocd", APPLICATION]["status"] = {
        "history": None, "operationState": None, "health": {}, "summary": {"images": None}, "resources": None,
    }  # fmt: skip
    assert polled(argocd, tmp_path, "*") == []
    [found] = rows(tmp_path, "select operation_count, missing_count, unknown_gap_count from marts.applications")
    assert found == {"operation_count": 0, "missing_count": 0, "unknown_gap_count": 0}


def test_no_applications_at_all(tmp_path: Path) -> None:
    """A list that is null is empty."""
    with serving(ArgoCD()) as argocd:
        assert polled(argocd, tmp_path, "*") == []


def test_an_operation_is_nothing_until_the_controller_takes_it(argocd: ArgoCD, tmp_path: Path) -> None:
    """Requested: no row of its own, since it has no start yet; then one, open, then ended."""
    application = argocd.applications["argocd", APPLICATION]
    del application["status"]["operationState"]
    application["operation"] = {"sync": {"revision": NEXT}, "initiatedBy": {"username": "ann"}}
    assert polled(argocd, tmp_path, "status, revision") == [{"status": "succeeded", "revision": SHA}]
    del application["operation"]
    operation(argocd, "Running", None)
    assert polled(argocd, tmp_path, "status, revision") == [
        {"status": "succeeded", "revision": SHA},
        {"status": "open", "revision": NEXT},
    ]


def test_an_operation_that_waits_for_its_next_attempt_is_open(argocd: ArgoCD, tmp_path: Path) -> None:
    """It is Running and has an end all the same, its last attempt's; attempts are one more than retries."""
    operation(argocd, "Running", None, finishedAt=argocd.clock.text(), retryCount=2, message="will be tried again")
    columns = "status, finished_at, duration_seconds, attempt_count"
    _, waiting = polled(argocd, tmp_path, columns)
    assert waiting == {"status": "open", "finished_at": None, "duration_seconds": None, "attempt_count": 3}


def test_two_operations_of_one_second_are_two(argocd: ArgoCD, tmp_path: Path) -> None:
    """The first failed at once and the next commit was synced within its second."""
    first = operation(argocd, "Failed", NEXT, finishedAt=argocd.clock.text(minutes=1))
    columns = "status, revision, duration_seconds"
    failed = {"status": "failed", "revision": NEXT, "duration_seconds": 0.0}
    assert polled(argocd, tmp_path, columns)[1:] == [failed]
    other = f"{3:040x}"
    began = {"startedAt": first["startedAt"], "finishedAt": argocd.clock.text(minutes=1, seconds=-4)}
    operation(argocd, "Succeeded", other, **began)
    found = polled(argocd, tmp_path, columns)[1:]
    assert found[0] == failed
    assert (found[1]["status"], found[1]["revision"]) == ("succeeded", other)


def test_a_clock_that_is_ahead_or_was_set_back_costs_a_duration_only(argocd: ArgoCD, tmp_path: Path) -> None:
    """What starts in an hour is stored as it says; what ended before it began has no duration, and is counted."""
    operation(argocd, "Running", None, startedAt=argocd.clock.text(hours=-1))
    columns = "status, started_at > first_seen_at as is_ahead, duration_seconds"
    assert polled(argocd, tmp_path, columns)[1:] == [{"status": "open", "is_ahead": True, "duration_seconds": None}]
    assert health_note(tmp_path) is None
    started_at = argocd.clock.text(minutes=1, hours=-1)
    operation(argocd, "Succeeded", NEXT, startedAt=started_at, finishedAt=argocd.clock.text())
    ended = {"status": "succeeded", "is_ahead": True, "duration_seconds": None}
    assert polled(argocd, tmp_path, columns)[1:] == [ended]
    assert health_note(tmp_path) == "operations that ended before they began, by its clock: 1"


def test_a_hydrated_application_keeps_both_commits(argocd: ArgoCD, tmp_path: Path) -> None:
    """The commit that was synced, and the one it was made from, also once the hydrator is ahead of what is synced."""
    status = argocd.applications["argocd", APPLICATION]["status"]
    dry, later, unseen = (f"{number:040x}" for number in (11, 12, 13))
    status["sourceHydrator"] = {"lastSuccessfulOperation": {"drySHA": dry, "hydratedSHA": SHA}}
    assert polled(argocd, tmp_path, "revision, dry_sha") == [{"revision": SHA, "dry_sha": dry}]
    status["sourceHydrator"] = {
        "lastSuccessfulOperation": {"drySHA": dry, "hydratedSHA": SHA},
        "currentOperation": {"phase": "Hydrated", "drySHA": later, "hydratedSHA": NEXT},
    }
    operation(argocd, "Succeeded", NEXT, finishedAt=argocd.clock.text())
    both = [{"revision": SHA, "dry_sha": dry}, {"revision": NEXT, "dry_sha": later}]
    assert polled(argocd, tmp_path, "revision, dry_sha") == both
    status["sourceHydrator"] = {"lastSuccessfulOperation": {"drySHA": unseen, "hydratedSHA": f"{4:040x}"}}
    assert polled(argocd, tmp_path, "revision, dry_sha") == both
