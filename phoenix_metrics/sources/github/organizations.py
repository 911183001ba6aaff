"""Discovery: the repositories of an organisation, and which of them are left out and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient


@dataclass(frozen=True)
class Found:
    """A repository as GitHub lists it, and why it is not to be measured, if it is not."""

    payload: dict[str, Any]
    excluded: str | None = None


def discover(
    client: GitHubClient,
    organization: str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    with_archived: bool = False,
) -> Iterator[Found]:
    """Yield every repository of an organisation, or of a user, newest push first: one request for a hundred of them.

    `include` and `exclude` are globs over owner/name, whatever the case; exclude wins. Raises a SourceError when GitHub
    does not list them.
    """
    for repository in _listed(client, organization):
        yield Found(repository, _reason(repository, include, exclude, with_archived=with_archived))


def _listed(client: GitHubClient, organization: str) -> Iterator[dict[str, Any]]:
    try:
        yield from client.items(f"/orgs/{organization}/repos", None, type="all", sort="pushed")
    except RepositoryError:  # "all" of a user would be those of others, too, that they work on
        yield from client.items(f"/users/{organization}/repos", None, type="owner", sort="pushed")


def _reason(
    repository: dict[str, Any], include: Sequence[str], exclude: Sequence[str], *, with_archived: bool
) -> str | None:
    name = repository["full_name"].lower()
    if any(fnmatchcase(name, glob.lower()) for glob in exclude):
        return "excluded"
    if include and not any(fnmatchcase(name, glob.lower()) for glob in include):
        return "not included"
    if repository.get("disabled"):
        return "disabled"
    return "archived" if repository.get("archived") and not with_archived else None
