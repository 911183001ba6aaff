"""Passes over Argo CD servers: what lands, what is asked for, and that one server's trouble stays its own."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from phoenix_metrics.defs.argocd import Pass, sync_argocd
from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.pipeline import run_sync
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.webhooks.watched import follows, only_watcher
from tests.conftest import rows
from tests.github_server import GitHub
from tests.written_argocd import REPOSITORY, SHA, ArgoCD, Fault, serving

TOKEN = "very-secret-token"
COMMIT = {"author": "Ada <ada@example.com>", "date": "2026-01-01T00:00:00Z", "message": "Release", "tags": ["v1"]}


@pytest.fixture
def serve() -> Iterator[Callable[[ArgoCD], ArgoCD]]:
    """Start servers; they end with the test."""
    with ExitStack() as stack:
        yield lambda argocd: stack.enter_context(serving(argocd))


@pytest.fixture
def argocd(serve: Callable[[ArgoCD], ArgoCD]) -> ArgoCD:
    """A running server that wants a token and has no applications."""
    return serve(ArgoCD(token=TOKEN))


def settings_of(argocd: ArgoCD, folder: Path, toml: str = "", **environ: str) -> Settings:
    """Return settings that measure one server by variables, and others by tables."""
    file = folder / "phoenix.toml"
    file.write_text(toml)
    base = {"PHOENIX_HOME": str(folder / "home"), "PHOENIX_CONFIG": str(file)}
    server = {"PHOENIX_ARGOCD_URL": argocd.url, "PHOENIX_ARGOCD_TOKEN": TOKEN}
    return load_settings({**base, **server, **environ})


def landed(settings: Settings, name: str) -> list[dict[str, Any]]:
    """Return the payloads of a source object, oldest first."""
    files = sorted((settings.home / "landing" / f"argocd_{name}").glob("*/*.parquet"), key=lambda file: file.name)
    return [json.loads(text) for file in files for text in pq.read_table(file)["payload"].to_pylist()]


def run(settings: Settings, argocd: ArgoCD, **span: float) -> Pass:
    """Let some time go by (a minute), make one pass and return how the first server's went."""
    argocd.clock.pass_by(**(span or {"minutes": 1}))
    argocd.requests.clear()
    return sync_argocd(settings, argocd.clock, sleep=lambda seconds: None)[0]


def states(settings: Settings) -> list[tuple[str, str]]:
    """Return how applications were seen, in order."""
    return [(one["application"], one["state"]) for one in landed(settings, "sightings")]


def test_a_second_pass_lands_nothing_new(argocd: ArgoCD, tmp_path: Path) -> None:
    """Applications, how they were seen, events and commits land once, whatever Argo CD compares in between."""
    argocd.add("shop")
    argocd.add("cart")
    argocd.sync("shop")
    argocd.tell("shop", "e1", "Sync operation to abc succeeded")
    argocd.revisions[SHA] = COMMIT
    settings = settings_of(argocd, tmp_path)
    first = run(settings, argocd)
    assert (first.state, first.note, first.outcome.version) == ("ok", None, "v3.2.0")
    assert first.landed == {
        "argocd_applications": 2,
        "argocd_sightings": 2,
        "argocd_events": 1,
        "argocd_revisions": 1,
    }
    argocd.applications["argocd", "cart"]["status"]["reconciledAt"] = argocd.clock.text()
    assert run(settings, argocd).landed == {}
    assert run(settings, argocd, minutes=16).landed == {}
    [revision] = landed(settings, "revisions")
    assert revision == {"instance": "argocd", "repoURL": REPOSITORY, "revision": SHA, **COMMIT}
    syncs = landed(settings, "syncs")
    assert [(one["state"], one["is_sweep"], one["application_count"], one["changed_count"]) for one in syncs] == [
        ("ok", True, 2, 2),
        ("ok", True, 2, 0),
        ("ok", True, 2, 0),
    ]


