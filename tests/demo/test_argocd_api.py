"""Argo CD's REST API over a cluster: its shapes by its own swagger, its refusals, its fields and its streams."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from phoenix_metrics.demo.argocd import api
from phoenix_metrics.demo.argocd.actions import Action, Commit, Create, Outcome, Source, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.demo.argocd.projection import projected
from phoenix_metrics.demo.argocd.selection import matches
from tests.argocd_server import ArgoCD, Fault, serving
from tests.demo.argocd_story import CHART, SHOP, T0, A, B, C, at, contract, eventful, images

LIST, STREAM = "/api/v1/applications", "/api/v1/stream/applications"
ONE = f"{LIST}/{SHOP}"
DENIED = {"error": "permission denied", "code": 7, "message": "permission denied"}


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(T0 + second, UTC)


@pytest.fixture
def serve() -> Iterator[Callable[..., ArgoCD]]:
    with ExitStack() as stack:

        def start(story: list[Action] | None = None, *, second: int = 0, version: str = "v3.2.0", **how: Any) -> ArgoCD:
            cluster = Cluster(eventful() if story is None else story, version)
            return stack.enter_context(serving(cluster, moment(second), **how))

        yield start


def ask(argo_cd: ArgoCD, path: str, token: str | None = None, **query: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(argo_cd.url + path, params=query, headers=headers)


def names(argo_cd: ArgoCD, **query: Any) -> list[str]:
    items = ask(argo_cd, LIST, **query).json()["items"]
    return [item["metadata"]["name"] for item in items or []]


@contextmanager
def watching(argo_cd: ArgoCD, accept: str = "application/json", **query: Any) -> Iterator[Iterator[str]]:
    """Open a stream and lend its lines that say something."""
    url, headers = argo_cd.url + STREAM, {"Accept": accept}
    with httpx.stream("GET", url, params=query, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(accept)
        yield (line for line in answer.iter_lines() if line)


def told(line: str) -> tuple[str, str, str | None]:
    """Return kind, name and phase of an operation that a line of a stream tells."""
    result = json.loads(line.removeprefix("data:"))["result"]
    application = result["application"]
    state = application.get("status", {}).get("operationState") or {}
    return result["type"], application["metadata"]["name"], state.get("phase")


def test_every_answer_is_valid_by_argo_cds_swagger(serve):
    """All the way through an eventful morning, but for the list with fields, which is not on the real server either."""
    argo_cd = serve()
    definitions = {
        "/api/version": "versionVersionMessage",
        "/api/v1/session/userinfo": "sessionGetUserInfoResponse",
        LIST: "v1alpha1ApplicationList",
        ONE: "v1alpha1Application",
        f"{ONE}/events": "eventsEventList",
        f"{ONE}/resource-tree": "v1alpha1ApplicationTree",
        f"{ONE}/revisions/{A}/metadata": "v1alpha1RevisionMetadata",
        f"{ONE}/resource?kind=Rollout&group=argoproj.io&version=v1alpha1&resourceName=api&namespace={SHOP}": (
            "applicationApplicationResourceResponse"
        ),
    }
    validators = {path: contract(definition) for path, definition in definitions.items()}
    for second in (100, 640, 1250, 1650, 1902, 2002, 2112, 2303, 2451, 2800, 3250, 3500):
        argo_cd.now = moment(second)
        for path, errors in validators.items():
            answer = httpx.get(argo_cd.url + path)
            assert (path, answer.status_code, errors(answer.json())) == (path, 200, [])
    refused = contract("runtimeError")
    assert refused(ask(argo_cd, f"{LIST}/nothing").json()) == []


def test_chunks_of_a_stream_are_valid_by_argo_cds_swagger(serve):
    """Each line holds a watch event with a whole application."""
    errors, argo_cd = contract("v1alpha1ApplicationWatchEvent"), serve(second=700)
    with watching(argo_cd) as lines:
        chunks = [json.loads(next(lines)) for _ in range(3)]
    assert [errors(chunk["result"]) for chunk in chunks] == [[], [], []]
    assert all(set(chunk) == {"result"} for chunk in chunks)


def test_an_empty_list_is_null(serve):
    """There is no application: `items` is null, not an empty list."""
    argo_cd = serve([])
    assert ask(argo_cd, LIST).json() == {"metadata": {"resourceVersion": "0"}, "items": None}


def test_the_list_has_no_health_of_resources_and_no_pages(serve):
    """Health of single resources is in one application's answer alone; limit and continue do nothing."""
    argo_cd = serve(second=100)
    listed = ask(argo_cd, LIST, name=SHOP, limit=1).json()["items"][0]
    alone = ask(argo_cd, ONE).json()
    assert {"health" in one for one in listed["status"]["resources"]} == {False}
    assert {one["kind"] for one in alone["status"]["resources"] if "health" in one} == {"Rollout", "Deployment"}
    assert len(names(argo_cd, limit=1)) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [CHART, SHOP, "everything"]),
        ({"projects": "search"}, [CHART]),
        ({"projects": ["search", "default"]}, [CHART, SHOP, "everything"]),
        ({"projects": "other"}, []),
        ({"name": SHOP}, [SHOP]),
        ({"appNamespace": "platform"}, ["everything"]),
        ({"repo": "https://charts.example.com"}, [CHART]),
        ({"selector": "team=shop,env in (production, staging)"}, [SHOP]),
        ({"selector": "!team"}, [CHART, "everything"]),
    ],
)
def test_the_list_is_narrowed(serve, query, found):
    """By projects, name, namespace, repository and labels."""
    assert names(serve(second=100), **query) == found


@pytest.mark.parametrize(
    ("selector", "is_met"),
    [
        ("", True),
        ("team=shop", True),
        ("team==shop", True),
        ("team=cart", False),
        ("team!=cart", True),
        ("team!=shop", False),
        ("other!=shop", True),
        ("team", True),
        ("other", False),
        ("!team", False),
        ("!other", True),
        ("team in (cart,shop)", True),
        ("team in (cart)", False),
        ("team notin (cart)", True),
        ("team notin (shop, cart)", False),
        ("other notin (shop)", True),
        ("app.kubernetes.io/part-of=shop, team in (shop)", True),
        ("team=shop,tier=web", False),
    ],
)
def test_selectors_are_those_of_kubernetes(selector, is_met):
    """Equal, unequal, one of several, none of several, there, not there; all parts must hold."""
    assert matches({"team": "shop", "app.kubernetes.io/part-of": "shop"}, selector) is is_met


def test_fields_of_the_list_are_a_whitelist(serve):
    """What it does not know vanishes without a word, even what matters most: uid, history, message."""
    argo_cd = serve(second=100)
    wished = ("metadata.name", "metadata.uid", "status.history", "status.health", "status.operationState.message")
    asked = ",".join(f"items.{path}" for path in (*wished, "status.operationState.phase"))
    answer = ask(argo_cd, LIST, fields=asked, name=SHOP).json()
    assert answer["items"] == [
        {
            "metadata": {"name": SHOP},
            "status": {
                "health": {"status": "Healthy", "lastTransitionTime": at(55)},
                "operationState": {"phase": "Succeeded"},
            },
        }
    ]
    assert "metadata" in answer
    assert ask(argo_cd, LIST, fields="items.metadata.uid", name=SHOP).json()["items"] == [{}]


def test_the_list_calls_a_result_an_operation(serve):
    """`status.operationState.operation.sync` is the sync result: a full sync seems to name resources."""
    argo_cd = serve(second=100)
    field = "status.operationState.operation.sync"
    listed = ask(argo_cd, LIST, fields=f"items.{field}", name=SHOP).json()["items"][0]
    state = ask(argo_cd, ONE).json()["status"]["operationState"]
    assert listed["status"]["operationState"]["operation"]["sync"] == state["syncResult"]
    assert listed["status"]["operationState"]["operation"]["sync"]["resources"]
    assert "resources" not in state["operation"]["sync"]
    errors = contract("v1alpha1Application")(listed)
    assert errors, "the swagger does not allow it"


def test_a_minus_leaves_out_of_the_whitelist(serve):
    """What is left is the whitelist without that field, not everything without it."""
    listed = ask(serve(second=100), LIST, fields="-items.spec", name=SHOP).json()["items"][0]
    assert set(listed) == {"metadata", "status"}
    assert set(listed["metadata"]) == {"name", "namespace", "labels", "creationTimestamp"}
    assert "history" not in listed["status"]


