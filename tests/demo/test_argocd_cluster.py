"""The simulated Argo CD: what follows from what people do, second by second, as the real controller writes it."""

import json
from typing import Any

import pytest

from phoenix_metrics.demo.argocd.actions import (
    Abort,
    Action,
    Commit,
    Configure,
    Create,
    Degrade,
    Delete,
    LoseStatus,
    Outcome,
    Promote,
    RetryRollout,
    Rollback,
    SetImage,
    Source,
    Sync,
    Terminate,
    Undo,
)
from phoenix_metrics.demo.argocd.cluster import Cluster
from tests.demo.argocd_story import CHART, SHOP, T0, A, B, C, D, at, contract, eventful, images

KUBERNETES = "https://kubernetes.default.svc"


def played(*story: Action, until: int, version: str = "v3.2.0") -> Cluster:
    cluster = Cluster(story, version)
    cluster.advance(T0 + until)
    return cluster


def shop(**rules: Any) -> list[Action]:
    """Return how the shop begins: created, and version A deployed by second 35."""
    return [Create(T0, SHOP, **rules), Commit(T0, SHOP, (A,), images(A)), Sync(T0, SHOP)]


def state(cluster: Cluster, name: str = SHOP) -> dict[str, Any] | None:
    application = cluster.application(name)
    assert application is not None
    return application["status"].get("operationState")


def status(cluster: Cluster, name: str = SHOP) -> dict[str, Any]:
    application = cluster.application(name)
    assert application is not None
    return application["status"]


def ids(cluster: Cluster, name: str = SHOP) -> list[int]:
    return [entry["id"] for entry in status(cluster, name).get("history", [])]


def node(cluster: Cluster, kind: str, name: str = SHOP, place: int = 0) -> dict[str, Any]:
    return [node for node in cluster.tree(name) if node["kind"] == kind][place]


def manifest(cluster: Cluster, kind: str, place: int = 0) -> dict[str, Any]:
    found = cluster.resource(SHOP, "argocd", kind, node(cluster, kind, place=place)["name"])
    assert found is not None
    return found


def test_a_timeline_worked_out_by_hand():
    """A, then B at its third attempt, then a failure that applies nothing, then back to A: each start, end and id."""
    cluster = Cluster(
        [
            Create(T0, SHOP, is_automated=False),
            Commit(T0, SHOP, (A,), images(A)),
            Sync(T0 + 10, SHOP, by="alice"),
            Commit(T0 + 90, SHOP, (B,), images(B)),
            Sync(T0 + 100, SHOP, by="alice", outcome=Outcome(seconds=5, failed_attempts=2, retry_seconds=20)),
            Commit(T0 + 290, SHOP, (C,), images(C)),
            Sync(T0 + 300, SHOP, by="alice", outcome=Outcome("Failed", failed_attempts=1, applies=False)),
            Rollback(T0 + 400, SHOP, 0, by="bob", outcome=Outcome(healthy_after=7)),
        ]
    )
    operations, healths = {}, {}
    for second in range(500):
        cluster.advance(T0 + second)
        told = state(cluster)
        if told and told["phase"] not in ("Running", "Terminating"):
            revision = told["syncResult"]["revision"][0]
            operations[told["startedAt"]] = (revision, told["phase"], told["finishedAt"], told.get("retryCount", 0))
        health = status(cluster)["health"]
        healths[health["lastTransitionTime"]] = health["status"]
    assert operations == {
        at(11): ("a", "Succeeded", at(15), 0),
        at(101): ("b", "Succeeded", at(156), 2),  # 5 + 20 + 5 + 20 + 5 seconds
        at(301): ("c", "Failed", at(319), 1),  # 4 + 10 + 4 seconds
        at(401): ("a", "Succeeded", at(405), 0),
    }
    history = [
        [entry[key] for key in ("id", "revision", "deployStartedAt", "deployedAt", "initiatedBy")]
        for entry in status(cluster)["history"]
    ]
    assert history == [
        [0, A, at(11), at(15), {"username": "alice"}],
        [1, B, at(101), at(156), {"username": "alice"}],
        [2, A, at(401), at(405), {"username": "bob"}],
    ]
    assert healths == {
        at(0): "Missing",
        at(11): "Progressing",
        at(45): "Healthy",
        at(151): "Progressing",  # when the last attempt began
        at(186): "Healthy",
        at(401): "Progressing",
        at(412): "Healthy",
    }
    assert status(cluster)["sync"]["status"] == "OutOfSync", "Git still has C"
    assert status(cluster)["sync"]["revision"] == C
    assert status(cluster)["summary"]["images"] == sorted(images(A).values())


