"""The receiver's route for Argo CD: who is believed, what is refused with a reason, and what is kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from phoenix_metrics.defs.deliveries import drain
from phoenix_metrics.webhooks.argocd import BODY_LIMIT
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Spool, adopt_orphans, folder

SECRET, GITHUB = "argo's", "github's"
STATE = {
    "phase": "Failed",
    "startedAt": "2026-03-02T10:00:00Z",
    "finishedAt": "2026-03-02T10:00:05Z",
    "operation": {"sync": {"manifests": ["password: hunter2"]}, "initiatedBy": {"username": "ada"}},
}
TOLD = {"name": "shop", "namespace": "argocd", "uid": "u1", "project": "default", "operationState": STATE}
Headers = dict[str, str]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.close()


@pytest.fixture
def client(spool: Spool) -> TestClient:
    return TestClient(receiver(spool, GITHUB, SECRET, {"argocd", "eu"}))


def post(client: TestClient, told: Any, path: str = "/argocd", authorization: str = f"Bearer {SECRET}") -> int:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return client.post(path, content=body, headers={"Authorization": authorization}).status_code


def test_what_comes_again_is_acknowledged_and_kept_once(client: TestClient) -> None:
    """The same end of the same operation, of the same server; another server's is another."""
    assert [post(client, TOLD), post(client, TOLD), post(client, TOLD, "/argocd/eu")] == [202, 200, 202]
    retried = {**TOLD, "operationState": {**STATE, "retryCount": 1, "finishedAt": "2026-03-02T10:01:05Z"}}
    assert post(client, retried) == 202


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", f"Bearer {GITHUB}", f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer \u00fc"]
)
def test_who_does_not_know_the_secret_is_refused(client: TestClient, authorization: str) -> None:
    """GitHub's secret is another one, and a scheme belongs to it."""
    body, headers = json.dumps(TOLD).encode(), [("Authorization", authorization.encode())]
    answer = client.post("/argocd", content=body, headers=headers)
    assert (answer.status_code, "PHOENIX_ARGOCD_WEBHOOK_SECRET" in answer.json()["error"]) == (401, True)


def test_a_server_that_is_not_configured_is_refused(client: TestClient, spool: Spool) -> None:
    """It names those that are; with none configured any proper name is taken."""
    answer = client.post("/argocd/us", content=b"{}", headers={"Authorization": f"Bearer {SECRET}"})
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        "no Argo CD server goes by this name; known here: argocd, eu",
    )
    anyone = TestClient(receiver(spool, None, SECRET))
    assert [post(anyone, TOLD, "/argocd/us"), post(anyone, TOLD, "/argocd/9")] == [202, 404]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{" * 100_000, 400),
        ({}, 400),
        ({**TOLD, "operationState": None}, 400),
        ({**TOLD, "operationState": {**STATE, "startedAt": None}}, 400),
        ({**TOLD, "uid": 7}, 400),
        (b" " * (BODY_LIMIT + 1), 413),
    ],
)
def test_what_is_no_notification_is_refused(client: TestClient, body: Any, status: int) -> None:
    """A wrong template, an empty state, a body without an end."""
    assert post(client, body) == status


def test_manifests_of_a_local_sync_are_never_written(client: TestClient, spool: Spool, tmp_path: Path) -> None:
    """They may hold secrets; that there were some is kept. Odd shapes are set aside by the drain, not lost."""
    odd = {**TOLD, "operationState": {**STATE, "operation": "sync"}}
    assert [post(client, TOLD), post(client, odd | {"uid": "u2"})] == [202, 202]
    assert all(b"hunter2" not in path.read_bytes() for path in folder(tmp_path).glob("*.*"))
    spool.close()
    adopt_orphans(tmp_path)
    done = drain(tmp_path)
    assert (done.events["argocd_notification"], done.error_count) == (1, 1)
    assert len(list((tmp_path / "spool-set-aside").iterdir())) == 1