@pytest.mark.parametrize(("version", "spec"), [("v3.4.0", None), ("v3.5.0", {"project": "default"})])
def test_the_list_knows_more_fields_since_3_5(serve, version, spec):
    """Parts of the spec by themselves, and the compared revision."""
    fields = "items.metadata.name,items.spec.project,items.status.sync.revision"
    listed = ask(serve(second=100, version=version), LIST, fields=fields, name=SHOP).json()["items"][0]
    assert listed.get("spec") == spec
    assert ("status" in listed) is (spec is not None)


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ((), {"type": "X", "application": {"metadata": {"name": "a", "uid": "1"}, "history": [{"id": 1, "x": 2}]}}),
        (("type",), {"type": "X"}),
        (("application.history.id", "type"), {"type": "X", "application": {"history": [{"id": 1}]}}),
        (("application.metadata.uid",), {"application": {"metadata": {"uid": "1"}}}),
        (("application.nothing",), None),
        (
            ("-application.history", "-application.metadata.uid"),
            {"type": "X", "application": {"metadata": {"name": "a"}}},
        ),
    ],
)
def test_fields_of_a_stream_are_any_paths(wanted, left):
    """Dotted, through lists, and with a minus everything but."""
    whole = {"type": "X", "application": {"metadata": {"name": "a", "uid": "1"}, "history": [{"id": 1, "x": 2}]}}
    assert projected(whole, wanted) == left


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (f"{LIST}/nothing", {}, 403, 7),
        (f"{LIST}/nothing", {"project": "default"}, 404, 5),
        (ONE, {"project": "default"}, 200, None),
        (ONE, {"project": "search"}, 404, 5),
        (ONE, {"appNamespace": "argocd", "project": "default"}, 200, None),
        (ONE, {"appNamespace": "platform"}, 403, 7),
        (f"{LIST}/everything", {}, 403, 7),
        (f"{LIST}/everything", {"appNamespace": "platform"}, 200, None),
        (f"{LIST}/nothing/events", {}, 403, 7),
        (f"{LIST}/nothing/resource-tree", {"project": "default"}, 404, 5),
        (f"{ONE}/resource", {"kind": "Rollout", "resourceName": "cart", "namespace": SHOP}, 400, 3),
        (f"{ONE}/resource", {"kind": "Rollout", "resourceName": "api", "namespace": "other"}, 400, 3),
        (f"{ONE}/revisions/{'f' * 40}/metadata", {}, 500, 2),
        ("/api/v1/nothing", {}, 404, 5),
    ],
)
def test_refusals(serve, path, query, status, code):
    """What is not there is forbidden unless a project is named; each refusal has an error, a code and a message."""
    answer = ask(serve(second=100), path, **query)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if code == 7:
        assert answer.json() == DENIED


def test_a_token_is_asked_for(serve):
    """Everything but the version needs it; none and a wrong one are both 401 with code 16."""
    argo_cd = serve(second=100, token="right")
    assert [ask(argo_cd, path).status_code for path in (LIST, ONE, STREAM, f"{ONE}/events")] == [401] * 4
    assert ask(argo_cd, LIST).json()["code"] == ask(argo_cd, LIST, "wrong").json()["code"] == 16
    assert "expired" in ask(argo_cd, LIST, "wrong").json()["message"]
    assert ask(argo_cd, LIST, "right").status_code == 200
    assert ask(argo_cd, "/api/version").json()["Version"].startswith("v3.2.0")
    assert ask(argo_cd, "/api/v1/session/userinfo").json() == {}
    assert ask(argo_cd, "/api/v1/session/userinfo", "right").json()["loggedIn"] is True
    assert ask(argo_cd, "/api/v1/session/userinfo", "wrong").status_code == 401


def test_the_api_lies_below_its_root_path(serve):
    """Outside it, and at paths of the user interface, a page is answered with 200."""
    argo_cd = serve(second=100, root="/argo-cd")
    assert argo_cd.url.endswith("/argo-cd")
    assert len(names(argo_cd)) == 3
    outside = httpx.get(argo_cd.url.removesuffix("/argo-cd") + LIST)
    inside = ask(argo_cd, "/applications/argocd/shop")
    for answer in (outside, inside):
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/html")
        assert answer.text.startswith("<!doctype html>")


