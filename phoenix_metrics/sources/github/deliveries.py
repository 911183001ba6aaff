"""What webhook deliveries say, as the same objects that polling lands."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from phoenix_metrics.sources.github.checks import commit_check_payload
from phoenix_metrics.sources.github.deployments import deployment_payload, deployment_status_payload
from phoenix_metrics.sources.github.payloads import job_payload, repository_payload, run_payload
from phoenix_metrics.sources.github.pull_requests import pull_request_payload
from phoenix_metrics.sources.github.releases import release_payload
from phoenix_metrics.sources.items import Batch, Item, as_text

_WITHDRAWN = ("deleted", "unpublished")  # a release that is no more says nothing new of what was released


def delivered_items(event: str, payload: Mapping[str, Any]) -> Batch:
    """Return what a delivery says, with the repository it is about.

    Raises KeyError, TypeError or ValueError where the payload is not as GitHub documents it.
    """
    repository = payload["repository"]
    items = list(_ITEMS[event](payload))
    return [Item("github_repositories", repository["id"], repository_payload(repository)), *items] if items else []


def delivery_payload(
    event: str, payload: Mapping[str, Any], delivery_id: str, received_at: str, error: str | None
) -> str:
    """Return the record of a delivery, without what it says."""
    repository = payload.get("repository")
    return as_text(
        {
            "delivery_id": delivery_id,
            "event": event,
            "action": payload.get("action"),
            "repository": repository.get("full_name") if isinstance(repository, dict) else None,
            "received_at": received_at,
            "error": error,
        }
    )


def _run(payload: Mapping[str, Any]) -> Iterator[Item]:
    run = payload["workflow_run"]
    yield Item("github_runs", run["id"], run_payload(run))


def _job(payload: Mapping[str, Any]) -> Iterator[Item]:
    job = payload["workflow_job"]
    yield Item("github_jobs", job["id"], job_payload(job))


def _deployment(payload: Mapping[str, Any]) -> Iterator[Item]:
    deployment = payload["deployment"]
    yield Item("github_deployments", deployment["id"], deployment_payload(deployment))


def _deployment_status(payload: Mapping[str, Any]) -> Iterator[Item]:
    status, deployment = payload["deployment_status"], payload["deployment"]
    yield from _deployment(payload)
    yield Item("github_deployment_statuses", status["id"], deployment_status_payload(status, deployment["id"]))


def _check_run(payload: Mapping[str, Any]) -> Iterator[Item]:
    told = commit_check_payload(payload["check_run"])
    if told is not None:
        yield Item("github_commit_checks", None, told)


def _release(payload: Mapping[str, Any]) -> Iterator[Item]:
    release = payload["release"]
    if release.get("published_at") and not release.get("draft") and payload.get("action") not in _WITHDRAWN:
        yield Item("github_releases", release["id"], release_payload(release, None))


def _pull_request(payload: Mapping[str, Any]) -> Iterator[Item]:
    pull = payload["pull_request"]
    yield Item("github_pull_requests", pull["id"], pull_request_payload(pull))


_ITEMS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Item]]] = {
    "workflow_run": _run,
    "workflow_job": _job,
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "check_run": _check_run,
    "release": _release,
    "pull_request": _pull_request,
}
