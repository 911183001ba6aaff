"""What is kept of an application: what deployments are told by, and nothing that could be a secret."""

import json
from typing import Any

import pytest
import yaml

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.sources.argocd.applications import application_payload, source_fingerprint

RECORDED = CHECKOUT.parent / "shared" / "data" / "argocd"
SHOP = {"name": "shop", "namespace": "argocd"}


def kept(application: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(application_payload(application))
    return found


def recorded() -> list[dict[str, Any]]:
    """Return the recorded applications, of every file."""
    found: list[dict[str, Any]] = []
    for path in sorted(RECORDED.rglob("*")):
        if path.suffix in (".yaml", ".json"):
            for document in yaml.safe_load_all(path.read_text()):
                found += document.get("items", [document]) if isinstance(document, dict) else document
    return [
        one
        for one in found
        if isinstance(one, dict) and one.get("kind", "Application") == "Application" and "spec" in one
    ]


def test_an_application_without_anything_is_kept() -> None:
    """Just made: no history, no operation, no health; a uid that is missing is stood for by the names."""
    payload = kept({"metadata": SHOP, "spec": {"project": "default"}})
    assert payload["metadata"] == {**SHOP, "uid": "argocd/shop"}
    assert payload["status"]["history"] == []
    assert payload["status"]["operationState"] is None
    assert payload["operation"] is None


def test_several_sources_keep_their_order_beside_their_revisions() -> None:
    """The single source of a multi-source entry is a shell without an address."""
    git, chart = {"repoURL": "https://x/configs", "path": "a"}, {"repoURL": "https://x/charts", "chart": "redis"}
    entry = {"id": 3, "revisions": ["abc", "1.4.2"], "sources": [git, chart], "source": {"repoURL": ""}}
    [found] = kept({"metadata": SHOP, "status": {"history": [entry]}})["status"]["history"]
    assert found["isMultiSource"]
    assert found["revisions"] == ["abc", "1.4.2"]
    assert [(one["repoURL"], one.get("chart")) for one in found["sources"]] == [
        ("https://x/configs", None),
        ("https://x/charts", "redis"),
    ]


def test_nothing_that_may_be_a_secret_is_kept() -> None:
    """Passwords in addresses, values of overrides, manifests of a local sync; yet a change of an override shows."""
    source = {
        "repoURL": "https://user:hunter2@git.example/configs",
        "helm": {"parameters": [{"name": "password", "value": "hunter2"}]},
    }
    state = {"phase": "Succeeded", "operation": {"sync": {"manifests": ["password: hunter2"], "source": source}}}
    application = {"metadata": SHOP, "spec": {"source": source}, "status": {"operationState": state}}
    text = application_payload(application)
    assert "hunter2" not in text
    assert kept(application)["status"]["operationState"]["operation"]["sync"]["isLocal"]
    other = {**source, "helm": {"parameters": [{"name": "password", "value": "other"}]}}
    assert source_fingerprint(source) != source_fingerprint(other)


def test_a_target_revision_does_not_tell_sources_apart() -> None:
    """It says where to look, not what is deployed: a fingerprint that moved with it would hide a rollback."""
    source = {"repoURL": "https://x/configs", "path": "a", "targetRevision": "main"}
    assert source_fingerprint(source) == source_fingerprint({**source, "targetRevision": "v1"})


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not beside the project")
def test_recorded_applications_keep_what_deployments_are_told_by() -> None:
    """Each history entry with its times and revision, each operation with its phase; for a fraction of the bytes."""
    applications = recorded()
    assert len(applications) >= 8
    for application in applications:
        status, payload = application.get("status") or {}, kept(application)
        for entry, found in zip(status.get("history") or [], payload["status"]["history"], strict=True):
            for key in ("id", "revision", "revisions", "deployStartedAt", "deployedAt", "initiatedBy"):
                assert found.get(key) == (str(entry[key]) if hasattr(entry.get(key), "isoformat") else entry.get(key))
        state, found = status.get("operationState"), payload["status"]["operationState"]
        assert (found is None) == (not state)
        if state:
            assert found["phase"] == state["phase"]
            assert len((found["syncResult"] or {}).get("resources") or []) == len(
                (state.get("syncResult") or {}).get("resources") or []
            )
