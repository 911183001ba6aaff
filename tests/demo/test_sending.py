"""What the demo organisation sends by itself, into the real receiver: the same as polling finds, and nothing twice."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.defs.deliveries import drain
from phoenix_metrics.defs.intake import connect
from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.demo import sending
from phoenix_metrics.demo.argocd import notifier
from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.happenings import Diary
from phoenix_metrics.demo.hooks import guid_of
from phoenix_metrics.demo.repositories import PLATFORM
from phoenix_metrics.demo.sending import Receiver
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.world import World
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.github.redelivery import ask_again
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Delivery, Spool, read_segment, ready_segments
from tests.conftest import MODELS
from tests.demo.conftest import REPOSITORY, Visitor, serving
from tests.demo.test_api import OPENAPI, _nullable

SECRET, ARGOCD_SECRET = "hush", "hush, too"
BEGAN = datetime(2026, 11, 19, 10, tzinfo=UTC)  # a Thursday morning with re-runs, failures and deliveries
PATIENCE_SECONDS = 30
OURS = (
    "fetched_at",
    "first_seen_at",
    "seen_by",
    "settled_seen_at",
    "settled_updated_at",
    "was_blocked",
)  # how we saw it
TABLES = ("github_run_attempts", "github_jobs", "github_steps", "argocd_operations")
DONE = 2  # the rank of what has ended
Told = tuple[str, str, int, object]  # event, action, id of what it is about, attempt or commit


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def receiving(home: Path, port: int | None = None) -> Iterator[str]:
    """Run the receiver over a home and give its address; it ends in order."""
    spool = Spool(home)
    try:
        with serving(receiver(spool, SECRET, ARGOCD_SECRET, {"argocd"}), port) as address:
            yield address
    finally:
        spool.close()


def sender_to(url: str) -> Receiver:
    return Receiver(url, SECRET, ARGOCD_SECRET)


def seconds(text: str) -> datetime:
    return datetime.fromisoformat(text)


def expected(visitor: Visitor, since: datetime) -> set[Told]:
    """Return what GitHub must have told of since a moment, worked out from what its API shows now."""
    found: set[tuple[datetime, Told]] = set()
    for listed in visitor.runs():
        for number in range(1, listed["run_attempt"] + 1):
            path = f"/actions/runs/{listed['id']}/attempts/{number}"
            run = listed if number == listed["run_attempt"] else visitor.get(path)
            if run["status"] == "completed" and seconds(run["updated_at"]) <= since:
                continue
            jobs = visitor.all(f"{path}/jobs", "jobs")
            found |= set(told_of_run(run, jobs)) | {told for job in jobs for told in told_of_job(run, job)}
    found |= set(told_of_pulls(visitor)) | set(told_of_releases(visitor))
    return {told for at, told in found if since < at <= visitor.now}


def told_of_pulls(visitor: Visitor) -> Iterator[tuple[datetime, Told]]:
    """Yield what is told of pull requests: each run of one begins with a push, the first of which opened it."""
    pushes: dict[int, list[dict[str, Any]]] = {}
    for run in reversed(visitor.runs(event="pull_request")):
        pushes.setdefault(run["pull_requests"][0]["number"], []).append(run)
    for pull in everything(visitor, "/pulls", state="all"):
        for run in pushes.get(pull["number"], []):
            is_first = seconds(run["created_at"]) - seconds(pull["created_at"]) < timedelta(seconds=30)
            action = "opened" if is_first else "synchronize"
            yield seconds(run["created_at"]), ("pull_request", action, pull["id"], run["head_sha"])
        if pull["closed_at"]:
            yield seconds(pull["closed_at"]), ("pull_request", "closed", pull["id"], pull["head"]["sha"])


def told_of_releases(visitor: Visitor) -> Iterator[tuple[datetime, Told]]:
    for release in everything(visitor, "/releases"):
        for action in ("created", "published", "released"):
            yield seconds(release["published_at"]), ("release", action, release["id"], release["tag_name"])


def everything(visitor: Visitor, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return every item of a list without a key, page by page."""
    answer = visitor.session.get(visitor.address + REPOSITORY + path, params={"per_page": 100, **query})
    items = list(answer.json())
    while "next" in answer.links:
        answer = visitor.session.get(answer.links["next"]["url"])
        items += answer.json()
    return items