def test_no_request_asks_for_a_refresh_and_no_secret_lands(argocd: ArgoCD, tmp_path: Path) -> None:
    """Not even refresh=false; passwords in addresses and the token stay out of every landing file."""
    application = argocd.add("shop")
    application["spec"]["source"]["repoURL"] = "https://robot:hunter2@git.example/configs"
    message = "rpc error: failed to list https://robot:hunter2@git.example/configs"
    application["status"]["conditions"] = [{"type": "ComparisonError", "message": message}]
    argocd.sync("shop")
    argocd.tell("shop", "e1", f"Sync operation to abc failed: {message}")
    settings = settings_of(argocd, tmp_path)
    assert run(settings, argocd).state == "ok"
    assert argocd.requests
    assert argocd.asked("refresh") == []
    assert set(argocd.tokens) == {f"Bearer {TOKEN}"}
    everything = json.dumps(
        [landed(settings, name) for name in ("applications", "events", "revisions", "syncs", "sightings")]
    )
    assert "failed to list" in everything
    assert "hunter2" not in everything
    assert TOKEN not in everything


def test_of_many_applications_only_those_that_changed_are_read(argocd: ArgoCD, tmp_path: Path) -> None:
    """Over 300 known: the cheap list, a GET of each that differs in it, and the full list each 15 minutes."""
    for number in range(301):
        argocd.add(f"app-{number:03}")
    settings = settings_of(argocd, tmp_path)
    assert run(settings, argocd).landed["argocd_applications"] == 301
    argocd.sync("app-007")
    argocd.applications["argocd", "app-008"]["status"]["health"] = {
        "status": "Degraded",
        "lastTransitionTime": argocd.clock.text(),
    }
    argocd.add("app-new")
    probed = run(settings, argocd)
    assert not probed.outcome.is_sweep
    asked = argocd.asked(r"/applications/[^/]+\?")
    assert sorted(request.split("?")[0].rpartition("/")[2] for request in asked) == ["app-007", "app-008", "app-new"]
    [listing] = argocd.asked(r"/applications\?")
    assert "fields=items.metadata.name" in listing
    names = [one["metadata"]["name"] for one in landed(settings, "applications")[301:]]
    assert sorted(names) == ["app-007", "app-008", "app-new"]
    assert run(settings, argocd).landed == {}
    assert argocd.asked(r"/applications/[^/]+\?") == []
    assert run(settings, argocd, minutes=16).outcome.is_sweep
    assert argocd.asked(r"/applications\?fields") == []


def test_health_is_read_again_once_argo_cd_compared_after_an_operation(argocd: ArgoCD, tmp_path: Path) -> None:
    """Right after an operation the old health still stands; the reading that confirms it is landed, no other."""
    for number in range(301):
        argocd.add(f"app-{number:03}")
    settings = settings_of(argocd, tmp_path)
    run(settings, argocd)
    argocd.sync("app-007")
    status = argocd.applications["argocd", "app-007"]["status"]
    status["reconciledAt"] = argocd.clock.text(minutes=1)
    assert run(settings, argocd).landed["argocd_applications"] == 1
    assert run(settings, argocd).landed["argocd_applications"] == 0
    status["reconciledAt"] = argocd.clock.text()
    assert run(settings, argocd).landed["argocd_applications"] == 1
    assert run(settings, argocd).landed["argocd_applications"] == 0
    assert argocd.asked("app-007") == []


def test_a_list_that_breaks_off_says_nothing_of_what_did_not_come(argocd: ArgoCD, tmp_path: Path) -> None:
    """The pass failed; nothing is taken for gone, what came stands, and the next pass reads the full list."""
    for number in range(301):
        argocd.add(f"app-{number:03}")
    settings = settings_of(argocd, tmp_path)
    run(settings, argocd)
    for breaks in (Fault(r"/applications\?fields", breaks_off=True), Fault("/applications$", breaks_off=True)):
        argocd.faults.append(breaks)
        broken = run(settings, argocd)
        assert broken.state == "failed"
        assert "the list of applications breaks off" in str(broken.note)
    assert {state for _, state in states(settings)} == {"seen"}
    healed = run(settings, argocd)
    assert (healed.state, healed.outcome.is_sweep, healed.landed) == ("ok", True, {})


def test_a_first_list_that_breaks_off_keeps_what_came(argocd: ArgoCD, tmp_path: Path) -> None:
    """What was read is right; the next pass lands the rest and nothing twice."""
    for number in range(20):
        argocd.add(f"app-{number:02}")
    settings = settings_of(argocd, tmp_path)
    argocd.faults.append(Fault("/applications$", breaks_off=True))
    came = run(settings, argocd).landed["argocd_applications"]
    assert 0 < came < 20
    assert run(settings, argocd).landed["argocd_applications"] == 20 - came
    names = [one["metadata"]["name"] for one in landed(settings, "applications")]
    assert sorted(names) == [f"app-{number:02}" for number in range(20)]


