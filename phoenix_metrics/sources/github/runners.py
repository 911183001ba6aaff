"""Runners: the machines jobs run on, and the groups that say who may use them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository, kept
from phoenix_metrics.sources.items import Batch, Item, as_text

_RUNNER = ("id", "name", "os", "status", "busy", "ephemeral", "version", "runner_group_id")
_HOSTED_RUNNER = (
    "id",
    "name",
    "platform",
    "status",
    "maximum_runners",
    "runner_group_id",
    "machine_size_details",
    "image_details",
    "last_active_on",
)
_GROUP = (
    "id",
    "name",
    "visibility",
    "default",
    "inherited",
    "allows_public_repositories",
    "restricted_to_workflows",
)


def fetch_repository_runners(
    client: GitHubClient,
    repository: Repository,
    visit: Bookmark,  # noqa: ARG001  # the list is always read as a whole
) -> Iterator[Batch]:
    """Yield the self-hosted runners that a repository has to itself."""
    yield _runners(client.items(f"{repository.path}/actions/runners", "runners"), None)


def fetch_organization_runners(
    client: GitHubClient,
    organization: str,
    visit: Bookmark,  # noqa: ARG001
) -> Iterator[Batch]:
    """Yield the self-hosted runners of an organisation."""
    yield _runners(client.items(f"/orgs/{organization}/actions/runners", "runners"), organization)


def fetch_hosted_runners(
    client: GitHubClient,
    organization: str,
    visit: Bookmark,  # noqa: ARG001
) -> Iterator[Batch]:
    """Yield the larger runners that GitHub hosts for an organisation, which say what machine a name stands for."""
    listed = client.items(f"/orgs/{organization}/actions/hosted-runners", "runners")
    yield [Item("github_hosted_runners", r["id"], _owned(organization, kept(r, _HOSTED_RUNNER))) for r in listed]


def fetch_runner_groups(
    client: GitHubClient,
    organization: str,
    visit: Bookmark,  # noqa: ARG001
) -> Iterator[Batch]:
    """Yield the groups that an organisation's runners are in."""
    listed = client.items(f"/orgs/{organization}/actions/runner-groups", "runner_groups")
    yield [Item("github_runner_groups", g["id"], _owned(organization, kept(g, _GROUP))) for g in listed]


def runner_payload(runner: Mapping[str, Any], organization: str | None) -> str:
    """Return a self-hosted runner with the names of its labels and whose it is; None for the repository's own."""
    labels = [label["name"] for label in runner["labels"]]
    return _owned(organization, {**kept(runner, _RUNNER), "labels": labels})


def _runners(listed: Iterable[Mapping[str, Any]], organization: str | None) -> Batch:
    return [Item("github_runners", runner["id"], runner_payload(runner, organization)) for runner in listed]


def _owned(organization: str | None, payload: Mapping[str, Any]) -> str:
    return as_text({**payload, "organization": organization})