def told_of_run(run: dict[str, Any], jobs: list[dict[str, Any]]) -> Iterator[tuple[datetime, Told]]:
    began, key = seconds(run["run_started_at"]), (run["id"], run["run_attempt"])
    yield began, ("workflow_run", "requested", *key)
    starts = [seconds(job["started_at"]) for job in jobs if job["status"] != "queued"]
    yield from ((start, ("workflow_run", "in_progress", *key)) for start in sorted(s for s in starts if s >= began)[:1])
    if run["status"] == "completed":
        yield seconds(run["updated_at"]), ("workflow_run", "completed", *key)


def told_of_job(run: dict[str, Any], job: dict[str, Any]) -> Iterator[tuple[datetime, Told]]:
    created, started, ended = (
        job[name] and seconds(job[name]) for name in ("created_at", "started_at", "completed_at")
    )
    key = job["id"], job["run_attempt"]
    if ended and ended < seconds(run["run_started_at"]):
        return  # carried over
    if ended is None or created < ended:
        yield created, ("workflow_job", "queued", *key)
    if job["runner_id"]:
        yield started, ("workflow_job", "in_progress", *key)
    if ended:
        yield ended, ("workflow_job", "completed", *key)


def spooled(home: Path) -> list[Delivery]:
    return [one for path in ready_segments(home) for one in read_segment(path).deliveries]


def told_by(event: str, payload: dict[str, Any]) -> Told:
    """Return what a payload tells."""
    subject = payload[event]
    state = subject["head"]["sha"] if event == "pull_request" else subject.get("run_attempt") or subject["tag_name"]
    return event, payload["action"], subject["id"], state


@dataclass
class Hour:
    """A busy hour as it was sent, and the demo organisation at its end."""

    home: Path
    visitor: Visitor
    sent: list[Delivery]
    expected: set[Told]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    """Let an hour pass in three looks, with main broken for two minutes of it, and everything sent be received."""
    home = tmp_path_factory.mktemp("receiver")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(sending, "LOOKS_EVERY", 0.02)
        with receiving(home) as url:
            visitor = Visitor(stack, BEGAN, days=3, receiver=sender_to(url))
            for minutes in (20, 2, 38):
                visitor.wait(minutes=minutes)
                visitor.switch(broken=minutes == 20)
                told = expected(visitor, BEGAN)
                count = len(told) + len(ended_operations(visitor))
                until(partial(received_all, url, count))
        yield Hour(home, visitor, spooled(home), told)


def received_all(url: str, count: int) -> bool:
    """Tell whether so many deliveries were received, all of them well."""
    answers = requests.get(f"{url}/healthz", timeout=5).json()["answers"]
    assert set(answers) <= {"202"}
    return bool(answers.get("202", 0) >= count)


def ended_operations(visitor: Visitor) -> list[str]:
    """Return the operations that ended in the hour, by the events that Kubernetes keeps for so long."""
    listed = visitor.ask("/argo-cd/api/v1/applications").json()["items"]
    found = []
    for one in listed:
        events = visitor.ask(f"/argo-cd/api/v1/applications/{one['metadata']['name']}/events").json()["items"] or []
        ended = [event for event in events if event["reason"] == "OperationCompleted"]
        found += [
            one["metadata"]["uid"]
            for event in ended
            if BEGAN <= seconds(event["lastTimestamp"]) < visitor.now  # it is told of a second later
        ]
    return found


def test_everything_that_happens_is_told_once(hour: Hour) -> None:
    """Each event of each run and job as the API shows them; re-runs, cancelled and skipped jobs, a burst."""
    of_github = [one for one in hour.sent if one.event != "argocd_notification"]
    assert sorted(told_by(one.event, one.payload) for one in of_github) == sorted(hour.expected)
    assert len({one.delivery_id for one in of_github}) == len(of_github) > 300
    assert len(hour.sent) - len(of_github) == len(ended_operations(hour.visitor)) > 2
    conclusions = {one.payload[one.event].get("conclusion") for one in of_github}
    assert conclusions >= {None, "success", "failure", "skipped"}
    assert {one.payload["action"] for one in of_github} >= {"opened", "closed", "requested", "queued"}


