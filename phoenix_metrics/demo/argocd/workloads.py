"""Deployments and Rollouts: which images their template and their pods have, and how a Rollout moves between them.

Fields and names are those of argoproj/argo-rollouts, `pkg/apis/rollouts/v1alpha1/types.go`.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

_KEPT_REPLICA_SETS = 10
_KEPT_RUNS = 5  # successful ones, and as many others


def identity(*parts: object) -> str:
    """Return a uid that follows from what a thing is."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass
class ReplicaSet:
    """One template's pods; an older template that comes back keeps its ReplicaSet and gets a new revision."""

    template_hash: str
    image: str
    uid: str
    created_at: int
    revision: int
    older_revisions: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class AnalysisRun:
    """A judgement of a Rollout's new version; it is complete when it has an end."""

    name: str
    uid: str
    template_hash: str
    revision: int
    phase: str
    started_at: int
    completed_at: int | None = None
    message: str = ""


@dataclass
class Workload:
    """A Deployment, or a Rollout, of one service; it is settled when all its pods are of its template."""

    service: str
    namespace: str
    is_rollout: bool
    uid: str
    created_at: int
    revision: int = 0
    current: str = ""  # the template's hash
    stable: str = ""  # the hash that took all traffic last; empty before the first
    started_at: int = 0
    changed_at: int = 0
    aborted_at: int | None = None
    abort_message: str = ""
    is_retrying: bool = False
    replica_sets: dict[str, ReplicaSet] = field(default_factory=dict)
    runs: list[AnalysisRun] = field(default_factory=list)

    @property
    def image(self) -> str:
        """The template's image."""
        return self.replica_sets[self.current].image

    @property
    def is_settled(self) -> bool:
        """Whether no other version has pods and none is wanted."""
        return self.current == self.stable

    @property
    def is_aborted(self) -> bool:
        """Whether the Rollout went back to its stable version and stays there."""
        return self.aborted_at is not None

    @property
    def pod_images(self) -> tuple[str, ...]:
        """The images of pods that run: old and new ones while a change is under way."""
        return tuple(dict.fromkeys(known.image for known in self.running()))

    def running(self) -> Iterator[ReplicaSet]:
        """Yield the ReplicaSets that have pods, the stable one first."""
        if self.stable:
            yield self.replica_sets[self.stable]
        if self.current and not self.is_settled and not self.is_aborted:
            yield self.replica_sets[self.current]

    def apply(self, image: str, at: int) -> bool:
        """Give the template an image and return whether that changes it; an abort ends with a new template."""
        template_hash = _template_hash(self.uid, image)
        if template_hash == self.current:
            return False
        self.revision += 1
        self.current, self.started_at, self.changed_at = template_hash, at, at
        self.aborted_at, self.abort_message = None, ""
        self.is_retrying = False
        self._own_replica_set(image, at)
        return True

    def settle(self, at: int) -> None:
        """Make the template's version the stable one."""
        self.stable, self.changed_at = self.current, at
        self.is_retrying = False
        self._end_runs("Successful", at, "")

    def abort(self, at: int, message: str) -> None:
        """Go back to the stable version; the template stays."""
        self.aborted_at, self.abort_message, self.changed_at = at, message, at
        self.is_retrying = False

    def retry(self, at: int) -> None:
        """Try an aborted version again."""
        self.aborted_at, self.abort_message, self.changed_at = None, "", at
        self.is_retrying = True

    def previous_image(self) -> str | None:
        """Return the image that `undo` goes back to: the stable one, or the one before it; None if there is none."""
        if self.stable and not self.is_settled:
            return self.replica_sets[self.stable].image
        earlier = [known for known in self.replica_sets.values() if known.template_hash != self.current]
        return max(earlier, key=lambda known: known.revision).image if earlier else None

    def analyse(self, started_at: int) -> None:
        """Start an AnalysisRun of the version under way."""
        suffix = f"-{len(self.runs) + 1}" if any(run.revision == self.revision for run in self.runs) else ""
        name = f"{self.service}-{self.current}-{self.revision}{suffix}"
        uid = identity(self.uid, "AnalysisRun", name, started_at)
        self.runs.append(AnalysisRun(name, uid, self.current, self.revision, "Running", started_at))

    def end_analysis(self, phase: str, at: int, message: str) -> None:
        """End the AnalysisRun under way."""
        self._end_runs(phase, at, message)
        kept = [run for run in self.runs if run.phase == "Successful"][-_KEPT_RUNS:]
        kept += [run for run in self.runs if run.phase != "Successful"][-_KEPT_RUNS:]
        self.runs = [run for run in self.runs if run in kept]

    def has_analysis_under_way(self) -> bool:
        """Whether an AnalysisRun of this version is not complete."""
        return any(run.completed_at is None for run in self.runs)

    def _end_runs(self, phase: str, at: int, message: str) -> None:
        self.runs = [_ended(run, phase, at, message) if run.completed_at is None else run for run in self.runs]

    def _own_replica_set(self, image: str, at: int) -> None:
        known = self.replica_sets.get(self.current)
        if known is not None:
            known.older_revisions.append(known.revision)
            known.revision = self.revision
            return
        uid = identity(self.uid, "ReplicaSet", self.current, at)
        self.replica_sets[self.current] = ReplicaSet(self.current, image, uid, at, self.revision)
        for old in sorted(self.replica_sets.values(), key=lambda one: one.revision)[: -_KEPT_REPLICA_SETS - 1]:
            if old.template_hash != self.stable:
                del self.replica_sets[old.template_hash]


def _ended(run: AnalysisRun, phase: str, at: int, message: str) -> AnalysisRun:
    return AnalysisRun(run.name, run.uid, run.template_hash, run.revision, phase, run.started_at, at, message)


def _template_hash(uid: str, image: str) -> str:
    return hashlib.sha256(f"{uid} {image}".encode()).hexdigest()[:10]