def test_a_token_that_expires_midway_stops_the_pass(argocd: ArgoCD, tmp_path: Path) -> None:
    """The line says what to do; applications that were read before stay; nothing more is asked for."""
    for name in ("cart", "shop"):
        argocd.add(name)
        argocd.sync(name)
    settings = settings_of(argocd, tmp_path)
    argocd.faults.append(Fault("/events", 401, '{"code": 16, "message": "token expired"}', count=9))
    stopped = run(settings, argocd)
    assert stopped.state == "failed"
    assert "token expired or revoked" in str(stopped.note)
    assert "check PHOENIX_ARGOCD_TOKEN" in str(stopped.note)
    assert len(landed(settings, "applications")) == 2
    assert argocd.asked("/revisions/") == []
    argocd.faults.clear()
    argocd.tell("shop", "e1", "Sync operation to abc succeeded")
    assert run(settings, argocd).landed["argocd_events"] == 1


def test_one_application_that_is_refused_is_counted(argocd: ArgoCD, tmp_path: Path) -> None:
    """The others go on; the pass is partial and says what was refused."""
    for name in ("cart", "shop"):
        argocd.add(name)
        argocd.sync(name)
        argocd.tell(name, f"e-{name}", "Sync operation to abc succeeded")
    argocd.faults.append(Fault("/cart/events", 403, '{"code": 7, "message": "permission denied"}'))
    settings = settings_of(argocd, tmp_path)
    done = run(settings, argocd)
    assert (done.state, done.outcome.found.refused_count) == ("partial", 1)
    assert "\n" not in str(done.note)
    assert "events" in str(done.note)
    assert [one["application"] for one in landed(settings, "events")] == ["shop"]
    [sync] = landed(settings, "syncs")
    assert (sync["state"], sync["refused_count"]) == ("partial", 1)


def test_what_is_gone_from_the_list_is_deleted_hidden_or_just_not_seen(argocd: ArgoCD, tmp_path: Path) -> None:
    """Only an answer that names its project tells deleted; each state lands once, and one that is back is seen."""
    for name in ("cart", "shop", "till"):
        argocd.add(name, team="a")
    settings = settings_of(argocd, tmp_path, PHOENIX_ARGOCD_SELECTOR="team=a")
    run(settings, argocd)
    gone = argocd.applications.pop(("argocd", "cart"))
    argocd.hidden.add("shop")
    argocd.applications["argocd", "till"]["metadata"]["labels"] = {}
    run(settings, argocd)
    run(settings, argocd)
    assert sorted(states(settings)[3:]) == [("cart", "deleted"), ("shop", "no_access"), ("till", "not_seen")]
    [note] = [one["note"] for one in landed(settings, "sightings") if one["state"] == "not_seen"]
    assert "the selector, the projects or the token's role leave it out" in note
    argocd.hidden.clear()
    argocd.applications["argocd", "till"]["metadata"]["labels"] = {"team": "a"}
    gone["metadata"]["uid"] = "another"
    argocd.applications["argocd", "cart"] = gone
    run(settings, argocd)
    back = landed(settings, "sightings")[6:]
    assert sorted((one["application"], one["state"], one["uid"]) for one in back) == [
        ("cart", "seen", "another"),
        ("shop", "seen", "uid-argocd-shop"),
        ("till", "seen", "uid-argocd-till"),
    ]


def test_an_application_that_moved_to_another_project_is_not_deleted(argocd: ArgoCD, tmp_path: Path) -> None:
    """With its old project it does not exist; without one it does."""
    argocd.add("shop", project="a")
    settings = settings_of(argocd, tmp_path, PHOENIX_ARGOCD_PROJECTS="a,b")
    run(settings, argocd)
    assert argocd.asked(r"/applications\?projects=a&projects=b")
    argocd.applications["argocd", "shop"]["spec"]["project"] = "c"
    run(settings, argocd)
    assert states(settings) == [("shop", "seen"), ("shop", "not_seen")]


