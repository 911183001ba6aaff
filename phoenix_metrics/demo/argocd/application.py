"""An application as the cluster holds it, and as Argo CD writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phoenix_metrics.demo.argocd.actions import Create, Images, Outcome, Source
from phoenix_metrics.demo.argocd.manifests import health_of, kind_of
from phoenix_metrics.demo.argocd.workloads import Workload
from phoenix_metrics.demo.times import written

Json = dict[str, Any]  # built once and never changed: whatever was read before stays as it was

RECONCILED_EVERY = 180  # seconds between the controller's own comparisons with Git
DEFAULT_HISTORY_LIMIT = 10


@dataclass(frozen=True)
class Desired:
    """What an operation applies: manifests of these revisions, one for each source, with these images."""

    revisions: tuple[str, ...]
    images: Images


@dataclass
class Running:
    """An operation from its request to its end."""

    operation: Json
    desired: Desired
    kind: str
    outcome: Outcome
    sources: Json  # as its result and its history entry write them
    services: tuple[str, ...]  # those it applies
    started_at: int = 0
    retry_count: int = 0
    is_applied: bool = False
    has_changed: bool = False  # whether any workload got another image


@dataclass
class Application:
    """The state of one incarnation."""

    created: Create
    uid: str
    sources: tuple[Source, ...]
    labels: Mapping[str, str]
    is_automated: bool
    destination_namespace: str
    git: Desired
    resource_version: int = 0
    generation: int = 1
    workloads: dict[str, Workload] = field(default_factory=dict)
    running: Running | None = None
    operation: Json | None = None
    state: Json | None = None
    history: tuple[Json, ...] = ()
    images_of: dict[int, Images] = field(default_factory=dict)  # of history entries, which the cluster does not tell
    health: Json = field(default_factory=dict)
    health_plan: int = 0  # grows when what was foreseen of health no longer holds
    sync: Json = field(default_factory=dict)
    conditions: tuple[Json, ...] = ()
    is_pruning_due: bool = False
    reconciled_at: int = 0
    is_deleted: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.created.name.rpartition("/")[2]

    @property
    def key(self) -> tuple[str, str]:
        """Its namespace and name."""
        return self.created.namespace, self.name

    @property
    def has_started(self) -> bool:
        """Whether the controller has taken the operation that is under way."""
        return self.running is not None and self.state is not None

    def images(self) -> list[str]:
        """Return the images of all its pods."""
        return sorted({image for workload in self.workloads.values() for image in workload.pod_images})

    def is_synced(self) -> bool:
        """Whether the workloads' templates are those of Git."""
        live = {service: workload.image for service, workload in self.workloads.items()}
        return bool(self.history or live) and live == dict(self.git.images) and not self.is_pruning_due


def render(application: Application, now: int, *, with_resource_health: bool = True) -> Json:
    """Return an application as Argo CD answers; resources' health is not part of a list."""
    shown = {"metadata": _metadata(application), "spec": _spec(application)}
    if application.operation is not None:
        shown["operation"] = application.operation
    shown["status"] = _status(application, now, with_resource_health)
    return shown


def source_json(source: Source) -> Json:
    """Return a source as it stands in spec, history and operations."""
    told = {"repoURL": source.repo_url, "path": source.path, "chart": source.chart}
    return {**{key: text for key, text in told.items() if text}, "targetRevision": source.target_revision}


def sources_json(sources: tuple[Source, ...], *, is_written: bool = True) -> Json:
    """Return what says where manifests are; several sources leave an empty one behind wherever it is not a pointer."""
    if len(sources) == 1:
        return {"source": source_json(sources[0])}
    return {**({"source": {"repoURL": ""}} if is_written else {}), "sources": [source_json(one) for one in sources]}


def revisions_json(revisions: tuple[str, ...]) -> Json:
    """Return one revision by itself, several as a list."""
    return {"revision": revisions[0]} if len(revisions) == 1 else {"revisions": list(revisions)}


def _metadata(application: Application) -> Json:
    namespace, name = application.key
    told: Json = {
        "name": name,
        "namespace": namespace,
        "uid": application.uid,
        "resourceVersion": str(application.resource_version),
        "generation": application.generation,
        "creationTimestamp": written(application.created.at),
    }
    if application.labels:
        told["labels"] = dict(application.labels)
    return told


def destination(application: Application) -> Json:
    """Return where an application's workloads run."""
    return {"server": application.created.destination_server, "namespace": application.destination_namespace}


def _spec(application: Application) -> Json:
    policy: Json = {"syncOptions": ["CreateNamespace=true"]}
    if application.is_automated:
        policy = {"automated": {"prune": True, "selfHeal": application.created.self_heals}, **policy}
    spec: Json = {
        **sources_json(application.sources, is_written=False),
        "destination": destination(application),
        "project": application.created.project,
        "syncPolicy": policy,
    }
    if application.created.history_limit != DEFAULT_HISTORY_LIMIT:
        spec["revisionHistoryLimit"] = application.created.history_limit
    return spec


def _status(application: Application, now: int, with_resource_health: bool) -> Json:
    status: Json = {
        "sync": application.sync,
        "health": application.health,
        "summary": _summary(application),
        "resources": _resources(application, with_resource_health),
        "reconciledAt": written(_reconciled_at(application, now)),
        "controllerNamespace": "argocd",
        "resourceHealthSource": "appTree",
    }
    if len(application.sources) == 1:
        status["sourceType"] = "Helm" if application.sources[0].chart else "Kustomize"
    else:
        status["sourceTypes"] = ["Helm" if source.chart else "Kustomize" for source in application.sources]
    if application.history:
        status["history"] = list(application.history)
    if application.state is not None:
        status["operationState"] = application.state
    if application.conditions:
        status["conditions"] = list(application.conditions)
    return status


def _summary(application: Application) -> Json:
    images = application.images()
    return {
        **({"images": images} if images else {}),
        **({"isAppOfApps": True} if application.created.is_app_of_apps else {}),
    }


def _reconciled_at(application: Application, now: int) -> int:
    passed = max(0, now - application.reconciled_at)
    return application.reconciled_at + passed // RECONCILED_EVERY * RECONCILED_EVERY


def _resources(application: Application, with_health: bool) -> list[Json]:
    found = []
    for service, workload in sorted(application.workloads.items()):
        is_synced = application.git.images.get(service) == workload.image
        place = {"namespace": workload.namespace, "name": service}
        shown = {**kind_of(workload), **place, "status": "Synced" if is_synced else "OutOfSync"}
        found.append({**shown, "health": health_of(workload, application.health)} if with_health else shown)
        found.append({"version": "v1", "kind": "Service", **place, "status": "Synced"})
    if application.created.is_app_of_apps:
        child = {"namespace": application.created.namespace, "name": f"{application.name}-child"}
        found.append(
            {"group": "argoproj.io", "version": "v1alpha1", "kind": "Application", **child, "status": "Synced"}
        )
    return found