def test_a_requested_operation_erases_the_one_before():
    """Between request and start there is an operation and no state; a poll there sees nothing of the last one."""
    cluster = played(*shop(), Sync(T0 + 100, SHOP, by="alice", starts_after=5), until=99)
    assert state(cluster)["phase"] == "Succeeded"
    cluster.advance(T0 + 100)
    assert state(cluster) is None
    assert cluster.application(SHOP)["operation"]["initiatedBy"] == {"username": "alice"}
    cluster.advance(T0 + 105)
    assert (state(cluster)["phase"], state(cluster)["startedAt"]) == ("Running", at(105))
    cluster.advance(T0 + 109)
    assert state(cluster)["phase"] == "Succeeded"
    assert "operation" not in cluster.application(SHOP)


def test_waiting_for_a_retry_is_running_with_an_end():
    """Between two attempts the phase is Running although finishedAt is set, and there is no result."""
    outcome = Outcome("Failed", failed_attempts=1, retry_seconds=3600, message="the hook failed")
    cluster = played(*shop(), Sync(T0 + 100, SHOP, outcome=outcome), until=106)
    waiting = state(cluster)
    assert waiting == {
        "operation": cluster.application(SHOP)["operation"],
        "phase": "Running",
        "startedAt": at(101),
        "finishedAt": at(105),
        "retryCount": 1,
        "message": "the hook failed. Retrying attempt #1 at 10:01AM.",
    }
    cluster.advance(T0 + 3706)
    assert state(cluster)["message"] == "Retrying operation. Attempt #1"
    assert "finishedAt" not in state(cluster)
    cluster.advance(T0 + 3800)
    assert (state(cluster)["phase"], state(cluster)["message"]) == ("Failed", "the hook failed (retried 1 times).")
    assert state(cluster)["operation"]["retry"] == {"limit": 1}
    condition = {"type": "SyncError", "lastTransitionTime": at(3709)}
    told = f"Failed last sync attempt to [{A}]: the hook failed (retried 1 times)."
    assert status(cluster)["conditions"] == [{**condition, "message": told}]


@pytest.mark.parametrize(
    ("sync", "is_remembered"),
    [
        (Sync(T0 + 100, SHOP), True),
        (Sync(T0 + 100, SHOP, by="alice"), True),
        (Sync(T0 + 100, SHOP, by="alice", kind="local"), True),
        (Sync(T0 + 100, SHOP, by="alice", kind="partial"), False),
        (Sync(T0 + 100, SHOP, kind="self_heal"), False),
        (Sync(T0 + 100, SHOP, by="alice", kind="dry_run"), False),
        (Sync(T0 + 100, SHOP, outcome=Outcome("Failed")), False),
        (Sync(T0 + 100, SHOP, outcome=Outcome("Failed", applies=False)), False),
        (Sync(T0 + 100, SHOP, outcome=Outcome("Error")), False),
    ],
)
def test_history_has_full_syncs_that_succeeded(sync, is_remembered):
    """Whatever else happens is told by the operation's state alone."""
    cluster = played(*shop(), Commit(T0 + 90, SHOP, (B,), images(B)), sync, until=200)
    assert ids(cluster) == ([0, 1] if is_remembered else [0])
    assert state(cluster)["startedAt"] == at(101)


@pytest.mark.parametrize(("limit", "kept"), [(10, list(range(5, 15))), (3, [12, 13, 14]), (0, [])])
def test_history_is_cut_to_its_limit(limit, kept):
    """Ids go on while the oldest entries go; without any history they stay at 0."""
    again = [Sync(T0 + 100 * number, SHOP) for number in range(1, 15)]
    cluster = played(*shop(history_limit=limit), *again, until=2000)
    assert ids(cluster) == kept
    assert sum(cluster.sync_totals.values()) == 15


def test_ids_restart_with_a_new_incarnation():
    """An application of the same name has another uid, no history and no images of the one before."""
    cluster = played(*shop(), Sync(T0 + 100, SHOP), until=150)
    before = cluster.application(SHOP)["metadata"]["uid"]
    cluster.add([Delete(T0 + 200, SHOP), Create(T0 + 300, SHOP)])
    cluster.advance(T0 + 250)
    assert (cluster.application(SHOP), cluster.applications()) == (None, [])
    cluster.advance(T0 + 300)
    assert cluster.application(SHOP)["metadata"]["uid"] != before
    assert cluster.application(SHOP)["metadata"]["creationTimestamp"] == at(300)
    assert (ids(cluster), state(cluster), status(cluster)["summary"], cluster.events(SHOP)) == ([], None, {}, [])
    cluster.add([Commit(T0 + 310, SHOP, (B,), images(B)), Sync(T0 + 320, SHOP)])
    cluster.advance(T0 + 400)
    assert ids(cluster) == [0]


