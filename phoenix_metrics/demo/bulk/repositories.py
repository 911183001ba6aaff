"""The repositories and their workflows, and the records that their whole history was read."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from phoenix_metrics.demo.bulk.plan import Plan
from phoenix_metrics.demo.bulk.texts import node
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.workflows import WORKFLOWS

FIRST_REPOSITORY = 700_000_001
_FIRST_WORKFLOW = 80_000_001
_MARGIN = 7 * DAY  # what would have ended too late began that much before the first day

Row = tuple[int, int | None, str]  # repository, object, payload


def full_name(repository: int) -> str:
    """Return the name of a repository, owner/name."""
    return f"phoenix/service-{repository + 1:04}"


def workflow_ids(repository: np.ndarray, workflow: np.ndarray) -> np.ndarray:
    """Return the ids of workflows."""
    return _FIRST_WORKFLOW + repository * len(WORKFLOWS) + workflow


def repositories(plan: Plan) -> Iterator[Row]:
    """Yield each repository's description."""
    for each in range(plan.repositories):
        name, repository_id = full_name(each), FIRST_REPOSITORY + each
        payload = {
            "archived": False,
            "created_at": FOUNDED_AT,
            "default_branch": "main",
            "disabled": False,
            "fork": False,
            "full_name": name,
            "html_url": f"https://github.com/{name}",
            "id": repository_id,
            "private": True,
            "visibility": "private",
        }
        yield repository_id, repository_id, _as_text(payload)


def workflows(plan: Plan) -> Iterator[Row]:
    """Yield each workflow of each repository."""
    for each in range(plan.repositories):
        ids = workflow_ids(np.full(len(WORKFLOWS), each), np.arange(len(WORKFLOWS)))
        for workflow, workflow_id, node_id in zip(WORKFLOWS, ids.tolist(), node(ids).to_pylist(), strict=True):
            web = f"https://github.com/{full_name(each)}"
            payload = {
                "badge_url": f"{web}/workflows/{workflow.name.replace(' ', '%20')}/badge.svg",
                "created_at": FOUNDED_AT,
                "html_url": f"{web}/blob/main/{workflow.path}",
                "id": workflow_id,
                "name": workflow.name,
                "node_id": f"W_{node_id}",
                "path": workflow.path,
                "state": "active",
                "updated_at": FOUNDED_AT,
                "url": f"https://api.github.com/repos/{full_name(each)}/actions/workflows/{workflow_id}",
            }
            yield FIRST_REPOSITORY + each, workflow_id, _as_text(payload)


def windows(plan: Plan) -> Iterator[Row]:
    """Yield for each repository the record that all its days were listed to the last page."""
    times = {"window_end": written(plan.until - 1), "window_start": written(_since(plan))}
    for each in range(plan.repositories):
        repository_id = FIRST_REPOSITORY + each
        yield repository_id, repository_id, _as_text({"run_count": plan.count_of(each), **times})


def syncs(plan: Plan) -> Iterator[Row]:
    """Yield for each repository the record of a pass that read everything."""
    for each in range(plan.repositories):
        payload = {
            "asked": full_name(each),
            "complete_since": written(_since(plan)),
            "deep_reconciled_to": written(plan.until - 1),
            "described_at": written(plan.until),
            "finished_at": written(plan.until),
            "listings": "{}",
            "listings_scope": None,
            "missing_window_count": 0,
            "note": None,
            "rate_limit": None,
            "rate_limit_remaining": None,
            "reconciled_to": written(plan.until - 1),
            "repository": full_name(each),
            "repository_id": FIRST_REPOSITORY + each,
            "request_count": 0,
            "state": "ok",
        }
        yield FIRST_REPOSITORY + each, None, _as_text(payload)


def _since(plan: Plan) -> int:
    return plan.first_day * DAY - _MARGIN


def _as_text(payload: dict[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