def test_events_are_read_of_what_was_active_every_quarter_of_an_hour(argocd: ArgoCD, tmp_path: Path) -> None:
    """An application to which nothing happened has no operation that an event could tell of."""
    for name in ("cart", "shop"):
        argocd.add(name)
    settings = settings_of(argocd, tmp_path)
    run(settings, argocd)
    assert argocd.asked("/events") == []
    argocd.sync("shop", phase="Failed")
    argocd.tell("shop", "e1", "Sync operation to abc failed: boom")
    argocd.sync("shop")
    run(settings, argocd)
    assert argocd.asked("/events") == []
    assert run(settings, argocd, minutes=15).landed["argocd_events"] == 1
    assert len(argocd.asked("/events")) == 1
    assert argocd.asked("/shop/events")
    [event] = landed(settings, "events")
    assert (event["uid"], event["applicationUid"], event["user"], event["message"]) == (
        "e1",
        "uid-argocd-shop",
        "ada",
        "Sync operation to abc failed: boom",
    )


def rollout(phase: str, revision: str, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "api",
            "namespace": "prod",
            "uid": "rollout-1",
            "generation": 4,
            "annotations": {"rollout.argoproj.io/revision": revision, "kubectl/last": "x" * 100},
        },
        "spec": {
            "strategy": {"canary": {"steps": []}},
            "template": {"spec": {"containers": [{"name": "api", "image": "ghcr.io/acme/api:2"}]}},
        },
        "status": {"phase": phase, "currentPodHash": "bbb", "stableRS": "aaa", **status},
    }


def replica_set(name: str, image: str, revision: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"api-{name}",
            "namespace": "prod",
            "uid": f"rs-{name}",
            "labels": {"rollouts-pod-template-hash": name},
            "annotations": {"rollout.argoproj.io/revision": revision},
            "ownerReferences": [{"kind": "Rollout", "uid": "rollout-1"}],
        },
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


def analysis(phase: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": "api-bbb-2",
            "namespace": "prod",
            "uid": "run-1",
            "annotations": {"rollout.argoproj.io/revision": "2"},
            "ownerReferences": [{"kind": "Rollout", "uid": "rollout-1"}],
        },
        "status": {"phase": phase, "metricResults": [{"name": "errors", "phase": phase, "measurements": [1]}]},
    }


def test_rollouts_are_read_while_something_happens_to_them(argocd: ArgoCD, tmp_path: Path) -> None:
    """A canary goes on and is aborted by its analysis; once the application is healthy nothing is asked for."""
    application = argocd.add("shop")
    application["status"]["resources"] = [{"group": "argoproj.io", "kind": "Rollout", "name": "api"}]
    application["status"]["health"]["status"] = "Progressing"
    sets = [replica_set("aaa", "ghcr.io/acme/api:1", "1"), replica_set("bbb", "ghcr.io/acme/api:2", "2")]
    other = {**replica_set("ccc", "redis:7", "9"), "kind": "Deployment"}
    argocd.manifests["shop"] = [rollout("Progressing", "2"), *sets, analysis("Running"), other]
    settings = settings_of(argocd, tmp_path)
    first = run(settings, argocd)
    assert first.note is None
    kinds = ("argocd_rollouts", "argocd_replica_sets", "argocd_analysis_runs")
    assert [first.landed[kind] for kind in kinds] == [1, 2, 1]
    assert run(settings, argocd).landed == {}
    argocd.manifests["shop"][0] = rollout("Degraded", "2", abort=True, abortedAt="2026-01-02T12:02:00Z")
    argocd.manifests["shop"][3] = analysis("Failed")
    changed = run(settings, argocd)
    assert [changed.landed[kind] for kind in kinds] == [1, 0, 1]
    aborted, ended = landed(settings, "rollouts")[-1], landed(settings, "analysis_runs")[-1]
    assert (aborted["rollout"]["status"]["abort"], aborted["rollout"]["spec"]["strategy"]) == (True, "canary")
    assert (aborted["images"], aborted["application"]) == (["ghcr.io/acme/api:2"], "shop")
    assert "kubectl/last" not in aborted["rollout"]["metadata"]["annotations"]
    assert ended["analysisRun"]["status"]["metricResults"] == [{"name": "errors", "phase": "Failed"}]
    assert run(settings, argocd).landed == {}
    assert argocd.asked("kind=(AnalysisRun|ReplicaSet)") == []
    application["status"]["health"]["status"] = "Healthy"
    run(settings, argocd)
    run(settings, argocd)
    assert argocd.asked("resource-tree") == []