def test_a_lost_status_restarts_ids_under_the_same_uid():
    """The workloads run on, but nothing is known of how they came there."""
    cluster = played(*shop(), Sync(T0 + 100, SHOP), LoseStatus(T0 + 200, SHOP), until=200)
    uid = cluster.application(SHOP)["metadata"]["uid"]
    assert (ids(cluster), state(cluster)) == ([], None)
    assert status(cluster)["summary"]["images"] == sorted(images(A).values())
    cluster.add([Sync(T0 + 300, SHOP)])
    cluster.advance(T0 + 400)
    assert (ids(cluster), cluster.application(SHOP)["metadata"]["uid"]) == ([0], uid)


def test_a_closed_sync_window_blocks():
    """The operation runs from its start, but works only when the window opens."""
    cluster = played(*shop(), Sync(T0 + 100, SHOP, outcome=Outcome(blocked_seconds=86_400)), until=80_000)
    assert (state(cluster)["phase"], state(cluster)["message"]) == ("Running", "Sync operation blocked by sync window")
    assert "syncResult" not in state(cluster)
    cluster.advance(T0 + 90_000)
    assert (state(cluster)["startedAt"], state(cluster)["finishedAt"]) == (at(101), at(101 + 86_400 + 4))


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("carol", "Operation terminated"),
        (None, "Operation terminated, triggered by controller sync timeout"),
    ],
)
def test_an_operation_is_terminated(by, message):
    """It is Terminating for a moment, then Failed, and nothing of it goes on; workloads keep what they got."""
    slow = Outcome(seconds=500)
    story = [*shop(), Commit(T0 + 90, SHOP, (B,), images(B)), Sync(T0 + 100, SHOP, by="alice", outcome=slow)]
    cluster = played(*story, Terminate(T0 + 200, SHOP, by=by), until=200)
    assert (state(cluster)["phase"], "operation" in cluster.application(SHOP)) == ("Terminating", True)
    cluster.advance(T0 + 5000)
    ended = state(cluster)
    assert (ended["phase"], ended["message"], ended["finishedAt"]) == ("Failed", message, at(201))
    assert ids(cluster) == [0]
    assert status(cluster)["summary"]["images"] == sorted(images(B).values())
    assert status(cluster)["health"] == {"status": "Healthy", "lastTransitionTime": at(231)}


def test_what_argo_cd_refuses_changes_nothing():
    """A second operation, a rollback while automated or to an unknown entry, nothing to terminate, no application."""
    refused = [
        (Rollback(T0 + 100, SHOP, 0, by="bob"), "rollback cannot be performed when auto-sync is enabled"),
        (Terminate(T0 + 110, SHOP, by="bob"), "Unable to terminate operation. No operation is in progress"),
        (Sync(T0 + 202, SHOP), "another operation is already in progress"),
        (Rollback(T0 + 310, SHOP, 7, by="bob"), f"application {SHOP} does not have deployment with id 7"),
        (Promote(T0 + 320, SHOP, "api"), "nothing of api is under way"),
        (Abort(T0 + 330, SHOP, "api"), "no Rollout of api is under way"),
        (RetryRollout(T0 + 340, SHOP, "api"), "no Rollout of api is aborted"),
        (Undo(T0 + 350, SHOP, "api"), "api has no earlier revision"),
        (SetImage(T0 + 360, SHOP, "cart", "cart:1"), "there is no workload cart"),
        (Create(T0 + 370, SHOP), f"{SHOP} exists"),
        (Delete(T0 + 380, "nothing"), "there is no application nothing"),
    ]
    allowed = [Sync(T0 + 200, SHOP, by="alice"), Configure(T0 + 300, SHOP, is_automated=False)]
    cluster = played(*shop(), *allowed, *(action for action, _ in refused), until=500)
    assert [(refusal.action, refusal.reason) for refusal in cluster.refusals] == refused
    assert ids(cluster) == [0, 1]


def test_a_rollback_is_a_sync_to_a_history_entry():
    """Its operation has the entry's revision and source, the apply strategy and no retries; hooks do not run."""
    cluster = played(
        *shop(),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP),
        Configure(T0 + 150, SHOP, is_automated=False),
        Rollback(T0 + 200, SHOP, 0, by="alice"),
        until=300,
    )
    source = {
        "repoURL": "https://github.com/phoenix/deployments.git",
        "path": f"apps/{SHOP}",
        "targetRevision": "main",
    }
    told = state(cluster)
    assert told["operation"] == {
        "initiatedBy": {"username": "alice"},
        "retry": {},
        "sync": {
            "revision": A,
            "source": source,
            "syncOptions": ["CreateNamespace=true"],
            "syncStrategy": {"apply": {}},
        },
    }
    assert (told["syncResult"]["revision"], told["message"]) == (A, "successfully synced")
    assert ids(cluster) == [0, 1, 2]
    assert "automated" not in cluster.application(SHOP)["spec"]["syncPolicy"]
    assert (status(cluster)["sync"]["status"], status(cluster)["sync"]["revision"]) == ("OutOfSync", B)
    messages = [event["message"] for event in cluster.events(SHOP)]
    assert "alice initiated rollback to 0" in messages


def test_self_heal_deploys_in_part_and_makes_no_history():
    """Images that changed in Git get live by a partial sync, of the resources that differ."""
    cluster = played(
        *shop(rollouts=("api",)),
        Commit(T0 + 90, SHOP, (B,), {**images(A), "api": images(B)["api"]}),
        Sync(T0 + 100, SHOP, kind="self_heal"),
        until=200,
    )
    sync = state(cluster)["operation"]["sync"]
    assert sync["autoHealAttemptsCount"] == 1
    assert sync["resources"] == [{"group": "argoproj.io", "kind": "Rollout", "name": "api", "namespace": SHOP}]
    results = state(cluster)["syncResult"]["resources"]
    assert [result["images"] for result in results if "images" in result] == [[images(B)["api"]]]
    assert ids(cluster) == [0]
    assert status(cluster)["summary"]["images"] == [images(B)["api"], images(A)["web"]]


def test_several_sources_have_several_revisions():
    """There is no single revision, and what is not a pointer leaves an empty source behind."""
    cluster = played(*eventful(), until=50)
    entry, told = status(cluster, CHART)["history"][0], state(cluster, CHART)
    assert entry["revisions"] == [D, "1.0.0"]
    assert "revision" not in entry
    assert entry["source"] == told["syncResult"]["source"] == {"repoURL": ""}
    assert "source" not in told["operation"]["sync"]
    assert [source.get("chart") for source in told["operation"]["sync"]["sources"]] == [None, "search"]
    assert cluster.events(CHART)[0]["message"] == f"Initiated automated sync to '{D}, 1.0.0'"
    assert cluster.revision("1.0.0") is None, "a chart's version is no commit"


def test_a_rollback_of_several_sources_names_an_empty_one():
    """A normal sync of several sources has no `source`; that a rollback has one is how they are told apart."""
    sources = (Source("https://a", path="x"), Source("https://b", chart="y", target_revision="1.*"))
    cluster = played(
        Create(T0, SHOP, sources=sources, is_automated=False),
        Commit(T0, SHOP, (A, "1.0.0"), images(A)),
        Sync(T0, SHOP, by="alice"),
        Commit(T0 + 50, SHOP, (B, "1.1.0"), images(B)),
        Sync(T0 + 60, SHOP, by="alice"),
        Rollback(T0 + 100, SHOP, 0, by="alice"),
        until=200,
    )
    sync = state(cluster)["operation"]["sync"]
    assert (sync["source"], sync["revisions"]) == ({"repoURL": ""}, [A, "1.0.0"])
    assert status(cluster)["history"][-1]["revisions"] == [A, "1.0.0"]


def test_pods_of_two_versions_run_while_one_replaces_the_other():
    """The summary's images are those of live pods: old and new until the application is Healthy."""
    cluster = played(*shop(), Commit(T0 + 90, SHOP, (B,), images(B)), Sync(T0 + 100, SHOP), until=110)
    assert status(cluster)["health"]["status"] == "Progressing"
    assert status(cluster)["summary"]["images"] == sorted([*images(A).values(), *images(B).values()])
    cluster.advance(T0 + 135)
    assert status(cluster)["summary"]["images"] == sorted(images(B).values())


@pytest.mark.parametrize(
    ("outcome", "healths"),
    [
        (Outcome(), [("Progressing", 101), ("Healthy", 135)]),
        (Outcome(healthy_after=None), [("Progressing", 101)]),
        (Outcome(healthy_after=None, degraded_after=60), [("Progressing", 101), ("Degraded", 165)]),
        (Outcome(healthy_after=90, degraded_after=60), [("Progressing", 101), ("Degraded", 165), ("Healthy", 195)]),
        (Outcome("Failed"), [("Progressing", 101), ("Healthy", 135)]),
        (Outcome("Failed", applies=False), []),
        (Outcome("Error"), []),
    ],
)
def test_health_follows_an_operation(outcome, healths):
    """Progressing from the moment it is applied, then as the outcome says; not at all where nothing is applied."""
    cluster = Cluster([*shop(), Commit(T0 + 90, SHOP, (B,), images(B)), Sync(T0 + 100, SHOP, outcome=outcome)])
    seen = {}
    for second in range(40, 300):
        cluster.advance(T0 + second)
        health = status(cluster)["health"]
        seen[health["lastTransitionTime"]] = health["status"]
    assert seen == {at(35): "Healthy", **{at(second): health for health, second in healths}}


