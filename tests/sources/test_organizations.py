"""Discovery: which repositories of an organisation are measured, which are left out, and why."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.github.organizations import discover
from tests.github_server import GitHub
from tests.world import World, WorldServer, serving


@pytest.fixture
def server() -> Iterator[WorldServer]:
    with serving(World(datetime(2026, 3, 2, 8, tzinfo=UTC))) as served:
        yield served


def found(url: str, organization: str = "acme", **options: Any) -> dict[str, str | None]:
    """Return why each repository is left out, or None, by its name."""
    client = GitHubClient(url, None, Governor(0.05))
    return {one.payload["full_name"]: one.excluded for one in discover(client, organization, **options)}


def test_2000_repositories_are_twenty_requests(server: WorldServer) -> None:
    """Each is found once, at a hundred a request."""
    for number in range(2000):
        server.world.add_repository(f"service-{number:04}")
    assert found(server.url) == {f"acme/service-{number:04}": None for number in range(2000)}
    assert len(server.requests) == 20


def test_globs_choose_over_owner_and_name_and_exclude_wins(server: WorldServer) -> None:
    """The case of a name does not matter, as on GitHub."""
    for name in ("Shop", "shop-docs", "store", "Scratch-1"):
        server.world.add_repository(name)
    assert found(server.url, include=["acme/SHOP*", "acme/scratch-?"], exclude=["*/scratch-*"]) == {
        "acme/Shop": None,
        "acme/shop-docs": None,
        "acme/store": "not included",
        "acme/Scratch-1": "excluded",
    }
    assert found(server.url, exclude=["acme/*"], include=["acme/shop"]) == dict.fromkeys(
        ["acme/Shop", "acme/shop-docs", "acme/store", "acme/Scratch-1"], "excluded"
    )


def test_archived_and_disabled_ones_are_left_out_and_say_so(github: GitHub) -> None:
    """Archived ones may be wanted for their history; a disabled one can never be read."""
    listed = [
        {"id": 1, "full_name": "acme/shop", "archived": False, "disabled": False},
        {"id": 2, "full_name": "acme/attic", "archived": True, "disabled": False},
        {"id": 3, "full_name": "acme/locked", "archived": False, "disabled": True},
        {"id": 4, "full_name": "acme/old-server"},
    ]
    github.extra["/orgs/acme/repos"] = listed
    left_out = {"acme/shop": None, "acme/attic": "archived", "acme/locked": "disabled", "acme/old-server": None}
    assert found(github.url) == left_out
    assert found(github.url, with_archived=True) == {**left_out, "acme/attic": None}


def test_a_persons_repositories_are_their_own(github: GitHub) -> None:
    """A user is no organisation: the second list asked for is what they own, not all they work on."""
    github.extra["/users/ada/repos"] = lambda match, query: [{"id": 9, "full_name": f"ada/{query['type']}"}]
    assert found(github.url, "ada") == {"ada/owner": None}
    assert [request.partition("?")[0] for request in github.requests] == ["/orgs/ada/repos", "/users/ada/repos"]


def test_nobodys_repositories_are_an_error(github: GitHub) -> None:
    """A name that is neither is an error that names it."""
    with pytest.raises(RepositoryError, match="nobody"):
        found(github.url, "nobody")
