"""Kubernetes events of applications: what tells of operations that the next one overwrote between two passes.

Kubernetes keeps them for an hour. Every operation, creation and change of health leaves its time in the application's
state, so events are asked for of those applications only to which something happened since events were last read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from phoenix_metrics.errors import SourceError
from phoenix_metrics.sources.argocd.applications import Place, payload_of
from phoenix_metrics.sources.argocd.asking import Reader
from phoenix_metrics.sources.argocd.known import Known
from phoenix_metrics.sources.argocd.probe import Found, Seen
from phoenix_metrics.sources.items import Item

EVERY = timedelta(minutes=15)
KEPT_FOR = timedelta(hours=1)  # by Kubernetes, unless it is told otherwise
OVERLAP = timedelta(minutes=2)  # an event is written a moment after what it tells of
AT_MOST = 300  # applications whose events one pass reads, a Kubernetes call each; the next pass goes on from there


@dataclass(frozen=True)
class EventReading:
    """Which applications' events a pass reads, and up to when all are read then."""

    applications: tuple[Seen, ...]
    read_to: datetime | None


def due_events(known: Known, found: Found, now: datetime) -> EventReading:
    """Return what to read now, the longest waiting first; `now` is the server's time."""
    if known.events_read_to is not None and now - known.events_read_to < EVERY:
        return EventReading((), known.events_read_to)
    since = max(known.events_read_to or now - KEPT_FOR, now - KEPT_FOR) - OVERLAP
    times = [(one.active_at, one) for one in found.seen.values() if one.active_at is not None]
    active = sorted((pair for pair in times if pair[0] > since), key=lambda pair: (pair[0], pair[1].place.key))
    is_all = len(active) <= AT_MOST
    return EventReading(tuple(one for _, one in active[:AT_MOST]), now if is_all else active[AT_MOST - 1][0])


def fetch_events(reader: Reader, known: Known, found: Found, due: EventReading) -> Iterator[Item]:
    """Yield the events that are not known yet."""

    def ask(place: Place) -> list[dict[str, Any]]:
        return reader.client.events(place.name, place.namespace, place.project)

    for place, answer in reader.each(ask, (one.place for one in due.applications)):
        if isinstance(answer, SourceError):
            found.refuse("events", answer)
            continue
        for event in answer:
            if event["metadata"]["uid"] not in known.event_uids:
                yield Item("argocd_events", None, _payload(reader.server.name, place, event))


def _payload(instance: str, place: Place, event: Mapping[str, Any]) -> str:
    metadata = event["metadata"]
    told = {key: event.get(key) for key in ("type", "reason", "message", "firstTimestamp", "lastTimestamp", "count")}
    return payload_of(
        {
            **told,
            "instance": instance,
            "application": place.name,
            "namespace": place.namespace,
            "uid": metadata["uid"],
            "applicationUid": (event.get("involvedObject") or {}).get("uid"),
            "user": (metadata.get("annotations") or {}).get("user"),
        }
    )