def test_a_sync_that_changes_nothing_leaves_health_alone():
    """The transition is older than the operation; only a later comparison tells that it still holds."""
    cluster = played(*shop(), Sync(T0 + 100, SHOP), until=104)
    assert status(cluster)["health"] == {"status": "Healthy", "lastTransitionTime": at(35)}
    assert status(cluster)["reconciledAt"] < at(105)
    cluster.advance(T0 + 106)
    assert state(cluster)["finishedAt"] == at(105)
    assert status(cluster)["reconciledAt"] == at(106)
    cluster.advance(T0 + 106 + 400)
    assert status(cluster)["reconciledAt"] == at(106 + 360), "it compares every three minutes"


def test_a_failed_hook_leaves_the_new_version_running():
    """The result says that the workloads were applied and the hook failed; otherwise it says what was refused."""
    story = [*shop(), Commit(T0 + 90, SHOP, (B,), {"api": images(B)["api"]})]
    hook = played(*story, Sync(T0 + 100, SHOP, outcome=Outcome("Failed")), until=200)
    told = [
        (one["kind"], one.get("status"), one.get("hookPhase"), one.get("images"))
        for one in state(hook)["syncResult"]["resources"]
    ]
    assert told == [
        ("Deployment", "Synced", "Running", [images(B)["api"]]),
        ("Service", "Synced", "Running", None),
        ("Job", None, "Failed", None),
    ]
    assert status(hook)["summary"]["images"] == sorted([images(B)["api"], images(A)["web"]]), "nothing is pruned"
    refused = played(*story, Sync(T0 + 100, SHOP, outcome=Outcome("Failed", applies=False)), until=200)
    assert [(one["kind"], one["status"]) for one in state(refused)["syncResult"]["resources"]] == [
        ("Deployment", "SyncFailed")
    ]
    assert status(refused)["summary"]["images"] == sorted(images(A).values())
    error = played(*story, Sync(T0 + 100, SHOP, outcome=Outcome("Error")), until=200)
    assert "syncResult" not in state(error)


def test_events_tell_of_operations_for_an_hour():
    """Starts with who asked, ends with what came of it, and what health and comparison turned to."""
    story = [
        *shop(is_automated=False),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP, by="alice", kind="partial", images=images(A), outcome=Outcome(healthy_after=5)),
        Sync(T0 + 200, SHOP, by="alice", kind="local"),
        Sync(T0 + 300, SHOP, outcome=Outcome("Failed", applies=False, message="denied")),
        Sync(T0 + 400, SHOP, is_anonymous=True, outcome=Outcome(seconds=50)),
        Terminate(T0 + 410, SHOP, by="carol"),
    ]
    cluster = played(*story, until=500)
    told = [
        (event["firstTimestamp"], event["type"], event["reason"], event["message"])
        for event in cluster.events(SHOP)
        if event["firstTimestamp"] >= at(90)
    ]
    started, completed, updated = "OperationStarted", "OperationCompleted", "ResourceUpdated"
    assert told == [
        (at(90), "Normal", updated, "Updated sync status: Synced -> OutOfSync"),
        (at(100), "Normal", started, f"alice initiated partial sync to main ({B})"),
        (at(101), "Normal", updated, "Updated health status: Healthy -> Progressing"),
        (at(105), "Normal", completed, f"Partial sync operation to {B} succeeded"),
        (at(106), "Normal", updated, "Updated sync status: OutOfSync -> Synced"),
        (at(110), "Normal", updated, "Updated health status: Progressing -> Healthy"),
        (at(200), "Normal", started, "alice initiated sync locally"),
        (at(205), "Normal", completed, f"Sync operation to {B} succeeded"),
        (at(300), "Normal", started, f"Initiated automated sync to '{B}'"),
        (at(305), "Warning", completed, f"Sync operation to {B} failed: denied"),
        (at(410), "Normal", updated, "carol terminated running operation"),
        (at(411), "Warning", completed, f"Sync operation to {B} failed: Operation terminated"),
    ]
    asked = next(event for event in cluster.events(SHOP) if event["firstTimestamp"] == at(100))
    assert asked["metadata"]["annotations"] == {"dest-namespace": SHOP, "dest-server": KUBERNETES, "user": "alice"}
    assert asked["involvedObject"]["uid"] == cluster.application(SHOP)["metadata"]["uid"]
    uids = [event["metadata"]["uid"] for event in cluster.events(SHOP)]
    assert len(set(uids)) == len(uids)
    cluster.advance(T0 + 3600 + 305)
    assert [event["firstTimestamp"] for event in cluster.events(SHOP)] == [at(410), at(411)]


