"""Every story of deliveries played by a served Argo CD, polled, and followed into deployments and rollbacks."""

from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import load_settings
from tests import argocd_server
from tests.conftest import broken_promises, publish_landing, rows
from tests.defs.delivery_stories import END, POLLED_UNTIL, START, Story, stories

STORIES = list(stories())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which all stories were collected: every five minutes, then nothing for three hours, then twice."""
    folder = tmp_path_factory.mktemp("stories")
    cluster = Cluster([action for story in STORIES for action in story.actions])
    with argocd_server.serving(cluster, START, token="t") as server:
        settings = load_settings(
            {"PHOENIX_HOME": str(folder / "home"), "PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": "t"}
        )
        for minute in (*range(5, POLLED_UNTIL + 1, 5), END, END + 5):
            server.wait(minutes=minute - (server.now - START).total_seconds() / 60)
            [done] = sync_argocd(settings, lambda: server.now)
            assert (done.state, done.note) == ("ok", None)
        assert server.cluster.refusals == []
        assert server.refreshes == []
    publish_landing(settings.home)
    return settings.home


def of(story: Story, home: Path, table: str, columns: str, order: str) -> list[dict[str, Any]]:
    """Return what a mart has of a story."""
    names = ", ".join(f"'{name}'" for name in story.applications)
    return rows(home, f"select {columns} from marts.{table} where application in ({names}) order by {order}")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_deployments(story: Story, home: Path) -> None:
    """Each operation that can be known is a row, with how it ended and where it went; nothing else is."""
    columns = "status || ' ' || change || ' ' || kind || ' ' || trigger as told"
    found = of(story, home, "deployments", f"{columns}, environment", "started_at, application")
    assert [row["told"] for row in found] == list(story.deployments)
    assert {row["environment"] for row in found} == {story.environment}


@pytest.mark.parametrize("story", [story for story in STORIES if story.services], ids=lambda story: story.name)
def test_services(story: Story, home: Path) -> None:
    """Each service of an operation goes its own way."""
    columns = "service || ' ' || change as told"
    found = of(story, home, "service_deployments", columns, "started_at, service")
    assert [row["told"] for row in found] == list(story.services)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_rollbacks(story: Story, home: Path) -> None:
    """Each incident is a row, once, with its kind, how sure it is, and how long it took."""
    columns = "kind || ' ' || confidence || ' ' || coalesce(cause, 'None') as told, time_to_restore_seconds as seconds"
    found = of(story, home, "rollbacks", columns, "started_at")
    assert [row["told"] for row in found] == [told for told, _ in story.rollbacks]
    for row, (_, seconds) in zip(found, story.rollbacks, strict=True):
        assert row["seconds"] is not None
        assert seconds is None or abs(row["seconds"] - seconds) <= 40  # health follows after half a minute


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_is_lost_is_counted(story: Story, home: Path) -> None:
    """Ids that are missing, histories that began anew, operations that vanished: exactly those, and no others."""
    columns = "missing_count, unknown_gap_count, vanished_count"
    counts = [tuple(found.values()) for found in of(story, home, "applications", columns, "application")]
    assert [sum(each) for each in zip(*counts, strict=True)] == list(story.lost)


def test_what_the_models_promise_holds(home: Path) -> None:
    """Over all stories: one row for each key, nothing NULL or unknown that must not be, and the cross-table rules."""
    assert broken_promises(home) == {}