def test_a_commit_is_asked_for_once(argocd: ArgoCD, tmp_path: Path) -> None:
    """Versions of charts have none; one that Argo CD cannot tell of is asked for again after a day."""
    argocd.add("shop")
    chart = argocd.add("chart")
    chart["status"]["history"][0] |= {"revision": "1.2.3", "source": {"repoURL": "https://charts", "chart": "redis"}}
    chart["status"]["operationState"]["syncResult"] = {}
    settings = settings_of(argocd, tmp_path)
    assert run(settings, argocd).state == "ok"
    assert [request.split("?")[0] for request in argocd.asked("/revisions/")] == [
        f"/api/v1/applications/shop/revisions/{SHA}/metadata"
    ]
    run(settings, argocd)
    assert argocd.asked("/revisions/") == []
    argocd.revisions[SHA] = COMMIT
    run(settings, argocd, hours=25)
    run(settings, argocd, hours=25)
    assert argocd.asked("/revisions/") == []
    assert [one["date"] for one in landed(settings, "revisions")] == [None, COMMIT["date"]]


def test_argo_cds_own_counts_land_when_they_change(argocd: ArgoCD, tmp_path: Path) -> None:
    """Those of measured applications, of several clusters added up; the token is not shown to the metrics."""
    argocd.add("shop")
    line = 'argocd_app_sync_total{{dest_server="{}",dry_run="{}",name="{}",namespace="argocd",phase="{}"}} {}\n'
    rows = [
        ("a", "false", "shop", "Failed", 2),
        ("b", "false", "shop", "Failed", 3),
        ("a", "true", "shop", "Failed", 1),
    ]
    argocd.metrics = "# TYPE argocd_app_sync_total counter\n" + "".join(
        line.format(*row) for row in [*rows, ("a", "false", "other", "Failed", 9)]
    )
    settings = settings_of(argocd, tmp_path, PHOENIX_ARGOCD_METRICS_URL=f"{argocd.url}/metrics")
    assert run(settings, argocd).landed["argocd_sync_totals"] == 2
    assert run(settings, argocd).landed["argocd_sync_totals"] == 0
    argocd.metrics = argocd.metrics.replace("} 3", "} 4")
    run(settings, argocd)
    counts = [(one["phase"], one["dry_run"], one["total"]) for one in landed(settings, "sync_totals")]
    assert counts == [("Failed", False, 5.0), ("Failed", True, 1.0), ("Failed", False, 6.0)]
    assert "" in argocd.tokens
    argocd.faults.append(Fault("/metrics", 500))
    broken = run(settings, argocd)
    assert broken.state == "partial"
    assert "check PHOENIX_ARGOCD_METRICS_URL" in str(broken.note)


TABLE = '[argocd.{name}]\nurl = "{url}"\n'


def test_two_servers_with_the_same_names_stay_apart(
    argocd: ArgoCD, serve: Callable[[ArgoCD], ArgoCD], tmp_path: Path
) -> None:
    """Each application goes by its server's name, and each server has a token of its own."""
    other = serve(ArgoCD(clock=argocd.clock, token="another", root="/argo-cd"))
    argocd.add("shop")
    other.add("shop")["status"]["health"]["status"] = "Degraded"
    table = TABLE.format(name="us-east", url=other.url)
    settings = settings_of(argocd, tmp_path, table, PHOENIX_ARGOCD_US_EAST_TOKEN="another")
    run(settings, argocd)
    run(settings, argocd)
    assert [
        (one["instance"], one["metadata"]["name"], one["status"]["health"]["status"])
        for one in sorted(landed(settings, "applications"), key=lambda one: one["instance"])
    ] == [("argocd", "shop", "Healthy"), ("us-east", "shop", "Degraded")]
    assert {request.split("?")[0] for request in other.requests} >= {"/argo-cd/api/version"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            TABLE.format(name="bad", url="{url}"),
            "token expired or revoked, or another server's; check PHOENIX_ARGOCD_BAD",
        ),
        (TABLE.format(name="bad", url="{url}/argo-cd"), "root path is missing from url of [argocd.bad]"),
        (TABLE.format(name="bad", url="{https}"), "it does not speak TLS"),
        (TABLE.format(name="bad", url="http://127.0.0.1:9"), "it cannot be reached; check the network and url of"),
        (TABLE.format(name="bad", url="{url}") + 'ca_file = "/nowhere.pem"', "ca_file of [argocd.bad]=/nowhere.pem"),
    ],
    ids=["token", "login page", "tls", "network", "authority"],
)
def test_a_server_that_fails_is_one_line_and_stops_nobody(
    argocd: ArgoCD, github: GitHub, tmp_path: Path, table: str, words: str
) -> None:
    """The other server and GitHub are read as ever."""
    argocd.add("shop")
    github.add_run(1, "2026-01-02T08:00:00Z")
    toml = table.format(url=argocd.url, https=argocd.url.replace("http:", "https:"))
    environ = {
        "PHOENIX_ARGOCD_BAD_TOKEN": "wrong",
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
    }
    settings = settings_of(argocd, tmp_path, toml, **environ)
    good, bad = sync_argocd(settings, argocd.clock, sleep=lambda seconds: None)
    assert (good.server.name, good.state, good.landed["argocd_applications"]) == ("argocd", "ok", 1)
    assert (bad.server.name, bad.state) == ("bad", "failed")
    assert words in str(bad.note)
    assert "\n" not in str(bad.note)
    assert "wrong" not in str(bad.note)
    assert {one["instance"]: one["state"] for one in landed(settings, "syncs")} == {"argocd": "ok", "bad": "failed"}
    assert [done.state for done in sync_github(settings)] == ["ok"]


