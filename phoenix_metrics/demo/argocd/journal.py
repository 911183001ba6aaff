"""What the cluster leaves behind for those who watch: changes, events, notifications, counters."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo.argocd.application import Application, Json, destination, render
from phoenix_metrics.demo.argocd.workloads import identity
from phoenix_metrics.demo.times import written

EVENT_TTL = 3600  # seconds that Kubernetes keeps an event
_BUFFER = 1000  # changes that Argo CD's server keeps for one who watches; who is slower loses them


@dataclass(frozen=True)
class Change:
    """An application as it was after a change; versions grow by one with each."""

    version: int
    kind: str  # ADDED, MODIFIED or DELETED
    application: Json


@dataclass(frozen=True)
class Notification:
    """What Argo CD's notifications controller posts, and when."""

    at: int
    body: Json


@dataclass(frozen=True)
class SyncTotal:
    """The labels of argocd_app_sync_total."""

    namespace: str
    name: str
    project: str
    dest_server: str
    phase: str
    dry_run: str  # "true" or "false"


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event about an application, before it is written out."""

    number: int
    at: int
    reason: str
    text: str
    by: str | None
    is_warning: bool
    place: Json
    resource_version: int


class Journal:
    """Writes down what happens to applications."""

    def __init__(self) -> None:
        self.version = 0
        self.changes: deque[Change] = deque(maxlen=_BUFFER)
        self.notifications: list[Notification] = []
        self.sync_totals: Counter[SyncTotal] = Counter()
        self._events: dict[str, deque[Event]] = {}
        self._event_count = 0

    def record(self, application: Application, at: int, kind: str = "MODIFIED") -> None:
        """Tell those who watch that an application changed."""
        self.version += 1
        application.resource_version = self.version
        self.changes.append(Change(self.version, kind, render(application, at)))

    def since(self, version: int) -> Iterator[Change]:
        """Yield the changes after a version that are still kept."""
        missing = self.version - version
        if missing > 0:
            yield from list(self.changes)[-missing:]

    def tell(
        self,
        application: Application,
        at: int,
        reason: str,
        text: str,
        *,
        by: str | None = None,
        is_warning: bool = False,
    ) -> None:
        """Write a Kubernetes event; with `by` it is the API server's, of a user, else the controller's."""
        self._event_count += 1
        place = destination(application)
        event = Event(self._event_count, at, reason, text, by, is_warning, place, application.resource_version)
        kept = self._events.setdefault(application.uid, deque())
        kept.append(event)
        while kept[0].at <= at - EVENT_TTL:
            kept.popleft()

    def events(self, application: Application, now: int) -> list[Json]:
        """Return the events about an application's uid that Kubernetes still has, oldest first."""
        kept = self._events.get(application.uid, ())
        return [_written(event, application) for event in kept if event.at > now - EVENT_TTL]

    def complete(self, application: Application, at: int) -> None:
        """Count an operation that ended, and have it notified of a second later."""
        state: dict[str, Any] = application.state or {}
        namespace, name = application.key
        is_dry_run = "true" if state["operation"]["sync"].get("dryRun") else "false"
        server, project = application.created.destination_server, application.created.project
        self.sync_totals[SyncTotal(namespace, name, project, server, state["phase"], is_dry_run)] += 1
        body = {
            "metadata": {"name": name, "namespace": namespace, "uid": application.uid},
            "spec": {"project": project},
            "status": {"operationState": state},
        }
        self.notifications.append(Notification(at + 1, body))


def _written(event: Event, application: Application) -> Json:
    namespace, name = application.key
    annotations = {"dest-namespace": event.place["namespace"], "dest-server": event.place["server"]}
    if event.by is not None:
        annotations["user"] = event.by
    return {
        "metadata": {
            "name": f"{name}.{event.at * 10**9 + event.number:x}",
            "namespace": namespace,
            "uid": identity(application.uid, "Event", event.number),
            "resourceVersion": str(event.number),
            "creationTimestamp": written(event.at),
            "annotations": annotations,
        },
        "involvedObject": {
            "kind": "Application",
            "namespace": namespace,
            "name": name,
            "uid": application.uid,
            "apiVersion": "argoproj.io/v1alpha1",
            "resourceVersion": str(event.resource_version),
        },
        "reason": event.reason,
        "message": event.text if event.by is None else f"{event.by} {event.text}",
        "source": {"component": "argocd-application-controller" if event.by is None else "argocd-server"},
        "firstTimestamp": written(event.at),
        "lastTimestamp": written(event.at),
        "count": 1,
        "type": "Warning" if event.is_warning else "Normal",
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }
