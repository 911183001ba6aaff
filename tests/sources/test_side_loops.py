"""What side loops share: a list that has not changed is asked for without cost, and only where that is sound."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.deployments import Stored, fetch_deployments
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.github.pull_requests import fetch_pull_requests
from phoenix_metrics.sources.github.releases import fetch_releases
from phoenix_metrics.sources.github.tiers import is_visit_due
from tests.sources.visited import Bookmark, Shop
from tests.world import World, WorldServer, serving
from tests.world.routes import Answer

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)


@pytest.fixture
def server() -> Iterator[WorldServer]:
    with serving(World(NOW)) as served:
        served.extra["/repositories/1/pulls"] = Answer(200, [pull(1, NOW - timedelta(days=1))])
        served.extra["/repositories/1/releases"] = Answer(200, [])
        yield served


def pull(number: int, updated_at: datetime) -> dict[str, Any]:
    times = {"created_at": "2026-01-01T00:00:00Z", "updated_at": updated_at.isoformat()}
    return {"id": number, "number": number, "state": "open", "head": {"sha": "a"}, "base": {"sha": "b"}, **times}


def pulls(server: WorldServer, visit: Bookmark, since: datetime = SINCE, token: str = "one") -> list[int]:
    """Visit once; return the pull requests that were yielded."""
    client = GitHubClient(server.url, SecretStr(token), Governor(0.05))
    return [item.object_id for batch in fetch_pull_requests(client, Shop(), visit, since=since) for item in batch]


def statuses(server: WorldServer) -> list[int]:
    return [request.status for request in server.requests]


def test_an_unchanged_list_costs_nothing_and_moves_nothing(server: WorldServer) -> None:
    """The second visit is answered with 304; a change is read at once."""
    visit = Bookmark()
    assert pulls(server, visit) == [1]
    after = visit.cursor
    assert pulls(server, visit) == []
    assert (statuses(server), visit.cursor) == ([200, 304], after)
    server.extra["/repositories/1/pulls"] = Answer(200, [pull(2, NOW), pull(1, NOW - timedelta(days=1))])
    assert pulls(server, visit) == [2, 1]  # the newest known one again, for changes appear in the list a little late
    assert statuses(server) == [200, 304, 200]


def test_deployments_that_ended_and_a_list_that_did_not_change_cost_one_free_request(server: WorldServer) -> None:
    """The second visit is answered with 304; one that was open is asked again though the list did not change."""
    told = {"id": 9, "created_at": "2026-03-01T08:00:00Z"}
    server.extra["/repositories/1/deployments"] = Answer(200, [told])
    server.extra["/repositories/1/deployments/9/statuses"] = Answer(200, [{"id": 1, "state": "success"}])
    visit, client = Bookmark(), GitHubClient(server.url, None, Governor(0.05))

    def landed(stored: Stored) -> list[str]:
        batches = fetch_deployments(client, Shop(), visit, since=SINCE, stored={1: stored})
        return [item.source_object for batch in batches for item in batch]

    assert landed(Stored()) == ["github_deployments", "github_deployment_statuses"]
    assert landed(Stored(settled=frozenset({9}))) == []
    assert statuses(server) == [200, 200, 304]
    assert landed(Stored(open=(9,))) == ["github_deployment_statuses"]
    assert statuses(server) == [200, 200, 304, 304, 200]


def test_an_empty_list_is_remembered_too(server: WorldServer) -> None:
    """A repository that never released anything is asked for nothing but that it still has not."""
    visit, client = Bookmark(), GitHubClient(server.url, None, Governor(0.05))
    for _ in range(3):
        assert list(fetch_releases(client, Shop(), visit, since=SINCE)) == []
    assert statuses(server) == [200, 304, 304]


def test_another_credential_or_a_longer_history_reads_the_list(server: WorldServer) -> None:
    """GitHub's ETags are good for one token; and what lies before the stretch that was read was never read."""
    visit = Bookmark()
    assert pulls(server, visit) == [1]
    assert pulls(server, visit, token="two") == []
    assert statuses(server) == [200, 200]
    assert pulls(server, visit, since=SINCE - timedelta(days=365), token="two") == [1]
    assert statuses(server) == [200, 200, 200]


@pytest.mark.parametrize(
    ("state", "quiet", "pause"),
    [
        ("ok", timedelta(hours=1), timedelta(minutes=15)),
        ("ok", timedelta(days=3), timedelta(hours=1)),
        ("ok", timedelta(days=30), timedelta(hours=6)),
        ("ok", None, timedelta(hours=6)),
        ("failed", timedelta(hours=1), timedelta(minutes=15)),
        ("gone", timedelta(hours=1), timedelta(hours=1)),
        ("no_access", timedelta(hours=1), timedelta(hours=1)),
        ("no_access", timedelta(days=30), timedelta(hours=6)),
    ],
)
def test_quiet_and_closed_repositories_are_visited_less_often(
    state: str, quiet: timedelta | None, pause: timedelta
) -> None:
    """A loop of fifteen minutes comes so often to busy repositories alone, or a large organisation's budget is gone."""
    active_at = NOW - quiet if quiet is not None else None
    every = timedelta(minutes=15)
    assert is_visit_due(NOW, every, NOW - pause, state, active_at)
    assert not is_visit_due(NOW, every, NOW - pause + timedelta(minutes=2), state, active_at)
    assert is_visit_due(NOW, every, None, None, active_at)
    assert is_visit_due(NOW, every, NOW, "partial", active_at)
