"""A morning on which everything that a cluster can do happens once, and Argo CD's own description of its answers."""

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from phoenix_metrics.demo.argocd.actions import (
    Abort,
    Action,
    Commit,
    Configure,
    Create,
    Degrade,
    Delete,
    LoseStatus,
    Outcome,
    Promote,
    RetryRollout,
    Rollback,
    SetImage,
    Source,
    Sync,
    Terminate,
    Undo,
)
from phoenix_metrics.settings import CHECKOUT

SHARED = CHECKOUT.parent / "shared"
SWAGGER = SHARED / "reference" / "argocd-swagger.json"
CONTRACT = SHARED / "tools" / "argocd_contract.py"

T0 = int(datetime(2026, 1, 2, 9, 0, tzinfo=UTC).timestamp())  # a Friday
SHOP, CHART, ROOT = "shop-production", "search-staging", "everything"
A, B, C, D, E, F = (letter * 40 for letter in "abcdef")


def at(second: int) -> str:
    """Return a moment of the story as Argo CD writes it."""
    return datetime.fromtimestamp(T0 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def images(sha: str) -> dict[str, str]:
    """Return the images of the shop's services at a commit of their code."""
    return {service: f"ghcr.io/phoenix/platform/{service}:main-{sha[:7]}" for service in ("api", "web")}


def eventful() -> list[Action]:
    """Return a story of three applications, with a failure of each kind and each way back; it takes two hours."""
    sources = (
        Source("https://github.com/phoenix/deployments.git", path="search"),
        Source("https://charts.example.com", chart="search", target_revision="1.*"),
    )
    slow = Outcome(healthy_after=None)
    return [
        Create(T0, SHOP, rollouts=("api",), labels={"team": "shop", "env": "production"}, is_automated=False),
        Create(T0, CHART, project="search", sources=sources, history_limit=2),
        Create(T0, ROOT, namespace="platform", is_app_of_apps=True),
        Commit(T0 + 10, ROOT, (A,), {}),
        Sync(T0 + 20, ROOT),
        *(Commit(T0 + 30 + i * 300, CHART, (sha, f"1.{i}.0"), images(sha)) for i, sha in enumerate((D, E, F))),
        *(Sync(T0 + 40 + i * 300, CHART) for i in range(3)),
        Commit(T0 + 10, SHOP, (A,), images(A)),
        Sync(T0 + 20, SHOP, by="alice"),
        Commit(T0 + 600, SHOP, (B,), images(B), message="Ship B"),
        Sync(T0 + 620, SHOP, by="alice", outcome=Outcome(failed_attempts=2, healthy_after=None)),
        Abort(T0 + 1200, SHOP, "api"),
        RetryRollout(T0 + 1300, SHOP, "api"),
        Promote(T0 + 1500, SHOP, "api", analysis_seconds=60),
        Rollback(T0 + 1600, SHOP, 0, by="bob"),
        Sync(T0 + 1700, SHOP, by="alice", outcome=Outcome("Failed", applies=False)),
        Sync(T0 + 1800, SHOP, by="alice", outcome=Outcome("Failed")),
        Sync(T0 + 1900, SHOP, by="alice", outcome=Outcome("Error")),
        Sync(T0 + 2000, SHOP, by="alice", kind="dry_run"),
        SetImage(T0 + 2100, SHOP, "web", "ghcr.io/phoenix/platform/web:hotfix"),
        Sync(T0 + 2110, SHOP, kind="self_heal"),
        Undo(T0 + 2200, SHOP, "api"),
        Sync(T0 + 2300, SHOP, by="alice", kind="partial"),
        Sync(T0 + 2400, SHOP, by="alice", outcome=Outcome(blocked_seconds=100)),
        Terminate(T0 + 2450, SHOP, by="carol"),
        Sync(T0 + 2500, SHOP, is_appset=True),
        Sync(T0 + 2600, SHOP, is_anonymous=True, outcome=Outcome(prune_skipped=True)),
        Sync(T0 + 2700, SHOP, by="alice", kind="local", images={"web": "localhost/web:dev"}, info={"ticket": "7"}),
        Configure(T0 + 2800, SHOP, target_revision="release", is_automated=True),
        Rollback(T0 + 2850, SHOP, 0, by="bob"),
        Degrade(T0 + 2900, SHOP),
        Degrade(T0 + 3000, SHOP, "Suspended"),
        Commit(T0 + 3090, SHOP, (C,), images(C)),
        Sync(T0 + 3100, SHOP, outcome=slow),
        Abort(T0 + 3200, SHOP, "api", analysis=None),
        LoseStatus(T0 + 3300, SHOP),
        Sync(T0 + 3400, SHOP),
        Delete(T0 + 4000, SHOP),
        Create(T0 + 4100, SHOP, rollouts=("api",)),
        Commit(T0 + 4110, SHOP, (C,), images(C)),
        Sync(T0 + 4120, SHOP),
    ]


def contract(definition: str) -> Callable[[Any], list[str]]:
    """Return what finds the faults of an answer by Argo CD's swagger; skips the test where that is not here."""
    if not (SWAGGER.is_file() and CONTRACT.is_file()):
        pytest.skip("Argo CD's description of its API is not next to this checkout")
    spec = importlib.util.spec_from_file_location("argocd_contract", CONTRACT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    validator = module.validator(json.loads(SWAGGER.read_text("utf-8")), definition, strict=True)
    return lambda answer: [f"{error.json_path}: {error.message[:160]}" for error in validator.iter_errors(answer)]
