"""The receiver: what it refuses, what it acknowledges, and that nothing acknowledged is lost."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import load_settings
from phoenix_metrics.webhooks import github as route
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.server import serve
from phoenix_metrics.webhooks.spool import Spool, adopt_orphans, folder, read_segment, ready_segments

SECRET = "it is one"
BODY = json.dumps({"action": "completed", "workflow_run": {"id": 1}}).encode()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.close()


@pytest.fixture
def client(spool: Spool) -> TestClient:
    return TestClient(receiver(spool, SECRET))


def headers(body: bytes = BODY, secret: str = SECRET, **changes: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }


def spooled(home: Path) -> list[str]:
    """The ids of the deliveries on the disk, closed or not."""
    return [
        delivery.delivery_id
        for path in sorted(folder(home).glob("*.*"))
        if path.suffix in (".open", ".ready")
        for delivery in read_segment(path).deliveries
    ]


def test_a_delivery_is_on_the_disk_before_it_is_acknowledged(client: TestClient, tmp_path: Path) -> None:
    """Accepted, and at once readable by whoever comes next."""
    assert client.post("/github", content=BODY, headers=headers()).status_code == 202
    assert spooled(tmp_path) == ["d-1"]


def test_a_delivery_sent_again_is_acknowledged_and_kept_once(client: TestClient, tmp_path: Path) -> None:
    """GitHub's redeliveries keep their id; so does a replayed one."""
    answers = [client.post("/github", content=BODY, headers=headers()).status_code for _ in range(3)]
    assert answers == [202, 200, 200]
    assert spooled(tmp_path) == ["d-1"]


@pytest.mark.parametrize(
    ("body", "sent", "status"),
    [
        (BODY, headers(secret="another"), 401),
        (BODY, headers(X_Hub_Signature_256=""), 401),
        (BODY, headers(X_Hub_Signature_256="sha256=é"), 401),
        (BODY + b" ", headers(), 401),
        (BODY, headers(Content_Type="application/x-www-form-urlencoded"), 415),
        (BODY, headers(X_GitHub_Delivery=""), 400),
        (b"[1]", headers(b"[1]"), 400),
        (b"{", headers(b"{"), 400),
        (BODY, headers(X_GitHub_Event="stars"), 202),
        (BODY, headers(X_GitHub_Event="ping"), 202),
    ],
    ids=["secret", "unsigned", "odd", "changed", "form", "no id", "no object", "no JSON", "not needed", "ping"],
)
def test_what_is_no_delivery_of_ours_is_not_stored(
    client: TestClient, tmp_path: Path, body: bytes, sent: dict[str, str], status: int
) -> None:
    """Unsigned, malformed or not needed: answered, and nothing is written."""
    encoded = {name: value.encode("utf-8") for name, value in sent.items()}
    assert client.post("/github", content=body, headers=encoded).status_code == status
    assert spooled(tmp_path) == []


def test_a_body_that_is_too_long_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to the end, whatever its signature."""
    monkeypatch.setattr(route, "BODY_LIMIT", 100)
    body = json.dumps({"x": "y" * 200}).encode()
    assert client.post("/github", content=body, headers=headers(body)).status_code == 413


def test_a_full_disk_acknowledges_nothing(
    client: TestClient, spool: Spool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """503 makes it a failed delivery at GitHub; sent again later, it is stored."""

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "_open", full)
    answer = client.post("/github", content=BODY, headers=headers())
    assert (answer.status_code, "No space left" in answer.text) == (503, True)
    monkeypatch.undo()
    assert client.post("/github", content=BODY, headers=headers()).status_code == 202
    assert spooled(tmp_path) == ["d-1"]


def test_what_a_killed_receiver_left_is_adopted_without_its_torn_end(tmp_path: Path) -> None:
    """A segment that nobody holds is closed; its last line, without an end, was never acknowledged."""
    folder(tmp_path).mkdir()
    whole = json.dumps(
        {"delivery_id": "d-1", "event": "release", "received_at": "2026-03-02T10:00:00+00:00", "payload": {}}
    )
    (folder(tmp_path) / "a-1-1.open").write_text(f"{whole}\n{whole[:20]}")
    assert adopt_orphans(tmp_path) == 1
    [path] = ready_segments(tmp_path)
    segment = read_segment(path)
    assert ([one.delivery_id for one in segment.deliveries], segment.is_torn) == (["d-1"], True)


def test_a_living_receivers_segment_is_left_alone(client: TestClient, tmp_path: Path) -> None:
    """Its lock says that it is being written."""
    client.post("/github", content=BODY, headers=headers())
    if list(folder(tmp_path).glob("*.open")):
        assert adopt_orphans(tmp_path) == 0


def test_ids_are_remembered_across_a_restart(tmp_path: Path) -> None:
    """A receiver that starts again knows what is in the spool."""
    first = Spool(tmp_path)
    first.append("d-1", "release", b"{}")[0].result()
    first.close()
    second = Spool(tmp_path)
    assert second.append("d-1", "release", b"{}")[1] is False
    second.close()
    assert spooled(tmp_path) == ["d-1"]


def test_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    """Unsigned deliveries would be believed."""
    with pytest.raises(SettingsError, match="PHOENIX_WEBHOOK_SECRET"):
        serve(load_settings({"PHOENIX_HOME": str(tmp_path)}))