def test_an_aborted_rollout_goes_back_while_the_operation_stays():
    """The analysis runs before; then the pods are stable ones again, Git is not, and the application is Degraded."""
    cluster = played(
        *shop(rollouts=("api",)),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP, outcome=Outcome(healthy_after=None)),
        Abort(T0 + 600, SHOP, "api", analysis_seconds=200),
        until=500,
    )
    run, rollout = node(cluster, "AnalysisRun"), node(cluster, "Rollout")
    assert (run["createdAt"], run["health"]) == (at(400), {"status": "Progressing"})
    assert run["parentRefs"][0]["uid"] == rollout["uid"]
    cluster.advance(T0 + 600)
    assert state(cluster)["phase"] == "Succeeded"
    assert status(cluster)["sync"]["status"] == "Synced"
    assert status(cluster)["summary"]["images"] == [images(A)["api"], images(B)["web"]]
    health = status(cluster)["health"]
    assert (health["status"], health["lastTransitionTime"]) == ("Degraded", at(600))
    assert node(cluster, "Rollout")["health"]["message"] == health["message"]
    assert health["message"].startswith("RolloutAborted: Rollout aborted update to revision 2: ")
    assert node(cluster, "AnalysisRun")["health"]["status"] == "Degraded"
    revisions = {known["images"][0]: known["info"] for known in cluster.tree(SHOP) if known["kind"] == "ReplicaSet"}
    assert revisions[images(B)["api"]] == [{"name": "Revision", "value": "Rev:2"}]
    live = manifest(cluster, "Rollout")
    assert (live["status"]["abort"], live["status"]["abortedAt"], live["status"]["phase"]) == (
        True,
        at(600),
        "Degraded",
    )
    replica_sets = {
        known["metadata"]["labels"]["rollouts-pod-template-hash"]: known["spec"]["template"]["spec"]["containers"]
        for known in (manifest(cluster, "ReplicaSet", place) for place in (0, 1))
    }
    assert replica_sets[live["status"]["stableRS"]] == [{"name": "api", "image": images(A)["api"]}]
    assert replica_sets[live["status"]["currentPodHash"]] == [{"name": "api", "image": images(B)["api"]}]
    progressing = next(one for one in live["status"]["conditions"] if one["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "RolloutAborted")
    judged = manifest(cluster, "AnalysisRun")["status"]
    assert (judged["phase"], judged["startedAt"], judged["completedAt"]) == ("Failed", at(400), at(600))


@pytest.mark.parametrize(
    ("abort", "cause", "runs"),
    [
        (Abort(T0 + 600, SHOP, "api"), ": Step-based analysis phase error/failed: Metric", ["Failed"]),
        (Abort(T0 + 600, SHOP, "api", analysis="Error"), ": Step-based analysis phase error/failed: Metric", ["Error"]),
        (Abort(T0 + 600, SHOP, "api", analysis=None), "", []),
        (Abort(T0 + 600, SHOP, "api", is_deadline=True), ': ReplicaSet "api-', []),
        (Abort(T0 + 600, SHOP, "api", analysis_seconds=550), ": Step-based", ["Failed"]),  # before the Rollout began
    ],
)
def test_an_abort_says_why(abort, cause, runs):
    """By hand nothing follows the revision; a deadline or an analysis is named."""
    cluster = played(
        *shop(rollouts=("api",)),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP, outcome=Outcome(healthy_after=None)),
        abort,
        until=700,
    )
    message = status(cluster)["health"]["message"].removeprefix("RolloutAborted: Rollout aborted update to revision 2")
    assert message.startswith(cause)
    assert bool(message) == bool(cause)
    found = [known["name"] for known in cluster.tree(SHOP) if known["kind"] == "AnalysisRun"]
    told = [cluster.resource(SHOP, "argocd", "AnalysisRun", name)["status"] for name in found]
    assert [run["phase"] for run in told] == runs
    assert all(at(101) <= run["startedAt"] for run in told)


def test_an_aborted_rollout_is_retried_and_promoted():
    """A retry clears the abort under the same revision; a promotion makes it stable and the application Healthy."""
    cluster = played(
        *shop(rollouts=("api",)),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP, outcome=Outcome(healthy_after=None)),
        Abort(T0 + 600, SHOP, "api"),
        RetryRollout(T0 + 700, SHOP, "api"),
        Promote(T0 + 900, SHOP, "api", analysis_seconds=100),
        until=850,
    )
    live = manifest(cluster, "Rollout")
    assert "abort" not in live["status"]
    assert "abortedAt" not in live["status"]
    assert live["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert status(cluster)["health"]["status"] == "Progressing"
    names = [known["name"] for known in cluster.tree(SHOP) if known["kind"] == "AnalysisRun"]
    phases = [cluster.resource(SHOP, "argocd", "AnalysisRun", name)["status"]["phase"] for name in names]
    assert phases == ["Failed", "Running"]
    cluster.advance(T0 + 900)
    live = manifest(cluster, "Rollout")
    assert (live["status"]["phase"], live["status"]["stableRS"]) == ("Healthy", live["status"]["currentPodHash"])
    assert status(cluster)["health"] == {"status": "Healthy", "lastTransitionTime": at(900)}
    assert status(cluster)["summary"]["images"] == sorted(images(B).values())


def test_undo_brings_an_old_replica_set_back():
    """Outside Argo CD: no operation, OutOfSync, revision 3 on the ReplicaSet that was revision 1."""
    cluster = played(
        *shop(rollouts=("api",), is_automated=False),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP),
        Undo(T0 + 300, SHOP, "api"),
        until=400,
    )
    assert state(cluster)["startedAt"] == at(101)
    assert status(cluster)["sync"]["status"] == "OutOfSync"
    assert status(cluster)["summary"]["images"] == [images(A)["api"], images(B)["web"]]
    assert manifest(cluster, "ReplicaSet")["metadata"]["annotations"] == {
        "rollout.argoproj.io/revision": "3",
        "rollout.argoproj.io/revision-history": "1",
    }
    assert node(cluster, "Rollout")["info"] == [{"name": "Revision", "value": "Rev:3"}]