def test_a_payload_is_of_its_moment(hour: Hour) -> None:
    """Status and times are as they were then; what goes with every event names where and who."""
    for one in hour.sent:
        if not one.event.startswith("workflow_"):
            continue
        subject, action = one.payload[one.event], one.payload["action"]
        assert subject["status"] == {"requested": "queued"}.get(action, action), one.payload
        assert (subject["conclusion"] is None) == (action != "completed")
        assert one.payload["repository"]["full_name"] == "phoenix/platform"
        assert one.payload["repository"]["pushed_at"] <= subject.get("updated_at", "2026-11-19T11")
        assert (one.payload["organization"]["login"], one.payload["sender"]["type"]) == ("phoenix", "User")


def test_pull_requests_and_releases_are_told_as_they_are_listed(visit: Callable[..., Visitor]) -> None:
    """In a week each push, end and publication is told once; the last that is told of one is what the API shows."""
    visitor = visit(now=BEGAN, days=20)
    since = BEGAN - timedelta(days=7)
    diary = Diary(World(Universe(), 60, BreakageLog()), int(since.timestamp()))
    told = [
        (one.event, {"action": one.action, **one.told("http://demo")})
        for one in diary.news(int(BEGAN.timestamp()))
        if one.event in ("pull_request", "release")
    ]
    listed = {told for at, told in (*told_of_pulls(visitor), *told_of_releases(visitor)) if since < at <= BEGAN}
    assert sorted(told_by(*one) for one in told) == sorted(listed)
    assert Counter(event for event, _ in told)["release"] >= 3
    last = {payload["number"]: payload["pull_request"] for event, payload in told if event == "pull_request"}
    for number, pull in last.items():
        shown = visitor.get(f"/pulls/{number}")
        for one in (pull, shown):
            for end in ("head", "base"):
                one[end]["repo"] = one[end]["repo"]["full_name"]  # the rest of it moves with every push
        assert pull == shown
    releases = {payload["release"]["id"]: payload["release"] for event, payload in told if event == "release"}
    assert (
        list(releases.values())
        == [one for one in visitor.get("/releases", per_page=100) if one["id"] in releases][::-1]
    )


def test_drained_it_is_what_polling_finds(hour: Hour, tmp_path: Path) -> None:
    """Runs, jobs, steps and operations in staging are those that a poll at the end of the hour brings."""
    assert drain(hour.home).error_count == 0
    sent = staging(hour.home)
    polled = settings_of(hour.visitor.address, tmp_path / "polled", PHOENIX_GITHUB_DETAIL="live")
    sync_github(polled, clock=lambda: hour.visitor.now)
    sync_argocd(polled, clock=lambda: hour.visitor.now)
    found = staging(polled.home)
    for table, keys, moved in (
        ("github_run_attempts", ("run_id", "run_attempt"), ("updated_at",)),
        ("github_jobs", ("job_id",), ()),
        ("github_steps", ("job_id", "step_number"), ("status", "conclusion", "started_at", "completed_at")),
        ("argocd_operations", ("uid", "started_at"), ()),
    ):
        ours, theirs = by_key(sent[table], keys, moved), by_key(found[table], keys, moved)
        common = set(ours) & set(theirs)
        assert {key: ours[key] for key in common} == {key: theirs[key] for key in common}
        assert len(common) > 10 or table == "argocd_operations"
        assert set(ours) <= set(theirs) or table == "argocd_operations"  # of which a poll sees the last
    told = {(run, attempt) for event, _, run, attempt in hour.expected if event == "workflow_run"}
    assert {(row["run_id"], row["run_attempt"]) for row in sent["github_run_attempts"]} == told
    assert len(sent["argocd_operations"]) == len(ended_operations(hour.visitor))


def settings_of(address: str, home: Path, **changes: str) -> Settings:
    environ = {
        "PHOENIX_HOME": str(home),
        "PHOENIX_GITHUB_API_URL": address,
        "PHOENIX_GITHUB_REPOSITORIES": "phoenix/platform",
        "PHOENIX_GITHUB_SINCE": "14d",
        "PHOENIX_ARGOCD_URL": f"{address}/argo-cd",
        "PHOENIX_ARGOCD_TOKEN": "demo",
    }
    return load_settings({**environ, **changes})


