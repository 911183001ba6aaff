"""From deliveries to tables: in any order, however often, whatever breaks off."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.defs.deliveries import drain, redeliver
from phoenix_metrics.defs.intake import connect
from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.store import writing
from phoenix_metrics.webhooks.spool import Spool, folder, ready_segments
from tests.conftest import MODELS, publish_landing, rows, settings_for
from tests.github_server import GitHub
from tests.world import Delivery, World

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
EXAMPLES = CHECKOUT.parent / "shared" / "data" / "github_actions" / "webhook_examples"
TABLES = ("github_run_attempts", "github_jobs", "github_steps", "github_repositories", "github_deliveries")


def a_history() -> list[Delivery]:
    """A run that fails and is run again, in part, and one that is cancelled."""
    world = World(START)
    shop = world.add_repository("shop")
    run, _ = world.create_run(shop, ("build", "test"))
    world.advance(seconds=9)
    world.start(run)
    world.advance(minutes=3)
    world.complete(run, "failure", failing=("test",))
    world.advance(minutes=30)
    world.rerun(run, "failed")
    other, _ = world.create_run(shop, ("lint",))
    world.advance(minutes=2)
    world.complete(run, "success")
    world.cancel(other)
    return [delivery for delivery in world.deliveries if delivery.event.startswith("workflow")]


HISTORY = a_history()


def receive(home: Path, deliveries: Sequence[Delivery]) -> None:
    """Let a receiver take deliveries and end."""
    spool = Spool(home)
    for delivery in deliveries:
        spool.append(delivery.delivery_id, delivery.event, delivery.body)[0].result()
    spool.close()


def tables(home: Path) -> dict[str, list[str]]:
    """What staging holds, less when it came."""
    publish_landing(home)
    found = {}
    for table in TABLES:
        columns = [column.name for column in MODELS[f"staging.{table}"].columns]
        kept = [name for name in columns if name not in ("fetched_at", "received_at") and "seen_at" not in name]
        kept = [name for name in kept if not name.startswith("settled_")]  # as first seen, which is order by nature
        found[table] = sorted(str(row) for row in rows(home, f"select {', '.join(kept)} from staging.{table}"))
    return found


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables after the deliveries came one after the other."""
    home = tmp_path_factory.mktemp("in-order")
    receive(home, HISTORY)
    drain(home)
    return tables(home)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(HISTORY), again=st.lists(st.sampled_from(HISTORY), max_size=4), cut=st.integers(0, 20))
def test_deliveries_in_any_order_end_in_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory,
    in_order: dict[str, list[str]],
    order: list[Delivery],
    again: list[Delivery],
    cut: int,
) -> None:
    """Reordered, sent again and drained in two steps: a late in_progress never undoes a completed."""
    home = tmp_path_factory.mktemp("any-order")
    receive(home, order[:cut])
    drain(home)
    receive(home, [*order[cut:], *again])
    drain(home)
    assert tables(home) == in_order


def test_the_tables_are_those_that_polling_finds(in_order: dict[str, list[str]]) -> None:
    """Three attempts in all, the first of them failed, the carried-over job apart."""
    assert len(in_order["github_run_attempts"]) == 3
    assert len(in_order["github_deliveries"]) == len(HISTORY)


