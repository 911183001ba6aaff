"""A cluster with Argo CD: plays what people, Git and the cluster do, and holds what Argo CD would tell."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo.argocd import actions, manifests, operations, starts
from phoenix_metrics.demo.argocd.actions import Action, Source
from phoenix_metrics.demo.argocd.agenda import Agenda
from phoenix_metrics.demo.argocd.application import Application, Desired, Json, render
from phoenix_metrics.demo.argocd.controller import Controller
from phoenix_metrics.demo.argocd.health import Health
from phoenix_metrics.demo.argocd.journal import Change, Journal, Notification, SyncTotal
from phoenix_metrics.demo.argocd.rollouts import Rollouts
from phoenix_metrics.demo.argocd.versions import read_version
from phoenix_metrics.demo.argocd.workloads import identity
from phoenix_metrics.demo.times import written

_IN_USE = "another operation is already in progress"


@dataclass(frozen=True)
class Refusal:
    """An action that Argo CD would refuse, or that has nothing to act on; it changes nothing."""

    at: int
    action: Action
    reason: str


class RefusedError(Exception):
    """An action that cannot be done now; it says why."""


class Cluster:
    """Applications of one Argo CD, deterministic: the same actions give the same answers, uids and all.

    Actions are played in the order of their times, and of one second in the order given. An action names its
    application by name, or by NAMESPACE/NAME where two namespaces have one of that name. One that Argo CD would
    refuse (a second operation while one is under way, a rollback while auto-sync is on) does nothing and is kept in
    `refusals`.
    """

    def __init__(self, story: Iterable[Action] = (), version: str = "v3.2.0") -> None:
        self.version = read_version(version)
        self.refusals: list[Refusal] = []
        self._agenda = Agenda()
        self._journal = Journal()
        self._health = Health(self._agenda, self._journal)
        self._controller = Controller(self._agenda, self._journal, self._health, self.version)
        self._rollouts = Rollouts(self._agenda, self._journal, self._health)
        self._applications: dict[tuple[str, str], Application] = {}
        self._names: dict[str, tuple[str, str]] = {}  # both forms of a name -> key
        self._incarnations: Counter[tuple[str, str]] = Counter()
        self._commits: dict[str, Json] = {}
        self.add(story)

    @property
    def now(self) -> int:
        """Up to which second everything has been played."""
        return self._agenda.now

    @property
    def latest(self) -> int:
        """The version of the latest change, to be given to `changes` later."""
        return self._journal.version

    @property
    def notifications(self) -> list[Notification]:
        """What the notifications controller has posted so far, in order; once for each operation that ended."""
        return [sent for sent in self._journal.notifications if sent.at <= self.now]

    @property
    def sync_totals(self) -> dict[SyncTotal, int]:
        """The counters of argocd_app_sync_total."""
        return dict(self._journal.sync_totals)

    def add(self, story: Iterable[Action]) -> None:
        """Plan more actions, none of them before what has been played."""
        for action in sorted(story, key=lambda one: one.at):
            self._agenda.act(action.at, functools.partial(self._do, action))
            if isinstance(action, actions.Abort | actions.Promote):
                self._foreshadow(action)

    def forget_plans(self) -> None:
        """Drop the actions that are not played yet; what follows from those that were goes on."""
        self._agenda.forget_actions()

    def advance(self, now: int) -> None:
        """Play everything up to a second since 1970; going back does nothing."""
        self._agenda.advance(now)

    def applications(self) -> list[Json]:
        """Return every application as the list tells it: without the health of single resources."""
        return [render(self._applications[key], self.now, with_resource_health=False) for key in self._keys()]

    def application(self, name: str, namespace: str = "argocd") -> Json | None:
        """Return one application, None where there is none."""
        found = self._applications.get((namespace, name))
        return None if found is None else render(found, self.now)

    def events(self, name: str, namespace: str = "argocd") -> list[Json]:
        """Return the Kubernetes events of the last hour about an application's present uid, oldest first."""
        return self._journal.events(self._known(name, namespace), self.now)

    def tree(self, name: str, namespace: str = "argocd") -> list[Json]:
        """Return the nodes of an application's tree."""
        found = self._known(name, namespace)
        return list(manifests.nodes(found.workloads, found.health))

    def resource(self, name: str, namespace: str, kind: str, resource: str) -> Json | None:
        """Return the live manifest of a node of an application's tree, None where there is none."""
        found = self._known(name, namespace)
        return manifests.manifest(found.workloads, found.health, kind, resource)

    def revision(self, revision: str) -> Json | None:
        """Return author, date and message of a commit that the story has had, None for any other revision."""
        return self._commits.get(revision)

    def changes(self, since: int) -> Iterator[Change]:
        """Yield the changes after a version, as a watch tells them; of many the oldest are lost."""
        return self._journal.since(since)

    def refresh(self, name: str, namespace: str = "argocd") -> None:
        """Compare an application with Git now, as a request with `refresh` makes the controller do."""
        self._health.compare(self._known(name, namespace), self.now)

    def _keys(self) -> list[tuple[str, str]]:
        return sorted(self._applications)

    def _known(self, name: str, namespace: str) -> Application:
        """Return an application. Raises KeyError where there is none."""
        return self._applications[(namespace, name)]

    def _do(self, action: Action, at: int) -> None:
        try:
            if isinstance(action, actions.Create):
                self._create(action, at)
            else:
                _HANDLERS[type(action)](self, self._target(action.name), action, at)
        except RefusedError as refusal:
            self.refusals.append(Refusal(at, action, str(refusal)))

    def _target(self, name: str) -> Application:
        found = self._applications.get(self._names.get(name, ("", name)))
        if found is None:
            raise RefusedError(f"there is no application {name}")
        return found

    def _create(self, action: actions.Create, at: int) -> None:
        name = action.name.rpartition("/")[2]
        key = action.namespace, name
        if key in self._applications:
            raise RefusedError(f"{name} exists")
        self._incarnations[key] += 1
        uid = identity("Application", *key, self._incarnations[key], at)
        sources = action.sources or (Source("https://github.com/phoenix/deployments.git", path=f"apps/{name}"),)
        unknown = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        made = Application(
            action, uid, sources, action.labels, action.is_automated, action.destination_namespace or name,
            Desired((unknown,) * len(sources), {}),
        )  # fmt: skip
        self._applications[key] = made
        self._names |= {name: key, f"{action.namespace}/{name}": key, action.name: key}
        starts.begin(made, at)
        self._journal.record(made, at, "ADDED")

    def _delete(self, application: Application, _: actions.Delete, at: int) -> None:
        application.is_deleted, application.running = True, None
        self._health.supersede(application)
        del self._applications[application.key]
        self._journal.record(application, at, "DELETED")

    def _commit(self, application: Application, action: actions.Commit, at: int) -> None:
        application.git = Desired(action.revisions, dict(action.images))
        told = {"author": action.author, "date": written(at), "message": action.message}
        for revision, source in zip(action.revisions, application.sources, strict=False):
            if not source.chart:
                self._commits.setdefault(revision, told)
        self._health.compare(application, at)

    def _sync(self, application: Application, action: actions.Sync, at: int) -> None:
        _refuse_second(application)
        running = operations.requested(application, action, self.version)
        self._tell_start(application, action, at)
        self._controller.request(application, running, at, action.starts_after)

    def _roll_back(self, application: Application, action: actions.Rollback, at: int) -> None:
        _refuse_second(application)
        if application.is_automated:
            raise RefusedError("rollback cannot be performed when auto-sync is enabled")
        entry = next((known for known in application.history if known["id"] == action.history_id), None)
        if entry is None:
            raise RefusedError(f"application {application.name} does not have deployment with id {action.history_id}")
        running = operations.rolled_back(application, action, entry)
        text = f"initiated rollback to {action.history_id}"
        self._journal.tell(application, at, "OperationStarted", text, by=action.by)
        self._controller.request(application, running, at, action.starts_after)

    def _terminate(self, application: Application, action: actions.Terminate, at: int) -> None:
        if not application.has_started:
            raise RefusedError("Unable to terminate operation. No operation is in progress")
        self._controller.terminate(application, at, is_timeout=action.by is None)
        if action.by is not None:
            self._journal.tell(application, at, "ResourceUpdated", "terminated running operation", by=action.by)

    def _configure(self, application: Application, action: actions.Configure, at: int) -> None:
        application.generation += 1
        if action.is_automated is not None:
            application.is_automated = action.is_automated
        if action.labels is not None:
            application.labels = action.labels
        if action.destination_namespace is not None:
            application.destination_namespace = action.destination_namespace
        if action.target_revision is not None:
            application.sources = starts.retargeted(application.sources, action.target_revision)
        self._health.compare(application, at)

    def _lose_status(self, application: Application, _: actions.LoseStatus, at: int) -> None:
        application.running = application.operation = application.state = None
        application.history, application.conditions, application.images_of = (), (), {}
        starts.forget_status(application, at)
        self._health.compare(application, at)

    def _degrade(self, application: Application, action: actions.Degrade, at: int) -> None:
        self._health.supersede(application)
        if action.health == "Healthy":
            self._health.recover(application, at)
        else:
            self._health.become(application, action.health, at)

    def _tell_start(self, application: Application, action: actions.Sync, at: int) -> None:
        text = starts.told(application, action)
        if text is not None:
            self._journal.tell(application, at, "OperationStarted", text, by=action.by)

    def _foreshadow(self, action: actions.Abort | actions.Promote) -> None:
        """Let the analysis that a Rollout is decided on by be seen while it runs."""
        if isinstance(action, actions.Abort) and (action.is_deadline or action.analysis is None):
            return
        if not action.analysis_seconds:
            return

        def begin(at: int) -> None:
            application = self._applications.get(self._names.get(action.name, ("", action.name)))
            if application is not None:
                self._rollouts.analyse(application, action.service, at)

        self._agenda.foreshadow(max(self.now, action.at - action.analysis_seconds), begin)


def _refuse_second(application: Application) -> None:
    if application.running is not None:
        raise RefusedError(_IN_USE)


def _of_rollouts(verb: Callable[..., str | None]) -> Callable[..., None]:
    """Return a handler that a verb of Rollouts does; the verb returns why it cannot be done."""

    def handle(cluster: Cluster, application: Application, action: Any, at: int) -> None:
        reason = verb(cluster._rollouts, application, action, at)
        if reason:
            raise RefusedError(reason)

    return handle


_HANDLERS: dict[type, Callable[..., None]] = {
    actions.Delete: Cluster._delete,
    actions.Commit: Cluster._commit,
    actions.Sync: Cluster._sync,
    actions.Rollback: Cluster._roll_back,
    actions.Terminate: Cluster._terminate,
    actions.Configure: Cluster._configure,
    actions.LoseStatus: Cluster._lose_status,
    actions.Degrade: Cluster._degrade,
    actions.Promote: _of_rollouts(Rollouts.promote),
    actions.Abort: _of_rollouts(Rollouts.abort),
    actions.RetryRollout: _of_rollouts(Rollouts.retry),
    actions.Undo: _of_rollouts(Rollouts.undo),
    actions.SetImage: _of_rollouts(Rollouts.set_image),
}
