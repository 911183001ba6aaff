"""Which applications changed: by the full list, or by the cheap one and a GET of each that differs.

A full list of thousands of applications is 100 MB and more, so it is read from time to time only; in between, the
fields that the list can be asked for tell operations and health apart. What is gone from a list is looked up by name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from phoenix_metrics.errors import AccessError, RepositoryError, SourceError
from phoenix_metrics.sources.argocd.applications import (
    UNSETTLED,
    Place,
    moment,
    payload_of,
    place_of,
    probe_of,
    told_of,
)
from phoenix_metrics.sources.argocd.asking import Reader
from phoenix_metrics.sources.argocd.client import ArgoCDClient
from phoenix_metrics.sources.argocd.known import Key, Known, KnownApplication
from phoenix_metrics.sources.argocd.revisions import Commit, commits_of
from phoenix_metrics.sources.items import Item, as_text

FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.creationTimestamp",
    "operation.sync",
    "status.operationState.phase",
    "status.operationState.startedAt",
    "status.operationState.finishedAt",
    "status.health",
    "status.sync.status",
    "status.summary",
)
SETTLES_WITHIN = timedelta(
    minutes=15
)  # after an operation; one that Argo CD does not compare by then waits for a sweep
LOOKED_UP_AT_MOST = 50  # of the applications that are gone from a list, in one pass
_LEFT_OUT = "it exists, but is not listed: the selector, the projects or the token's role leave it out"


@dataclass(frozen=True, slots=True)
class Seen:
    """An application as a pass found it: how it is, when something last happened to it, whether that is news."""

    place: Place
    health: str | None
    active_at: datetime | None
    has_rollouts: bool
    is_changed: bool


@dataclass
class Found:
    """What one pass finds, filled while it goes on."""

    seen: dict[Key, Seen] = field(default_factory=dict)
    commits: dict[tuple[str, str], Commit] = field(default_factory=dict)  # those not known yet
    refused: dict[str, SourceError] = field(default_factory=dict)  # by what was asked for, the last refusal
    refused_count: int = 0
    changed_count: int = 0

    def refuse(self, subject: str, error: SourceError) -> None:
        """Count a question that was refused."""
        self.refused[subject] = error
        self.refused_count += 1


@dataclass(frozen=True)
class Probing:
    """The first part of a pass: the applications of one server."""

    reader: Reader
    known: Known
    now: datetime  # the server's time
    found: Found

    def sweep(self) -> Iterator[Item]:
        """Read the full list; yield each application that says something new."""
        for application in self._listed():
            yield from self._read(application)

    def probe(self) -> Iterator[Item]:
        """Read the cheap list, and then each application that differs in it."""
        differing = list(self._differing())
        for place, answer in self.reader.each(partial(look_up, self.reader.client), differing):
            if isinstance(answer, SourceError):
                self.found.refuse("application", answer)
            elif answer.application is not None:
                yield from self._read(answer.application)
            else:
                self.found.refuse("application", AccessError(f"{place.name}: listed, but {answer.state}"))
                yield from self._sighted(place, None, answer.state)

    def look_for_absent(self, *, again: bool) -> Iterator[Item]:
        """Say of each application that is listed no more whether it is deleted; `again` of those not seen before, too.

        Only after a list was read to its end.
        """
        states = ("seen", None, "not_seen") if again else ("seen", None)
        absent = [one for key, one in self.known.applications.items() if key not in self.found.seen]
        doubtful = sorted((one for one in absent if one.state in states), key=lambda one: one.state == "not_seen")
        places = [one.place for one in doubtful[:LOOKED_UP_AT_MOST]]
        for place, answer in self.reader.each(partial(look_up, self.reader.client), places):
            if not isinstance(answer, SourceError):
                is_there = answer.application is not None
                yield from self._sighted(place, None, answer.state, _LEFT_OUT if is_there else None)
        for one in doubtful[LOOKED_UP_AT_MOST:]:
            yield from self._sighted(one.place, one.uid, "not_seen")

    def _listed(self, fields: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
        server = self.reader.server
        return self.reader.client.applications(fields=fields, selector=server.selector, projects=server.projects)

    def _differing(self) -> Iterator[Place]:
        for application in self._listed(FIELDS):
            place = place_of(application)
            known = self.known.applications.get(place.key)
            if known is None:
                yield place
                continue
            self._note(known.place, application, has_rollouts=known.has_rollouts, is_changed=False)
            if self._differs(application, known):
                yield known.place

    def _differs(self, application: Mapping[str, Any], known: KnownApplication) -> bool:
        if known.state != "seen" or known.probe is None:
            return True
        finished_at = (application["status"].get("operationState") or {}).get("finishedAt")
        is_old = finished_at is None or self.now - moment(finished_at) > SETTLES_WITHIN
        return probe_of(application) != (known.probe.removesuffix(UNSETTLED) if is_old else known.probe)

    def _read(self, application: Mapping[str, Any]) -> Iterator[Item]:
        """Take in a whole application."""
        told, place = told_of(application, self.reader.server.name), place_of(application)
        known = self.known.applications.get(place.key)
        is_changed = known is None or known.digest != told["digest"]
        self._note(place, application, has_rollouts=told["rolloutCount"] > 0, is_changed=is_changed)
        for commit in commits_of(told, place):
            if commit.key not in self.known.revisions:
                self.found.commits.setdefault(commit.key, commit)
        if is_changed:
            self.found.changed_count += 1
            yield Item("argocd_applications", None, payload_of(told))
        yield from self._sighted(place, application["metadata"].get("uid"), "seen")

    def _note(self, place: Place, application: Mapping[str, Any], *, has_rollouts: bool, is_changed: bool) -> None:
        status = application.get("status") or {}
        health = (status.get("health") or {}).get("status")
        # one that is requested has erased what the state told of the operation before
        is_requested = application.get("operation") and not status.get("operationState")
        active = self.now if is_requested else active_at(application)
        self.found.seen[place.key] = Seen(place, health, active, has_rollouts, is_changed)

    def _sighted(self, place: Place, uid: str | None, state: str, note: str | None = None) -> Iterator[Item]:
        """Yield how an application was seen, where that is news."""
        known = self.known.applications.get(place.key)
        if known is not None and known.state == state and (uid is None or known.uid == uid):
            return
        told = {
            "instance": self.reader.server.name,
            "namespace": place.namespace,
            "application": place.name,
            "uid": uid or (known.uid if known else None),
            "state": state,
            "note": note,
        }
        yield Item("argocd_sightings", None, as_text(told))


@dataclass(frozen=True)
class Answer:
    """What a server says when it is asked for an application by name: the application, or why not."""

    state: str
    application: Mapping[str, Any] | None = None


def look_up(client: ArgoCDClient, place: Place) -> Answer:
    """Ask for one application. Only with its project an answer tells deleted from forbidden; it may have moved, too."""
    try:
        return Answer("not_seen", client.application(place.name, place.namespace, place.project))
    except AccessError:
        return Answer("no_access")
    except RepositoryError:
        if not place.project:
            return Answer("deleted")
    moved = look_up(client, replace(place, project=""))
    return moved if moved.application is not None else Answer("deleted")


def active_at(application: Mapping[str, Any]) -> datetime | None:
    """Return when something last happened to an application, as far as its state tells."""
    status = application.get("status") or {}
    state, health = status.get("operationState") or {}, status.get("health") or {}
    times = (
        state.get("startedAt"),
        state.get("finishedAt"),
        health.get("lastTransitionTime"),
        (application.get("metadata") or {}).get("creationTimestamp"),
    )
    return max((moment(time) for time in times if time), default=None)
