"""deploy/argocd/notifications.yaml: read as Argo CD's controller reads it, over a story, into the real receiver."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from phoenix_metrics.defs.deliveries import drain
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Spool
from tests.conftest import publish_landing, rows
from tests.demo.argocd_story import T0, eventful

FOLDER = CHECKOUT / "deploy" / "argocd"
SECRET = "a1b2"
CONDITION = re.compile(r"app((?:\??\.\w+)+) in \[([^\]]*)\]")
INSERTION = re.compile(r"\{\{ toJson ((?:\.\w+)+) \}\}")

Json = dict[str, Any]
Sent = tuple[str, str, str]  # an application's uid, the start of an operation, its phase


@cache
def config(key: str) -> Any:
    """Return what a key of the ConfigMap holds, which is YAML in YAML."""
    found = yaml.safe_load((FOLDER / "notifications.yaml").read_text(encoding="utf-8"))
    assert (found["kind"], found["metadata"]["name"]) == ("ConfigMap", "argocd-notifications-cm")
    return yaml.safe_load(found["data"][key])


def value(variables: Json, path: str) -> Any:
    """Return what a path leads to; after a `?.` nothing is taken from nothing, as in the expressions of triggers."""
    found: Any = variables
    for dot, name in re.findall(r"(\??\.)(\w+)", path):
        if found is None and dot == "?.":
            return None
        found = found.get(name)
    return found


def holds(condition: str, application: Json) -> bool:
    """Whether a trigger's condition holds for an application."""
    match = CONDITION.fullmatch(condition)
    assert match, condition
    return value(application, match[1]) in [text.strip(" '") for text in match[2].split(",")]


def rendered(template: str, application: Json) -> str:
    """Return a body of a template that inserts values as JSON and does nothing else."""
    body = INSERTION.sub(lambda match: json.dumps(value({"app": application}, match[1])), template)
    assert "{{" not in body
    return body


def notified(application: Json, known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the service and the body of what is sent of an application; `known` is what was sent before of all."""
    for subscription in config("subscriptions"):
        for trigger in subscription["triggers"]:
            for condition in config(f"trigger.{trigger}"):
                if not holds(condition["when"], application):
                    continue
                once_per = value({"app": application}, "." + condition["oncePer"])
                key = f"{application['metadata']['uid']} {once_per}:{trigger}:{condition['when']}"
                if key not in known:
                    known.add(key)
                    for name in condition["send"]:
                        for service, told in config(f"template.{name}")["webhook"].items():
                            assert (told["method"], [service]) == ("POST", subscription["recipients"])
                            yield service, rendered(told["body"], application)


def headers(service: str) -> dict[str, str]:
    """Return the headers of a service, with the secret that they refer to."""
    told = config(f"service.webhook.{service}")["headers"]
    return {one["name"]: one["value"].replace("$phoenix-webhook-secret", SECRET) for one in told}


@pytest.fixture(scope="module")
def story() -> tuple[list[Json], list[Sent]]:
    """Every state that the applications of a story go through, in order, and the operations that ended in it."""
    cluster, states, seen = Cluster(eventful()), [], 0
    for now in range(T0, T0 + 5000, 10):
        cluster.advance(now)
        for change in cluster.changes(seen):
            seen = change.version
            if change.kind != "DELETED":
                states.append(change.application)
    bodies = [one.body for one in cluster.notifications]
    ended = [(one["metadata"]["uid"], one["status"]["operationState"]) for one in bodies]
    return states, [(uid, state["startedAt"], state["phase"]) for uid, state in ended]


def posted(home: Path, states: list[Json], times: int = 1) -> list[tuple[int, Sent]]:
    """Post what the controller would, as often as asked; return each answer's status with what was sent."""
    spool, known, answers = Spool(home), set[str](), []
    client = TestClient(receiver(spool, None, SECRET, {"argocd"}))
    path = re.sub(r"https://[^/]+", "", config("service.webhook.phoenix")["url"])
    for application in states:
        for service, body in notified(application, known):
            told = json.loads(body)
            sent = told["uid"], told["operationState"]["startedAt"], told["operationState"]["phase"]
            for _ in range(times):
                answers.append((client.post(path, content=body, headers=headers(service)).status_code, sent))
    spool.close()
    return answers


def test_each_operation_that_ends_is_sent_once_and_taken(story: tuple[list[Json], list[Sent]], tmp_path: Path) -> None:
    """Failed, retried, rolled back, partial, local, terminated: as many rows as operations, with their ends."""
    states, ended = story
    assert {phase for _, _, phase in ended} == {"Succeeded", "Failed", "Error"}
    answers = posted(tmp_path, states)
    assert {status for status, _ in answers} == {202}
    assert sorted(sent for _, sent in answers) == sorted(ended)
    done = drain(tmp_path)
    assert (done.error_count, done.events) == (0, {"argocd_notification": len(ended)})
    publish_landing(tmp_path)
    landed = rows(tmp_path, "select uid, started_at, phase, seen_by from staging.argocd_operations")
    found = [(row["uid"], f"{row['started_at']:%Y-%m-%dT%H:%M:%SZ}", row["phase"]) for row in landed]
    assert sorted(found) == sorted(ended)
    assert {row["seen_by"] for row in landed} == {"notification"}
    query = "select status, count(*) as n from marts.operations where seen_as = 'notification' group by all"
    counts = {row["status"]: row["n"] for row in rows(tmp_path, f"{query} order by status")}
    assert counts == {"succeeded": len(ended) - 4, "failed": 2, "error": 1, "cancelled": 1}


def test_what_is_sent_again_is_known(story: tuple[list[Json], list[Sent]], tmp_path: Path) -> None:
    """The controller sends again where it could not note that it had sent."""
    states, ended = story
    assert [status for status, _ in posted(tmp_path, states, times=2)] == [202, 200] * len(ended)
    assert drain(tmp_path).events.total() == len(ended)


def test_by_revision_operations_would_be_left_out(story: tuple[list[Json], list[Sent]]) -> None:
    """Why `oncePer` is the start: several operations of this story end the same way on the same revision."""
    states, ended = story
    state_of = [(app["metadata"]["uid"], app["status"].get("operationState") or {}) for app in states]
    by_revision = {
        (uid, state["phase"], (state.get("syncResult") or {}).get("revision"))
        for uid, state in state_of
        if state.get("phase") in ("Succeeded", "Failed", "Error")
    }
    assert len(by_revision) < len(set(ended)) == len(ended)


def test_an_application_without_an_operation_is_no_error() -> None:
    """New, or between the request and the start of an operation: the conditions are false."""
    for application in ({}, {"status": None}, {"status": {}}, {"status": {"operationState": {"phase": "Running"}}}):
        assert list(notified({"metadata": {"uid": "u"}, **application}, set())) == []


def test_the_readme_has_what_has_to_be_filled_in() -> None:
    """Its secret's key, its triggers and its subscription are those of the file; the role is the one to give."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert headers("phoenix")["Authorization"] == f"Bearer {SECRET}"
    assert '"phoenix-webhook-secret"' in readme
    [subscription] = config("subscriptions")
    for trigger in subscription["triggers"]:
        assert f"notifications.argoproj.io/subscribe.{trigger}.phoenix=" in readme
    assert "p, role:phoenix, applications, get, */*, allow" in readme
    assert "accounts.phoenix" in readme