def test_long_answers_are_packed_for_those_who_can_unpack(serve):
    """The list is a fraction of its size on the wire."""
    argo_cd = serve(second=100)
    packed, plain = (
        httpx.get(argo_cd.url + LIST, headers={"Accept-Encoding": encoding}) for encoding in ("gzip", "identity")
    )
    assert (packed.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) * 3 < int(plain.headers["content-length"])


@pytest.mark.parametrize("value", ["false", "normal", "hard"])
def test_refresh_makes_the_controller_work(serve, value):
    """Any value, false, too, makes it compare; the server counts it as a fault of the visitor."""
    argo_cd = serve(second=170)
    before = ask(argo_cd, ONE).json()["status"]["reconciledAt"]
    assert argo_cd.refreshes == []
    after = ask(argo_cd, ONE, refresh=value).json()["status"]["reconciledAt"]
    ask(argo_cd, LIST, refresh=value)
    assert (before < after, after) == (True, at(170))
    assert len(argo_cd.refreshes) == 2


def test_manifests_are_text(serve):
    """One by one they are live objects; managed resources are those of Git, narrowed by kind and fields."""
    argo_cd = serve(second=1250)
    tree = ask(argo_cd, f"{ONE}/resource-tree").json()["nodes"]
    for node in tree:
        place = {key: node.get(key, "") for key in ("group", "version", "kind", "namespace")}
        manifest = json.loads(ask(argo_cd, f"{ONE}/resource", resourceName=node["name"], **place).json()["manifest"])
        assert (manifest["kind"], manifest["metadata"]["name"]) == (node["kind"], node["name"])
        assert manifest["metadata"].get("uid", node["uid"]) == node["uid"]
    kinds = {"group": "argoproj.io", "kind": "Rollout"}
    managed = ask(argo_cd, f"{ONE}/managed-resources", **kinds).json()["items"]
    assert [json.loads(one["liveState"])["status"]["phase"] for one in managed] == ["Degraded"]
    named = ask(argo_cd, f"{ONE}/managed-resources", fields="items.name,items.kind").json()["items"]
    assert {(one["kind"], one["name"]) for one in named} == {
        (kind, name)
        for kind, name in (("Rollout", "api"), ("Deployment", "web"), ("Service", "api"), ("Service", "web"))
    }
    assert all(set(one) == {"kind", "name"} for one in named)


def test_a_commit_tells_who_and_why(serve):
    """Author, date and message of what Git had when it moved."""
    answer = ask(serve(second=700), f"{ONE}/revisions/{B}/metadata", appNamespace="argocd", project="default").json()
    assert answer == {"author": "GitHub Actions <actions@github.com>", "date": at(600), "message": "Ship B"}


def test_a_stream_begins_with_all_there_is(serve):
    """Everything as ADDED, then what changes as it changes; a resource version leaves out the beginning."""
    story = [*eventful(), Sync(T0 + 6000, SHOP)]
    argo_cd = serve(story, second=5000)
    with watching(argo_cd) as lines:
        assert [told(next(lines)) for _ in range(3)] == [
            ("ADDED", CHART, "Succeeded"),
            ("ADDED", SHOP, "Succeeded"),
            ("ADDED", "everything", "Succeeded"),
        ]
        argo_cd.now = moment(6010)
        seen = [told(next(lines)) for _ in range(3)]
    assert seen == [("MODIFIED", SHOP, phase) for phase in (None, "Running", "Succeeded")]
    later = Cluster([*story, Sync(T0 + 7000, SHOP)])
    with serving(later, moment(6100)) as argo_cd, watching(argo_cd, resourceVersion=str(later.latest)) as lines:
        threading.Timer(0.3, lambda: argo_cd.wait(seconds=910)).start()
        assert told(next(lines)) == ("MODIFIED", SHOP, None)


