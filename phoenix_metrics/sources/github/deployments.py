"""Deployments that GitHub was told of, and the states that each of them came into."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.payloads import parse_time
from phoenix_metrics.sources.github.side_loops import (
    Bookmark,
    Repository,
    kept,
    pages_if_changed,
    stretch_read,
    wanted_after,
)
from phoenix_metrics.sources.items import Batch, Item, as_text

OVERLAP = timedelta(hours=1)  # a deployment can appear in the list a little after its time
DEPLOYMENTS_AT_ONCE = 10  # deployments that are landed together: what a kill can cost at most

_DEPLOYMENT = ("id", "sha", "ref", "task", "environment", "created_at", "updated_at")
_STATUS = ("id", "state", "environment", "description", "created_at", "updated_at")
_PERSON = ("id", "login")


@dataclass(frozen=True)
class Stored:
    """Deployments of a repository that are stored: those that ended, and those whose states are to be read again."""

    settled: frozenset[int] = frozenset()
    open: tuple[int, ...] = ()


def fetch_deployments(
    client: GitHubClient, repository: Repository, visit: Bookmark, *, since: datetime, stored: Mapping[int, Stored]
) -> Iterator[Batch]:
    """Yield the deployments created since the last visit, newest first, then new states of those that were open.

    The list costs a request a page, or nothing where it has not changed, and the states one for each deployment that
    has not ended; what is known to have ended is not asked for, so a visit that was cut off goes on where it stopped.
    """
    known = stored.get(repository.repository_id, Stored())
    wanted = wanted_after(visit.cursor, since)
    newest, read = wanted, set(known.settled)
    for page in pages_if_changed(client, visit, since, f"{repository.path}/deployments"):
        times = [parse_time(deployment["created_at"]) for deployment in page.items]
        newest = max([newest, *times])
        news = [one for one, at in zip(page.items, times, strict=True) if at > wanted - OVERLAP]
        yield from _told(client, repository, [one for one in news if one["id"] not in read])
        read |= {one["id"] for one in news}
        if len(news) < len(page.items):
            break
    yield from _told(client, repository, [{"id": number} for number in known.open if number not in read])
    visit.cursor = stretch_read(visit.cursor, since, newest)


def _told(client: GitHubClient, repository: Repository, deployments: Sequence[dict[str, Any]]) -> Iterator[Batch]:
    """Yield deployments with their states; of one known by its number only the states."""
    for start in range(0, len(deployments), DEPLOYMENTS_AT_ONCE):
        items = []
        for one in deployments[start : start + DEPLOYMENTS_AT_ONCE]:
            if one.keys() > {"id"}:
                items.append(Item("github_deployments", one["id"], deployment_payload(one)))
            for status in _statuses(client, repository, one["id"]):
                told = deployment_status_payload(status, one["id"])
                items.append(Item("github_deployment_statuses", status["id"], told))
        yield items


def _statuses(client: GitHubClient, repository: Repository, deployment_id: int) -> list[dict[str, Any]]:
    """Return the states of a deployment; one that was deleted meanwhile has none."""
    try:
        return list(client.items(f"{repository.path}/deployments/{deployment_id}/statuses", None))
    except RepositoryError:
        return []


def deployment_payload(deployment: Mapping[str, Any]) -> str:
    """Return a deployment without addresses, and of the payload its creator gave it only the service's name."""
    creator = kept(deployment.get("creator"), _PERSON)
    return as_text({**kept(deployment, _DEPLOYMENT), "service": _service(deployment), "creator": creator})


def _service(deployment: Mapping[str, Any]) -> str | None:
    """Return the service that a deployment's payload names; what else is in there may be secret."""
    payload = deployment.get("payload")
    name = payload.get("service") if isinstance(payload, dict) else None
    return name if isinstance(name, str) else None


def deployment_status_payload(status: Mapping[str, Any], deployment_id: int) -> str:
    """Return one state a deployment came into."""
    creator = kept(status.get("creator"), _PERSON)
    return as_text({**kept(status, _STATUS), "deployment_id": deployment_id, "creator": creator})