def staging(home: Path) -> dict[str, list[dict[str, Any]]]:
    """Load what was landed and return the rows of the tables to compare."""
    with writing(home) as connection:
        load_landing(connection, home, MODELS)
        return {
            table: connection.sql(f"select * from staging.{table}").arrow().read_all().to_pylist() for table in TABLES
        }


def by_key(rows: list[dict[str, Any]], keys: tuple[str, ...], moved: tuple[str, ...]) -> dict[tuple[Any, ...], Any]:
    """Return the rows of a table by their keys, less how we saw them, and of open ones less what still moves."""
    found = {}
    for row in rows:
        left_out = {*OURS, *(moved if row.get("status_rank") != DONE else ())}
        found[tuple(row[key] for key in keys)] = {name: value for name, value in row.items() if name not in left_out}
    return found


HOOK = "/repos/phoenix/platform/hooks/1022480933"


def deliveries(visitor: Visitor, **query: Any) -> list[dict[str, Any]]:
    """Return the log of the webhook, page by page."""
    answer = visitor.session.get(f"{visitor.address}{HOOK}/deliveries", params={"per_page": 100, **query})
    found = answer.json()
    while "next" in answer.links:
        answer = visitor.session.get(answer.links["next"]["url"])
        found += answer.json()
    return found


def complaints(listed: list[dict[str, Any]]) -> list[str]:
    """Return where GitHub's OpenAPI describes a list of deliveries otherwise."""
    if not OPENAPI.exists():
        pytest.skip("GitHub's OpenAPI description is not next to this checkout")
    described = json.loads(OPENAPI.read_text("utf-8"))
    item = _nullable(described["components"]["schemas"]["hook-delivery-item"])
    validator = jsonschema.Draft4Validator({"type": "array", "items": item}, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(listed)]


def test_the_log_of_deliveries_is_githubs(hour: Hour) -> None:
    """Every delivery is listed, newest first, and shown with what was sent and answered; pages follow a cursor."""
    listed = deliveries(hour.visitor)
    assert complaints(listed) == []
    of_github = {one.delivery_id: one for one in hour.sent if one.event != "argocd_notification"}
    assert sorted(one["guid"] for one in listed) == sorted(of_github)
    assert [one["id"] for one in listed] == sorted((one["id"] for one in listed), reverse=True)
    assert {(one["status_code"], one["status"], one["redelivery"]) for one in listed} == {(202, "OK", False)}
    assert deliveries(hour.visitor, status="failure") == []
    shown = hour.visitor.ask(f"{HOOK}/deliveries/{listed[0]['id']}").json()
    assert shown["request"]["payload"] == of_github[listed[0]["guid"]].payload
    assert shown["request"]["headers"]["X-GitHub-Delivery"] == listed[0]["guid"]
    assert json.loads(shown["response"]["payload"]) == {"status": "stored"}
    assert {**shown, **listed[0]} == shown
    [hook] = hour.visitor.get("/hooks")
    assert hook == hour.visitor.get(f"/hooks/{hook['id']}")
    assert (hook["config"]["url"][-7:], hook["config"]["secret"]) == ("/github", "********")
    for unknown in (f"{HOOK}1", f"{HOOK}1/deliveries", f"{HOOK}/deliveries/1", f"{HOOK}/deliveries/x"):
        assert hour.visitor.ask(unknown).status_code == 404
    assert hour.visitor.session.post(f"{hour.visitor.address}{HOOK}/deliveries/1/attempts").status_code == 404


def test_each_repository_has_a_webhook_of_its_own(visit: Callable[..., Visitor], free_port: int) -> None:
    """With its own log; without a secret for GitHub there is none."""
    visitor = visit(now=BEGAN, days=3, repositories=3, receiver=sender_to(f"http://127.0.0.1:{free_port}"))
    names = [one["full_name"] for one in visitor.ask("/orgs/phoenix/repos").json()]
    ids = [one["id"] for name in names for one in visitor.ask(f"/repos/{name}/hooks").json()]
    assert len(set(ids)) == len(names) == 3
    assert visitor.ask(f"/repos/{names[1]}/hooks/{ids[1]}/deliveries").json() == []
    assert visitor.ask(f"/repos/{names[1]}/hooks/{ids[2]}/deliveries").status_code == 404
    silent = visit(now=BEGAN, days=3, receiver=Receiver(f"http://127.0.0.1:{free_port}", argocd_secret=ARGOCD_SECRET))
    assert silent.get("/hooks") == []
    assert silent.ask(f"{HOOK}/deliveries").status_code == 404