def test_health_changes_by_itself():
    """A paused Rollout is Suspended; Healthy means that nothing is under way any more."""
    cluster = played(
        *shop(rollouts=("api",)),
        Commit(T0 + 90, SHOP, (B,), images(B)),
        Sync(T0 + 100, SHOP),
        Degrade(T0 + 110, SHOP, "Suspended"),
        Degrade(T0 + 500, SHOP, "Healthy"),
        until=400,
    )
    assert status(cluster)["health"] == {"status": "Suspended", "lastTransitionTime": at(110)}
    paused = manifest(cluster, "Rollout")["status"]
    assert (paused["phase"], paused["pauseConditions"][0]["reason"]) == ("Paused", "CanaryPauseStep")
    cluster.advance(T0 + 500)
    assert manifest(cluster, "Rollout")["status"]["phase"] == "Healthy"
    assert status(cluster)["summary"]["images"] == sorted(images(B).values())


@pytest.mark.parametrize(
    ("version", "tells_images", "tells_sources"),
    [("v3.0.12", False, False), ("v3.1.0", True, False), ("v3.2.0", True, True), ("v3.5.0", True, True)],
)
def test_versions_differ(version, tells_images, tells_sources):
    """Images of results came with 3.1, the source of every operation with 3.2."""
    told = state(played(*shop(), until=100, version=version))
    assert any("images" in one for one in told["syncResult"]["resources"]) is tells_images
    assert ("source" in told["operation"]["sync"]) is tells_sources


def test_initiators():
    """A user, the controller, an ApplicationSet, and nobody."""
    story = [
        Sync(T0 + 100, SHOP, by="alice"),
        Sync(T0 + 200, SHOP, is_appset=True),
        Sync(T0 + 300, SHOP, is_anonymous=True),
    ]
    cluster = played(*shop(), *story, until=400)
    assert [entry["initiatedBy"] for entry in status(cluster)["history"]] == [
        {"automated": True},
        {"username": "alice"},
        {"automated": True, "username": "applicationset-controller"},
        {},
    ]


def test_each_ended_operation_is_notified_of_and_counted_once():
    """Whatever came of it, and however often it was tried; dry runs are counted apart."""
    cluster = played(
        *shop(),
        Sync(T0 + 100, SHOP, outcome=Outcome("Failed", failed_attempts=2)),
        Sync(T0 + 200, SHOP, kind="dry_run"),
        Sync(T0 + 300, SHOP, outcome=Outcome("Error")),
        Sync(T0 + 400, SHOP, outcome=Outcome(seconds=500)),
        until=500,
    )
    sent = [(one.at - T0, one.body["status"]["operationState"]["phase"]) for one in cluster.notifications]
    assert sent == [(6, "Succeeded"), (134, "Failed"), (206, "Succeeded"), (306, "Error")]
    metadata = cluster.application(SHOP)["metadata"]
    assert cluster.notifications[0].body["metadata"] == {key: metadata[key] for key in ("name", "namespace", "uid")}
    counted = {(labels.phase, labels.dry_run): total for labels, total in cluster.sync_totals.items()}
    assert counted == {
        ("Succeeded", "false"): 1,
        ("Failed", "false"): 1,
        ("Succeeded", "true"): 1,
        ("Error", "false"): 1,
    }


