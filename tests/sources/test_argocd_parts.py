"""What a pass over an Argo CD server decides to ask for: commits, events and trees, each within bounds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from phoenix_metrics.sources.argocd import events, rollouts
from phoenix_metrics.sources.argocd.applications import Place, application_payload, moment, told_of
from phoenix_metrics.sources.argocd.events import due_events
from phoenix_metrics.sources.argocd.known import Known, KnownTrees
from phoenix_metrics.sources.argocd.probe import Found, Seen, active_at
from phoenix_metrics.sources.argocd.revisions import commits_of
from phoenix_metrics.sources.argocd.rollouts import due_trees

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP = {"name": "shop", "namespace": "argocd"}
SHA = "a" * 40


def seen(name: str, minutes_ago: float | None = None, **changes: Any) -> Seen:
    """Return an application, quiet and healthy but for what is said."""
    at = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    quiet: dict[str, Any] = {"health": "Healthy", "has_rollouts": False, "is_changed": False}
    return Seen(Place("argocd", name), active_at=at, **{**quiet, **changes})


def found(*applications: Seen) -> Found:
    return Found({one.place.key: one for one in applications})


def names(chosen: list[Place]) -> list[str]:
    return [place.name for place in chosen]


def test_commits_are_those_of_git_once_for_each_source() -> None:
    """A chart's version beside a commit is none; each source is asked for by its number."""
    sources = [{"repoURL": "https://charts", "chart": "redis"}, {"repoURL": "https://git", "path": "values"}]
    entry = {"id": 0, "revisions": ["1.4.2", SHA], "sources": sources, "deployedAt": "2026-01-01T00:00:00Z"}
    told = told_of({"metadata": SHOP, "status": {"history": [entry, {"id": 1, "revision": "sha256:abc"}]}}, "argocd")
    [commit] = commits_of(told, Place("argocd", "shop", "default"))
    assert (commit.key, commit.source, commit.deployed_at) == (("https://git", SHA), 1, "2026-01-01T00:00:00Z")


def test_events_are_asked_for_where_something_happened_since() -> None:
    """Nothing before the hour that Kubernetes keeps, nothing within a quarter of an hour after the last reading."""
    applications = found(seen("a", 5), seen("b", 20), seen("c", 100), seen("d"))

    def due(read_to_minutes_ago: float | None) -> list[str]:
        read_to = None if read_to_minutes_ago is None else NOW - timedelta(minutes=read_to_minutes_ago)
        return names([one.place for one in due_events(Known(events_read_to=read_to), applications, NOW).applications])

    assert due(None) == ["b", "a"]
    assert due(16) == ["a"]
    assert due(21) == ["b", "a"]
    assert due(14) == []
    assert due(600) == ["b", "a"]


def test_events_of_very_many_are_read_over_several_passes() -> None:
    """The next pass goes on where this one ended, and leaves none out."""
    busy = found(*(seen(f"app-{at:03}", 50 - at / 20) for at in range(events.AT_MOST + 50)))
    first = due_events(Known(), busy, NOW)
    assert len(first.applications) == events.AT_MOST
    assert first.read_to == first.applications[-1].active_at
    second = due_events(Known(events_read_to=first.read_to), busy, NOW)
    assert {one.place for one in (*first.applications, *second.applications)} == {
        one.place for one in busy.seen.values()
    }
    assert second.read_to == NOW


def test_trees_are_read_of_rollouts_that_may_have_changed() -> None:
    """Those with news or with an analysis under way, then the unhealthy, then those not read yet; within bounds."""
    applications = found(
        seen("no-rollout", is_changed=True, health="Degraded"),
        seen("known", has_rollouts=True),
        seen("unread", has_rollouts=True),
        seen("degraded", has_rollouts=True, health="Degraded"),
        seen("analysed", has_rollouts=True),
        seen("changed", has_rollouts=True, is_changed=True),
    )
    read = frozenset(("argocd", name) for name in ("known", "degraded", "analysed", "changed"))
    known = KnownTrees(read=read, running=frozenset({("argocd", "analysed")}))
    assert names(due_trees(known, applications)) == ["analysed", "changed", "degraded", "unread"]
    many = found(*(seen(f"app-{at:03}", has_rollouts=True) for at in range(rollouts.AT_MOST + 1)))
    assert len(due_trees(KnownTrees(), many)) == rollouts.AT_MOST


def test_an_application_without_times_was_not_active() -> None:
    """Just made by hand, or with its status lost."""
    assert active_at({"metadata": {}}) is None
    assert active_at({"status": {"health": {"lastTransitionTime": "2026-01-02T12:00:00Z"}}}) == moment(
        "2026-01-02T12:00:00+00:00"
    )


def test_passwords_in_messages_are_left_out() -> None:
    """A message repeats the address that could not be reached; the address stays, its user and password do not."""
    message = "failed to get https://robot:hunter2@git.example/a and http://x:y@z/b"
    text = application_payload(
        {"metadata": SHOP, "status": {"operationState": {"phase": "Error", "message": message}}}, "eu"
    )
    assert "failed to get https://git.example/a and http://z/b" in text
    assert '"instance":"eu"' in text
