"""What people, Git and the cluster do to applications; times are seconds since 1970, UTC.

The cluster (`cluster.py`) follows from the actions alone: its history, operations, events and health. Actions name an
application by its name, or by NAMESPACE/NAME.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Images = Mapping[str, str]  # service -> image, such as api -> ghcr.io/phoenix/platform/api:main-SHA


@dataclass(frozen=True, slots=True)
class Source:
    """Where an application's manifests are; of a chart the revision is its version."""

    repo_url: str
    path: str | None = None
    chart: str | None = None
    target_revision: str = "main"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation goes: attempts that fail first, how long each takes, how it ends, and what health follows.

    `applies` says whether the workloads get their new images although the operation fails, as with a failed PostSync
    hook; they get them when the last attempt begins. A failing operation with the usual message gets one that fits.
    `healthy_after` counts from the end; None means the application stays Progressing, or turns Degraded at
    `degraded_after`. Health follows only where images changed, or it was not Healthy before, or `degraded_after` says
    so. Rollouts under way are promoted when the application gets Healthy, so use `healthy_after=None` before Promote
    or Abort. `blocked_seconds` is time spent waiting at a closed sync window before any work.
    """

    phase: Literal["Succeeded", "Failed", "Error"] = "Succeeded"
    seconds: int = 4
    failed_attempts: int = 0
    retry_seconds: int = 10
    message: str = "successfully synced (all tasks run)"
    applies: bool = True
    healthy_after: int | None = 30
    degraded_after: int | None = None
    blocked_seconds: int = 0
    prune_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """An application is created; the same name again after a Delete has a new uid and ids from 0."""

    at: int
    name: str
    namespace: str = "argocd"
    project: str = "default"
    destination_namespace: str = ""
    destination_server: str = "https://kubernetes.default.svc"
    labels: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    is_automated: bool = True
    self_heals: bool = True
    history_limit: int = 10
    rollouts: tuple[str, ...] = ()  # services that an Argo Rollout runs; the others are Deployments
    is_app_of_apps: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """An application is deleted."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Git moves: the application's manifests are now of these revisions, one for each source, with these images.

    Nothing is deployed by that alone: an automated application is synced by a Sync that the story has, too.
    """

    at: int
    name: str
    revisions: tuple[str, ...]
    images: Images
    message: str = "Update images"
    author: str = "GitHub Actions <actions@github.com>"


@dataclass(frozen=True, slots=True)
class Sync:
    """An operation is requested; the controller takes it `starts_after` seconds later.

    `by` is a user's name; None means the controller itself (auto-sync). `kind` partial, self_heal and dry_run make no
    history. A self_heal applies Git's images again, changed ones, too; a partial those of the services named in
    `images`, else of those that differ from Git. `local` sends manifests of the user's own, with `images`.
    `is_anonymous` leaves initiatedBy empty, as for an operation patched straight into Kubernetes. A Sync while another
    operation is under way is refused, whoever asks.
    """

    at: int
    name: str
    by: str | None = None
    kind: Literal["full", "partial", "self_heal", "dry_run", "local"] = "full"
    outcome: Outcome = Outcome()
    starts_after: int = 1
    images: Images | None = None
    is_anonymous: bool = False
    is_appset: bool = False  # a RollingSync: automated, by the user applicationset-controller
    info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rollback:
    """`argocd app rollback`: a sync to what history entry `history_id` had; refused while auto-sync is on."""

    at: int
    name: str
    history_id: int
    by: str
    outcome: Outcome = Outcome()
    starts_after: int = 1


@dataclass(frozen=True, slots=True)
class Terminate:
    """A user, or the controller's timeout, ends the running operation; it has failed a second later."""

    at: int
    name: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Configure:
    """The application's spec changes; what is None stays."""

    at: int
    name: str
    is_automated: bool | None = None
    labels: Mapping[str, str] | None = None
    target_revision: str | None = None
    destination_namespace: str | None = None


@dataclass(frozen=True, slots=True)
class LoseStatus:
    """The status is lost under the same uid (argoproj/argo-cd#15513): no history, no operation, ids from 0."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Degrade:
    """Health changes by itself; what was foreseen of it no longer happens. Suspended pauses the Rollouts under way."""

    at: int
    name: str
    health: Literal["Healthy", "Progressing", "Degraded", "Suspended"] = "Degraded"


@dataclass(frozen=True, slots=True)
class Promote:
    """A Rollout finishes its steps: the version of the last sync is stable now.

    With `analysis_seconds` an AnalysisRun that began so long before ends Successful.
    """

    at: int
    name: str
    service: str
    analysis_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Abort:
    """A Rollout that is under way goes back to its stable version.

    `analysis` is how the AnalysisRun ended that caused it, None by hand; it started `analysis_seconds` before. With
    `is_deadline` the Rollout did not get on in time, and no AnalysisRun says why. The operation stays Succeeded, the
    application turns Degraded.
    """

    at: int
    name: str
    service: str
    analysis: Literal["Failed", "Error", "Inconclusive"] | None = "Failed"
    analysis_seconds: int = 300
    is_deadline: bool = False


@dataclass(frozen=True, slots=True)
class RetryRollout:
    """`kubectl argo rollouts retry`: an aborted Rollout tries the same version again."""

    at: int
    name: str
    service: str


@dataclass(frozen=True, slots=True)
class Undo:
    """`kubectl argo rollouts undo`: the Rollout's template goes back to its last stable image, outside Argo CD."""

    at: int
    name: str
    service: str


@dataclass(frozen=True, slots=True)
class SetImage:
    """`kubectl set image`: a workload's image changes outside Git and Argo CD."""

    at: int
    name: str
    service: str
    image: str


Action = (
    Create
    | Delete
    | Commit
    | Sync
    | Rollback
    | Terminate
    | Configure
    | LoseStatus
    | Degrade
    | Promote
    | Abort
    | RetryRollout
    | Undo
    | SetImage
)