def test_watching_sees_every_step():
    """Changes after a version come in order, each as the application was then."""
    cluster = played(*shop(), until=50)
    seen = cluster.latest
    cluster.add([Sync(T0 + 100, SHOP, outcome=Outcome(failed_attempts=1)), Delete(T0 + 200, SHOP)])
    cluster.advance(T0 + 300)
    changes = list(cluster.changes(seen))
    states = [change.application["status"].get("operationState", {}) for change in changes]
    told = [
        (change.kind, state.get("phase"), "finishedAt" in state) for change, state in zip(changes, states, strict=True)
    ]
    assert list(dict.fromkeys(told)) == [
        ("MODIFIED", None, False),  # requested
        ("MODIFIED", "Running", False),
        ("MODIFIED", "Running", True),  # waits for its retry
        ("MODIFIED", "Succeeded", True),
        ("DELETED", "Succeeded", True),
    ]
    versions = [change.version for change in changes]
    assert versions == list(range(seen + 1, cluster.latest + 1))


def test_two_applications_of_one_name():
    """Actions tell them apart by their namespace."""
    cluster = played(
        Create(T0, "shop", namespace="team-a"),
        Create(T0, "shop", namespace="team-b"),
        Commit(T0, "team-a/shop", (A,), images(A)),
        Commit(T0, "team-b/shop", (B,), images(B)),
        Sync(T0, "team-a/shop"),
        Sync(T0, "team-b/shop"),
        until=100,
    )
    revisions = {
        one["metadata"]["namespace"]: one["status"]["history"][0]["revision"] for one in cluster.applications()
    }
    assert revisions == {"team-a": A, "team-b": B}


@pytest.mark.parametrize("version", ["v3.0.0", "v3.2.0"])
def test_every_state_is_valid_by_argo_cds_swagger(version):
    """Applications, trees and events have no field that Argo CD does not have, at any moment of an eventful morning."""
    application, tree, events = map(contract, ("v1alpha1Application", "v1alpha1ApplicationTree", "eventsEventList"))
    cluster, seen = Cluster(eventful(), version), 0
    for second in range(4300):
        cluster.advance(T0 + second)
        for change in cluster.changes(seen):
            seen = change.version
            assert application(change.application) == []
            name, namespace = (change.application["metadata"][key] for key in ("name", "namespace"))
            if change.kind != "DELETED":
                assert tree({"nodes": cluster.tree(name, namespace)}) == []
                assert events({"metadata": {}, "items": cluster.events(name, namespace)[-2:]}) == []
    assert [type(refusal.action) for refusal in cluster.refusals] == [Rollback]


def test_how_time_passes_does_not_matter():
    """Second by second or in one leap, with all actions known at first or told in the course: the same cluster."""
    leap = Cluster(eventful())
    leap.advance(T0 + 5000)
    steps = Cluster()
    for action in eventful():
        steps.add([action])
    for second in range(0, 5000, 7):
        steps.advance(T0 + second)
    steps.advance(T0 + 5000)
    shown = [json.dumps([known.applications(), known.events(SHOP), known.tree(SHOP)]) for known in (leap, steps)]
    assert shown[0] == shown[1]
    assert leap.notifications == steps.notifications


def test_what_was_told_stays_as_it_was():
    """An answer that was given does not change when the story goes on."""
    cluster = Cluster(eventful())
    told = []
    for second in range(0, 4300, 10):
        cluster.advance(T0 + second)
        told += [(shown, json.dumps(shown)) for shown in cluster.applications()]
    assert all(json.dumps(shown) == text for shown, text in told)


def test_a_long_history_is_played():
    """Two thousand operations of twenty applications are all there, each with the last ten in its history."""
    story: list[Action] = []
    for name in (f"shop-{number}" for number in range(20)):
        story.append(Create(T0, name))
        for turn in range(100):
            sha = f"{turn:040x}"
            story += [Commit(T0 + turn * 600, name, (sha,), images(sha)), Sync(T0 + turn * 600 + 5, name)]
    cluster = played(*story, until=100 * 600)
    assert sum(cluster.sync_totals.values()) == 2000
    assert all(ids(cluster, f"shop-{number}") == list(range(90, 100)) for number in range(20))