def test_a_kill_between_landing_and_removal_counts_nothing_twice(
    tmp_path: Path, in_order: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment is still there and is drained once more."""
    receive(tmp_path, HISTORY)
    monkeypatch.setattr("phoenix_metrics.defs.deliveries.remove_segment", lambda path: None)
    drain(tmp_path)
    monkeypatch.undo()
    assert ready_segments(tmp_path)
    drain(tmp_path)
    assert not ready_segments(tmp_path)
    assert tables(tmp_path) == in_order


def test_what_cannot_be_understood_is_kept_and_holds_up_nobody(tmp_path: Path) -> None:
    """A payload that is not as documented is a row with its error, a line that is no delivery is set aside."""
    folder(tmp_path).mkdir()
    odd = {"delivery_id": "d-1", "event": "workflow_run", "received_at": "2026-03-02T10:00:00+00:00", "payload": {}}
    (folder(tmp_path) / "a.ready").write_text(json.dumps(odd) + "\nnonsense\n")
    receive(tmp_path, HISTORY)
    done = drain(tmp_path)
    assert (done.error_count, done.events.total()) == (2, len(HISTORY) + 1)
    publish_landing(tmp_path)
    query = "select delivery_id, error from staging.github_deliveries where error is not null"
    assert rows(tmp_path, query) == [{"delivery_id": "d-1", "error": "KeyError('repository')"}]
    assert (tmp_path / "spool-set-aside" / "a.jsonl").read_text() == "nonsense\n"


def test_it_works_while_the_writer_is_busy(tmp_path: Path) -> None:
    """Receiving and draining need no store."""
    with writing(tmp_path):
        receive(tmp_path, HISTORY)
        assert drain(tmp_path).events.total() == len(HISTORY)


def test_deployments_checks_releases_and_pull_requests_arrive(tmp_path: Path) -> None:
    """Each becomes the object that polling would land; GitHub's own checks are jobs and are left out."""
    repository = {"id": 7, "full_name": "acme/shop", "default_branch": "main", "private": True}
    deployment = {"id": 1, "sha": "ab", "ref": "main", "task": "deploy", "environment": "production"}
    deployment |= {"created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z"}
    status = {"id": 2, "state": "failure", "created_at": "2026-03-02T09:01:00Z", "updated_at": "2026-03-02T09:01:00Z"}
    check = {"id": 3, "head_sha": "ab", "name": "cov", "status": "completed", "conclusion": "success"}
    payloads: list[tuple[str, dict[str, Any]]] = [
        ("deployment_status", {"deployment_status": status, "deployment": deployment}),
        ("check_run", {"check_run": {**check, "app": {"id": 9, "slug": "codecov"}}}),
        ("check_run", {"check_run": {**check, "id": 4, "app": {"id": 1, "slug": "github-actions"}}}),
    ]
    sent = [
        Delivery(f"d-{number}", event, {"action": "created", "repository": repository, **payload})
        for number, (event, payload) in enumerate(payloads)
    ]
    receive(tmp_path, sent)
    assert drain(tmp_path).error_count == 0
    publish_landing(tmp_path)
    query = "select deployment_id, state from staging.github_deployment_statuses"
    assert rows(tmp_path, query) == [{"deployment_id": 1, "state": "failure"}]
    assert rows(tmp_path, "select environment from staging.github_deployments") == [{"environment": "production"}]
    assert rows(tmp_path, "select check_run_id from staging.github_check_runs") == [{"check_run_id": 3}]
    assert rows(tmp_path, "select * from staging.github_commit_checks") == []


def test_failed_deliveries_are_asked_for_once_more(github: GitHub, tmp_path: Path) -> None:
    """Those of three days that never arrived, of our hook only; a second look within the hour asks nothing."""
    now = datetime.now(UTC)

    def told(number: int, guid: str, status: int, age: timedelta = timedelta(0)) -> dict[str, Any]:
        return {"id": number, "guid": guid, "status_code": status, "delivered_at": (now - age).isoformat()}

    github.add_run(1, "2026-01-02T08:00:00Z")
    hooks = "/repositories/1/hooks"
    github.extra[hooks] = [
        {"id": 5, "config": {"url": "https://metrics.acme.example/github"}},
        {"id": 6, "config": {"url": "https://chat.example/hook"}},
    ]
    github.extra[f"{hooks}/5/deliveries"] = [
        told(4, "a", 202),
        told(3, "b", 502),
        told(2, "a", 500, timedelta(hours=1)),
        told(1, "c", 500, timedelta(days=4)),
    ]
    github.extra[rf"{hooks}/5/deliveries/\d+/attempts"] = {}
    measured = settings_for(github, tmp_path / "home", PHOENIX_WEBHOOK_SECRET="s")
    sync_github(measured)
    publish_landing(measured.home)
    assert redeliver(measured, connect(measured)) == 1
    assert [path for path, _ in github.posted] == [f"{hooks}/5/deliveries/3/attempts"]
    assert redeliver(measured, connect(measured)) == 0


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """GitHub's own examples of deliveries."""
    for path in sorted(EXAMPLES.glob("*.json")):
        found = json.loads(path.read_text())
        for entry in found if isinstance(found, list) else [found]:
            for payload in entry.get("examples", [entry]):
                yield entry.get("name", path.stem), payload


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the recorded examples are not here")
def test_githubs_own_examples_are_understood(tmp_path: Path) -> None:
    """Each of its documented payloads is landed without an error."""
    sent = [Delivery(f"e-{number}", event, payload) for number, (event, payload) in enumerate(examples())]
    assert len(sent) > 20
    receive(tmp_path, sent)
    assert drain(tmp_path).error_count == 0
