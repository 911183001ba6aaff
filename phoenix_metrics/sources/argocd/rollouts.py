"""Argo Rollouts as an application's tree shows them: each Rollout, its ReplicaSets and its AnalysisRuns.

Meaning of the fields: argoproj/argo-rollouts, `pkg/apis/rollouts/v1alpha1/types.go` and `analysis_types.go`. A tree may
tell health, parents and revisions of its nodes, or not: what it does not tell is read from the manifests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from phoenix_metrics.errors import ConnectionFailedError, CredentialError, SourceError
from phoenix_metrics.sources.argocd.applications import Place, digest_of, payload_of
from phoenix_metrics.sources.argocd.asking import Reader
from phoenix_metrics.sources.argocd.client import ArgoCDClient
from phoenix_metrics.sources.argocd.known import KnownTrees
from phoenix_metrics.sources.argocd.probe import Found, Seen
from phoenix_metrics.sources.items import Item

AT_MOST = 200  # trees that one pass reads: one request each, and one for each manifest that may be new
ENDED = {"Successful", "Failed", "Error", "Inconclusive"}

_REVISION = "rollout.argoproj.io/revision"
_HASH = "rollouts-pod-template-hash"
_IDENTITY = ("name", "namespace", "uid", "creationTimestamp")
_STATUS = (
    "observedGeneration", "phase", "message", "abort", "abortedAt", "currentPodHash", "stableRS", "currentStepIndex",
    "pauseConditions", "duration",
)  # fmt: skip
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_STRATEGY = {
    "canary": ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus", "stableRS"),  # there before v0.9
    "blueGreen": ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus"),
}
_METRIC = ("name", "phase", "count", "failed", "error", "dryRun")


@dataclass(frozen=True)
class Manifest:
    """A live object of an application's tree."""

    kind: str
    content: Mapping[str, Any]


def due_trees(known: KnownTrees, found: Found) -> list[Place]:
    """Return the applications whose Rollouts may have changed, those with news first, then those not read yet."""

    def rank(one: Seen) -> int:
        if one.is_changed or one.place.key in known.running:
            return 0
        return 1 if one.health != "Healthy" else 2

    due = [
        one
        for one in found.seen.values()
        if one.has_rollouts and (rank(one) < 2 or one.place.key not in known.read)  # noqa: PLR2004  # of three ranks
    ]
    return [one.place for one in sorted(due, key=lambda one: (rank(one), one.place.key))[:AT_MOST]]


def fetch_rollouts(reader: Reader, known: KnownTrees, found: Found) -> Iterator[Item]:
    """Yield what the trees of applications tell of Rollouts that is not known yet."""
    for place, answer in reader.each(partial(_read_tree, reader.client, known), due_trees(known, found)):
        if isinstance(answer, SourceError):
            found.refuse("rollouts", answer)
            continue
        where = {"instance": reader.server.name, "application": place.name, "applicationNamespace": place.namespace}
        for manifest in answer:
            yield from _told(manifest, known, where)


def _read_tree(client: ArgoCDClient, known: KnownTrees, place: Place) -> list[Manifest]:
    """Return the manifests below an application that may be new; one that is gone by now is left out."""
    nodes = client.resource_tree(place.name, place.namespace, place.project)
    manifests = []
    for node in nodes:
        if not _may_be_new(node, known):
            continue
        try:
            content = client.resource(place.name, place.namespace, place.project, node)
        except (CredentialError, ConnectionFailedError):
            raise
        except SourceError:
            continue
        if content.get("metadata"):
            identity = {"uid": node.get("uid"), **content["metadata"]}
            manifests.append(Manifest(node["kind"], {**content, "metadata": identity}))
    return manifests


def _may_be_new(node: Mapping[str, Any], known: KnownTrees) -> bool:
    kind, uid = node.get("kind"), node.get("uid") or ""
    if kind == "ReplicaSet":
        parents = [parent.get("kind") for parent in node.get("parentRefs") or []]
        told = {one.get("name"): one.get("value") for one in node.get("info") or []}.get("Revision")
        is_known = uid in known.revisions and told in (None, f"Rev:{known.revisions[uid]}")
        return not is_known and (not parents or "Rollout" in parents)
    is_ours = node.get("group") == "argoproj.io"
    return is_ours and (kind == "Rollout" or (kind == "AnalysisRun" and uid not in known.ended_runs))


def _told(manifest: Manifest, known: KnownTrees, where: Mapping[str, str]) -> Iterator[Item]:
    """Yield a manifest's payload where it says something new."""
    content = manifest.content
    if manifest.kind == "Rollout":
        told = {**where, "rollout": _rollout(content), "images": _images(content)}
        item, uid = "argocd_rollouts", content["metadata"].get("uid")
    elif manifest.kind == "AnalysisRun":
        told = {**where, "analysisRun": _analysis_run(content)}
        item, uid = "argocd_analysis_runs", content["metadata"].get("uid")
    else:
        yield from _told_of_replica_set(content, known, where)
        return
    digest = digest_of(told)
    if known.digests.get(uid) != digest:
        yield Item(item, None, payload_of({**told, "digest": digest}))


def _told_of_replica_set(content: Mapping[str, Any], known: KnownTrees, where: Mapping[str, str]) -> Iterator[Item]:
    metadata = content["metadata"]
    owners = [owner.get("kind") for owner in metadata.get("ownerReferences") or []]
    annotations = metadata.get("annotations") or {}
    is_known = known.revisions.get(metadata.get("uid"), "") == annotations.get(_REVISION)
    if is_known or not ("Rollout" in owners or _HASH in (metadata.get("labels") or {})):
        return
    kept = {
        **_kept(metadata, (*_IDENTITY, "ownerReferences")),
        "labels": _kept(metadata.get("labels"), (_HASH,)),
        "annotations": _kept(annotations, (_REVISION, f"{_REVISION}-history")),
    }
    payload = {**where, "replicaSet": {"metadata": kept}, "images": _images(content)}
    yield Item("argocd_replica_sets", None, payload_of(payload))


def _rollout(content: Mapping[str, Any]) -> dict[str, Any]:
    metadata, spec, status = content["metadata"], content.get("spec") or {}, content.get("status") or {}
    strategies = [name for name in ("canary", "blueGreen") if name in (spec.get("strategy") or {})]
    return {
        "metadata": {
            **_kept(metadata, (*_IDENTITY, "generation")),
            "annotations": _kept(metadata.get("annotations"), (_REVISION,)),
        },
        "spec": {"strategy": strategies[0] if strategies else None, "rollbackWindow": spec.get("rollbackWindow")},
        "status": {
            **_kept(status, _STATUS),
            "conditions": [_kept(condition, _CONDITION) for condition in status.get("conditions") or []],
            **{name: _kept(status.get(name), kept) for name, kept in _STRATEGY.items()},
        },
    }


def _analysis_run(content: Mapping[str, Any]) -> dict[str, Any]:
    metadata, status = content["metadata"], content.get("status") or {}
    return {
        "metadata": _kept(metadata, (*_IDENTITY, "labels", "ownerReferences"))
        | {"annotations": _kept(metadata.get("annotations"), (_REVISION,))},
        "status": {
            **_kept(status, ("phase", "startedAt", "completedAt", "message")),
            "metricResults": [_kept(metric, _METRIC) for metric in status.get("metricResults") or []],
        },
    }


def _images(content: Mapping[str, Any]) -> list[str]:
    spec = (((content.get("spec") or {}).get("template") or {}).get("spec")) or {}
    return [container["image"] for container in spec.get("containers") or [] if container.get("image")]


def _kept(source: Mapping[str, Any] | None, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source} if source else {}