def test_what_is_told_depends_on_no_look(hour: Hour) -> None:
    """After a restart, with other looks and another memory, the same is sent under the same ids."""
    since, end = int(BEGAN.timestamp()), int(BEGAN.timestamp()) + 3600
    whole, pieces = (Diary(World(Universe(), days, BreakageLog()), since) for days in (60, 3))
    told = whole.news(end)
    in_pieces = [one for minutes in (7, 7, 3, 20, 60) for one in pieces.news(since + minutes * 60)]
    assert [(one.at, one.key, one.event) for one in in_pieces] == [(one.at, one.key, one.event) for one in told]
    assert {guid_of(PLATFORM, one) for one in told} < {one.delivery_id for one in hour.sent}  # which had a burst, too


def test_what_failed_is_asked_for_again(visit: Callable[..., Visitor], tmp_path: Path, free_port: int) -> None:
    """While the receiver is away deliveries fail, once each; then the redelivery loop brings every one of them."""
    tonight = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    began = tonight if tonight < datetime.now(UTC) - timedelta(hours=1) else tonight - timedelta(days=1)
    home = tmp_path / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "LOOKS_EVERY", 0.02)
        visitor = visit(now=began, days=3, receiver=sender_to(f"http://127.0.0.1:{free_port}"))
        visitor.wait(hours=1)  # the nightly build, whatever else
        told = expected(visitor, began)
        until(lambda: len(deliveries(visitor)) == len(told))
        assert {one["status"] for one in deliveries(visitor)} == {"failed to connect to host"}
        client = connect(settings_of(visitor.address, home)).client_for("phoenix/platform")
        with receiving(home, free_port):
            assert ask_again(client, "/repositories/612480933/hooks") == len(told) > 3
            until(lambda: len(deliveries(visitor, status="success")) == len(told))
            assert ask_again(client, "/repositories/612480933/hooks") == 0
    assert sorted(told_by(one.event, one.payload) for one in spooled(home)) == sorted(told)
    assert sum(one["redelivery"] for one in deliveries(visitor)) == len(told)


def test_a_receiver_that_hangs_slows_nobody(visit: Callable[..., Visitor]) -> None:
    """The API answers while every delivery waits for the receiver, and the server ends without waiting for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "LOOKS_EVERY", 0.02)
        visitor = visit(now=BEGAN, days=3, receiver=sender_to(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        visitor.runs()
        visitor.wait(minutes=20)
        held, _ = silent.accept()
        with held:
            asked = time.monotonic()
            assert visitor.ask("/repos/phoenix/platform/actions/runs").status_code == 200
            assert time.monotonic() - asked < 2
            assert deliveries(visitor) == []


@pytest.mark.parametrize(("statuses", "tries"), [((503,), 4), ((500, 500, 202), 3), ((400,), 1)])
def test_a_notification_is_tried_again_as_argo_cd_does(
    visit: Callable[..., Visitor], monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, ...], tries: int
) -> None:
    """Three times more after the receiver's own failures, not after a refusal; then it is lost."""
    monkeypatch.setattr(sending, "LOOKS_EVERY", 0.02)
    monkeypatch.setattr(notifier, "_PAUSES", (0, 0, 0))
    bodies = Counter[bytes]()

    async def answer(request: Request) -> Response:
        body = await request.body()
        bodies[body] += 1
        assert request.headers["authorization"] == f"Bearer {ARGOCD_SECRET}"
        return Response(status_code=statuses[min(bodies[body], len(statuses)) - 1])

    with serving(Starlette(routes=[Route("/argocd", answer, methods=["POST"])])) as url:
        visitor = visit(now=BEGAN, days=3, receiver=Receiver(url, argocd_secret=ARGOCD_SECRET))
        visitor.wait(hours=1)
        ended = len(ended_operations(visitor))
        until(lambda: bodies.total() == ended * tries)
        time.sleep(0.1)  # for what should not come any more
    assert list(bodies.values()) == [tries] * ended