def test_a_pass_tells_since_when_changes_are_followed(argocd: ArgoCD, tmp_path: Path) -> None:
    """While `phoenix watch` reads that server's stream; else nothing."""
    argocd.add("shop")
    settings = settings_of(argocd, tmp_path)
    with only_watcher(settings.home):
        follows(settings.home, "argocd", argocd.clock.now)
        since = argocd.clock.now.isoformat()
        run(settings, argocd)
    run(settings, argocd)
    assert [one["watched_since"] for one in landed(settings, "syncs")] == [since, None]


def test_with_argo_cd_alone_github_is_left_alone(argocd: ArgoCD, tmp_path: Path) -> None:
    """There is something to measure, and nothing to ask GitHub."""
    settings = settings_of(argocd, tmp_path)
    assert (settings.has_sources, settings.has_github) == (True, False)
    assert sync_github(settings) == []


def test_a_clock_that_differs_is_told_and_events_go_by_the_servers(argocd: ArgoCD, tmp_path: Path) -> None:
    """Ten minutes ahead: what happened there a minute ago is not in our future."""
    argocd.is_ahead = argocd.clock.now - argocd.clock.now.replace(hour=11, minute=50)
    argocd.add("shop")
    settings = settings_of(argocd, tmp_path)
    run(settings, argocd)
    assert landed(settings, "syncs")[0]["clock_skew_seconds"] == 600
    argocd.clock.pass_by(minutes=16)
    argocd.clock.now += argocd.is_ahead
    argocd.sync("shop")
    argocd.tell("shop", "e1", "Sync operation to abc succeeded")
    argocd.clock.now -= argocd.is_ahead
    assert run(settings, argocd).landed["argocd_events"] == 1


def test_a_run_of_everything_reports_both_sources(
    argocd: ArgoCD, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that fails is named with its reason; runs and the other server's applications are published."""
    for name in list(os.environ):
        if name.startswith(("PHOENIX_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    argocd.add("shop-production")
    github.add_run(1, "2026-01-02T08:00:00Z")
    (tmp_path / "phoenix.toml").write_text(TABLE.format(name="bad", url=f"{argocd.url}/nowhere"))
    environ = {
        "PHOENIX_HOME": str(tmp_path / "home"),
        "PHOENIX_CONFIG": str(tmp_path / "phoenix.toml"),
        "PHOENIX_ARGOCD_URL": argocd.url,
        "PHOENIX_ARGOCD_TOKEN": TOKEN,
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    report = run_sync(load_settings(os.environ))
    assert (report.run_count, report.application_count, report.changed_count) == (1, 1, 1)
    assert list(report.failed_sources) == ["argocd bad"]
    assert "root path is missing" in report.failed_sources["argocd bad"]
    home = tmp_path / "home"
    assert rows(home, "select instance, application from marts.applications") == [
        {"instance": "argocd", "application": "shop-production"}
    ]
    assert rows(home, "select count(*) as n from marts.workflow_runs") == [{"n": 1}]
