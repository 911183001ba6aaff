"""Deployments, rollbacks and lead times by the project's definitions, over what the operations did."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.truth.operations import Abortion, Life, Operation
from phoenix_metrics.demo.truth.rows import Row
from phoenix_metrics.demo.universe import DAY

_LOOK_BACK_SECONDS = 90 * DAY
_LOOK_BACK_POSITIONS = 200
_DEPLOYMENTS = ("first", "forward", "rollback")
_DECIDED = ("succeeded", "failed", "error")


@dataclass(eq=False)
class Place:
    """A version in the series of those that were live; equal ones in a row have one place."""

    version: str
    number: int
    first: int  # the place where the version was first, within the look-back
    brought_by: Operation
    replaced_at: int | None = None
    undone_by: Operation | None = None


@dataclass(eq=False)
class Change:
    """What an operation did to one service."""

    operation: Operation
    service: str
    version: str
    version_before: str | None
    word: str  # first, forward, rollback, resync or none
    place: Place | None = None  # that it made
    undone: list[Place] = field(default_factory=list)  # of a rollback, oldest first
    abort: Abortion | None = None

    @property
    def is_deployment(self) -> bool:
        """Whether it brought, or failed to bring, another version."""
        return self.word in _DEPLOYMENTS


@dataclass(frozen=True)
class Rolled:
    """A rollback as one incident."""

    application: str
    at: int
    services: tuple[str, ...]
    kind: str
    cause: str | None
    version_count: int
    failed_at: int | None
    restored_at: int | None


@dataclass(frozen=True)
class Delivered:
    """All that is judged of one application."""

    life: Life
    changes: list[Change]
    rollbacks: dict[Operation, Rolled]  # by the operation that went back


def judge(life: Life) -> Delivered:
    """Judge every operation of an application, service by service."""
    changes = [change for service in _services(life) for change in _changes(life, service)]
    for change in changes:
        aborts = (one for one in life.aborts if one.operation is change.operation and one.service == change.service)
        change.abort = next(aborts, None)
    rollbacks = {}
    for operation in life.operations:
        back = [one for one in changes if one.operation is operation and one.word == "rollback"]
        if back and not _was_aborted(life, back):
            rollbacks[operation] = _rolled(operation, back)
    return Delivered(life, changes, rollbacks)


def deployment_rows(found: Iterable[Delivered]) -> list[Row]:
    """Return `deployments.csv`: every operation that the controller took, with what it did to its services."""
    return [_deployment(one, operation) for one in found for operation in one.life.operations]


def service_rows(found: Iterable[Delivered]) -> list[Row]:
    """Return `service_deployments.csv`: what brought, or failed to bring, another version of a service."""
    return [_service(one, change) for one in found for change in one.changes if change.is_deployment]


def rollback_rows(found: Iterable[Delivered]) -> list[Row]:
    """Return `rollbacks.csv`: each time that something went back, once."""
    return [
        {
            "application": one.application,
            "environment": _environment(one.application),
            "started_at": written(one.at),
            "services": ", ".join(one.services),
            "kind": one.kind,
            "cause": one.cause,
            "version_count": one.version_count,
            "failed_at": _moment(one.failed_at),
            "restored_at": _moment(one.restored_at),
        }
        for delivered in found
        for one in (*delivered.rollbacks.values(), *map(_aborted, delivered.life.aborts))
    ]


def lead_time_rows(found: Iterable[Delivered], runs: Iterable[Run]) -> list[Row]:
    """Return `lead_times.csv`: versions that came for the first time and held through their Rollout."""
    builds = dict(_builds(runs))
    rows = []
    for delivered in found:
        for change in delivered.changes:
            is_new = change.word in ("first", "forward") and change.operation.status == "succeeded"
            is_first = change.place is not None and change.place.number == change.place.first
            build = builds.get(change.version.removeprefix("main-"))
            if is_new and is_first and change.abort is None and build is not None:
                rows.append(_lead_time(change, *build))
    return rows


def _services(life: Life) -> list[str]:
    return sorted({service for operation in life.operations for service in operation.images})


def _changes(life: Life, service: str) -> Iterator[Change]:
    places: list[Place] = []
    for operation in life.operations:
        if service not in operation.images or operation.kind == "dry_run":
            continue
        version = operation.images[service].rpartition(":")[2]
        place = _next_place(places, version, operation) if operation.is_live else None
        before = places[-1] if places else None
        change = Change(operation, service, version, before.version if before else None, "none", place)
        change.word = _word(operation, before, version, place)
        if change.word == "rollback" and place is not None:
            change.undone = _undone(places, place)
            for one in change.undone:
                one.undone_by = one.undone_by or operation
        if place is not None:
            if before is not None:
                before.replaced_at = operation.started_at
            places.append(place)
        yield change


def _next_place(places: list[Place], version: str, operation: Operation) -> Place | None:
    """Return the place that a version takes; None where it was live already."""
    if places and places[-1].version == version:
        return None
    number = len(places) + 1
    last = next((one for one in reversed(places) if one.version == version), None)
    if last is None or last.replaced_at is None or number - last.number > _LOOK_BACK_POSITIONS:
        return Place(version, number, number, operation)
    is_old = operation.started_at > last.replaced_at + _LOOK_BACK_SECONDS
    return Place(version, number, number if is_old else last.first, operation)


def _word(operation: Operation, before: Place | None, version: str, place: Place | None) -> str:
    is_full = operation.kind == "full"
    if not operation.is_live and (operation.status not in ("failed", "error") or not is_full):
        return "none"
    if before is None:
        return "first"
    if version == before.version:
        return "resync" if is_full else "none"
    return "rollback" if place is not None and place.first < min(place.number, before.first) else "forward"


def _undone(places: list[Place], restored: Place) -> list[Place]:
    """Return the places of what was live since the restored version was, and newer than it."""
    last = next(one for one in reversed(places) if one.version == restored.version)
    return [one for one in places if one.number > last.number and restored.first < one.first <= places[-1].first]


def _was_aborted(life: Life, back: list[Change]) -> bool:
    """Whether all that an operation undoes had been brought by what a Rollout went back from, and stayed so."""
    undone = [place.brought_by for change in back for place in change.undone]
    aborted = [one.operation for one in life.aborts if one.at <= back[0].operation.started_at]
    return bool(undone) and all(operation in aborted for operation in undone)


def _rolled(operation: Operation, back: list[Change]) -> Rolled:
    first = min((place.brought_by for change in back for place in change.undone[:1]), key=lambda one: one.started_at)
    return Rolled(
        operation.application,
        operation.started_at,
        tuple(sorted(change.service for change in back)),
        "argocd" if operation.is_asked_rollback else "revert",
        None,
        max(len({place.version for place in change.undone}) for change in back),
        first.finished_at,
        operation.there_at,
    )


def _aborted(abort: Abortion) -> Rolled:
    kind, services = "rollout_abort", (abort.service,)
    return Rolled(abort.application, abort.at, services, kind, abort.cause, 1, abort.began_at, abort.at)


def _deployment(delivered: Delivered, operation: Operation) -> Row:
    changes = [one for one in delivered.changes if one.operation is operation]
    word = _words({one.word for one in changes})
    has_gone_back = word in ("rollback", "mixed") or operation in delivered.rollbacks
    return {
        "application": operation.application,
        "started_at": written(operation.started_at),
        "finished_at": _moment(operation.finished_at),
        "status": operation.status if operation.status != "terminating" else "open",
        "kind": operation.kind,
        "trigger": "rollback" if operation.is_asked_rollback and has_gone_back else operation.trigger,
        "initiated_by": operation.initiated_by,
        "attempt_count": operation.attempt_count,
        "revision": operation.revision,
        "version_before": _joined({one.service: one.version_before for one in changes}),
        "version": _joined({one.service: one.version for one in changes}),
        "change": word,
        "is_deployment": any(one.is_deployment for one in changes),
        "is_live": operation.is_live,
        "healthy_at": _moment(operation.healthy_at),
    }


def _words(words: set[str]) -> str:
    """Return where services went together."""
    if {"rollback", "forward"} <= words:
        return "mixed"
    return next((word for word in ("rollback", "forward", "first", "resync") if word in words), "none")


def _joined(versions: dict[str, str | None]) -> str | None:
    """Return the version of all services, or that of each where they differ."""
    if len(set(versions.values())) <= 1:
        return next(iter(versions.values()), None)
    return ", ".join(f"{service}:{version}" for service, version in sorted(versions.items()))


def _service(delivered: Delivered, change: Change) -> Row:
    failure, failed_at, restored_at = _failure(delivered, change)
    return {
        "application": change.operation.application,
        "environment": _environment(change.operation.application),
        "service": change.service,
        "started_at": written(change.operation.started_at),
        "status": change.operation.status,
        "version_before": change.version_before,
        "version": change.version,
        "change": change.word,
        "failure": failure,
        "failed_at": _moment(failed_at),
        "restored_at": _moment(restored_at if restored_at and failed_at and restored_at >= failed_at else None),
    }


def _failure(delivered: Delivered, change: Change) -> tuple[str | None, int | None, int | None]:
    """Return how a deployment failed, when, and when a version that held was there again."""
    operation = change.operation
    if operation.status not in _DECIDED:
        return None, None, None
    undone_by = change.place.undone_by if change.place else None
    undone_at = undone_by.there_at if undone_by else None
    if operation.status != "succeeded":
        return operation.status, operation.finished_at, undone_at or _next_there(delivered, change, resyncs=True)
    if change.abort is not None:
        return "aborted", change.abort.began_at, change.abort.at
    if undone_by is not None:
        return "rolled_back", operation.finished_at, undone_at
    if operation.degraded_at is not None:
        recovered_at = operation.recovered_at or _next_there(delivered, change, resyncs=False)
        return "degraded", operation.degraded_at, recovered_at
    return None, None, None


def _next_there(delivered: Delivered, change: Change, *, resyncs: bool) -> int | None:
    """Return when a later version was there; with `resyncs` also when one that was live was synced again."""
    there = [
        one.operation.there_at
        for one in delivered.changes
        if one.service == change.service
        and one.operation.started_at > change.operation.started_at
        and one.operation.status == "succeeded"
        and (one.is_deployment or (resyncs and one.word == "resync"))
    ]
    return min((at for at in there if at is not None), default=None)


def _builds(runs: Iterable[Run]) -> Iterator[tuple[str, tuple[Run, Job]]]:
    """Yield for each commit on main the run that it started and the job that first wrote its images into manifests."""
    for run in runs:
        jobs = [job for attempt in run.attempts for job in attempt.jobs]
        done = [job for job in jobs if job.name == "update-manifests" and job.conclusion == "success"]
        if done and run.trigger.branch == "main":
            yield run.trigger.commit.sha, (run, done[0])


def _lead_time(change: Change, run: Run, job: Job) -> Row:
    operation, commit = change.operation, run.trigger.commit
    there_at = operation.there_at or 0
    return {
        "service": change.service,
        "environment": _environment(operation.application),
        "sha": commit.sha,
        "pull_request": int(run.trigger.title.rpartition("#")[2].rstrip(")")),
        "committed_at": written(commit.at),
        "merged_at": written(commit.at),  # all that comes to main is a merge, which makes the commit
        "built_at": written(job.completed_at),
        "started_at": written(operation.started_at),
        "deployed_at": _moment(operation.finished_at),
        "healthy_at": _moment(operation.healthy_at),
        "lead_time_seconds": there_at - commit.at,
    }


def _environment(application: str) -> str:
    return application.rpartition("-")[2]


def _moment(at: int | None) -> str | None:
    return None if at is None else written(at)