def test_a_stream_of_events_frames_each_chunk(serve, monkeypatch):
    """`data:` before each, and a comment now and then while nothing happens; the plain form has neither."""
    monkeypatch.setattr(api, "_KEEP_ALIVE", 0.1)
    argo_cd = serve(second=5000)
    with watching(argo_cd, "text/event-stream", selector="!nothing", projects="search") as lines:
        first, second = next(lines), next(lines)
    assert first.startswith("data: {")
    assert told(first) == ("ADDED", CHART, "Succeeded")
    assert second == ":"


def test_a_narrow_stream_tells_only_what_differs(serve):
    """A chunk equal to the last one of the same name is not sent again."""
    story = [
        Create(T0, SHOP),
        Commit(T0, SHOP, (A,), images(A)),
        Sync(T0, SHOP),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP, outcome=Outcome(failed_attempts=3)),
    ]
    argo_cd = serve(story, second=80)
    fields = "result.type,result.application.metadata.name,result.application.status.operationState.phase"
    with watching(argo_cd, fields=fields) as lines:
        first = next(lines)
        argo_cd.now = moment(1000)
        seen = [told(next(lines)) for _ in range(4)]
    assert json.loads(first)["result"]["application"] == {
        "metadata": {"name": SHOP},
        "status": {"operationState": {"phase": "Succeeded"}},
    }
    assert seen == [("MODIFIED", SHOP, phase) for phase in ("Succeeded", None, "Running", "Succeeded")]


def test_metrics_count_operations(serve):
    """One line for each application, phase and kind of run, as Prometheus reads it; 3.0 does not tell dry runs."""
    argo_cd = serve(second=2050)
    text = ask(argo_cd, "/metrics").text
    labels = f'dest_server="https://kubernetes.default.svc",dry_run="false",name="{SHOP}",namespace="argocd"'
    assert f'argocd_app_sync_total{{{labels},phase="Failed",project="default"}} 2\n' in text
    assert f'argocd_app_sync_total{{{labels},phase="Error",project="default"}} 1\n' in text
    assert text.count('dry_run="true"') == 1
    assert "dry_run" not in ask(serve(second=2050, version="v3.0.0"), "/metrics").text


def test_what_goes_wrong_on_demand(serve):
    """Statuses, bodies that break off, streams that are cut or end; everything asked is written down."""
    argo_cd = serve(second=100)
    argo_cd.faults += [
        Fault("/events", status=503, count=2, skip=1),
        Fault(f"{LIST}$", is_cut=True),
        Fault("/stream", chunks=1),
        Fault("/stream", chunks=2, is_ended=True),
        Fault("/version", status=200, body="<html>", kind="text/html"),
    ]
    assert [ask(argo_cd, f"{ONE}/events").status_code for _ in range(4)] == [200, 503, 503, 200]
    with pytest.raises(httpx.RemoteProtocolError):
        ask(argo_cd, LIST)
    assert len(names(argo_cd)) == 3
    seen: list[str] = []
    with watching(argo_cd) as lines, pytest.raises(httpx.RemoteProtocolError):
        seen.extend(lines)
    assert len(seen) == 1
    with watching(argo_cd) as lines:
        assert len(list(lines)) == 2
    assert ask(argo_cd, "/api/version").text == "<html>"
    assert argo_cd.requests == [f"{ONE}/events"] * 4 + [LIST, LIST, STREAM, STREAM, "/api/version"]


def test_the_date_is_the_servers(serve):
    """Answers tell the time of the story, or of a clock that goes wrong."""
    argo_cd = serve(second=100)
    assert ask(argo_cd, LIST).headers["date"] == "Fri, 02 Jan 2026 09:01:40 GMT"
    argo_cd.clock_skew = moment(7) - moment(0)
    assert ask(argo_cd, LIST).headers["date"] == "Fri, 02 Jan 2026 09:01:47 GMT"


def test_many_applications_are_listed(serve):
    """A thousand, whole, in one answer."""
    story: list[Action] = []
    for name in (f"shop-{number}" for number in range(1000)):
        sources = (Source("https://git.example.com/config.git", path=name),)
        story += [Create(T0, name, sources=sources), Commit(T0, name, (C,), images(C)), Sync(T0, name)]
    argo_cd = serve(story, second=100)
    assert sorted(names(argo_cd)) == sorted(f"shop-{number}" for number in range(1000))
