"""The life of an operation: requested, taken, tried and tried again, ended; and what it leaves in the status.

argoproj/argo-cd, `controller/appcontroller.go` processRequestedAppOperation and `controller/sync.go` SyncAppState.
"""

from collections.abc import Callable
from dataclasses import replace

from phoenix_metrics.demo.argocd import operations
from phoenix_metrics.demo.argocd.agenda import Agenda, Effect
from phoenix_metrics.demo.argocd.application import Application, Json, Running, revisions_json
from phoenix_metrics.demo.argocd.health import Health
from phoenix_metrics.demo.argocd.journal import Journal
from phoenix_metrics.demo.argocd.versions import Version
from phoenix_metrics.demo.argocd.workloads import Workload, identity
from phoenix_metrics.demo.times import written

_TERMINATED = "Operation terminated"
_TIMED_OUT = "Operation terminated, triggered by controller sync timeout"
_ENDS_AFTER = 1  # seconds from terminating an operation to its end
_COMPARED_AFTER = 1  # seconds from an operation's end to the comparison that follows
_IN_HISTORY = ("full", "local", "rollback")


class Controller:
    """Takes operations and brings them to their end, one at a time for each application."""

    def __init__(self, agenda: Agenda, journal: Journal, health: Health, version: Version) -> None:
        self._agenda = agenda
        self._journal = journal
        self._health = health
        self._version = version

    def request(self, application: Application, running: Running, at: int, starts_after: int) -> None:
        """Put an operation into an application; what was told of the one before is erased."""
        application.running, application.operation, application.state = running, running.operation, None
        self._journal.record(application, at)
        self._while(application, running, at + starts_after, self._start)

    def terminate(self, application: Application, at: int, *, is_timeout: bool) -> None:
        """End the operation that is under way, whatever it is doing."""
        running = application.running
        if running is None or application.state is None:
            raise ValueError("there is no operation to terminate")
        application.state = {**application.state, "phase": "Terminating", "message": "operation is terminating"}
        application.state.pop("finishedAt", None)
        self._journal.record(application, at)
        application.running = ending = replace(running)  # nothing else is done for the one before
        text = _TIMED_OUT if is_timeout else _TERMINATED

        def end(application: Application, running: Running, moment: int) -> None:
            told = f"{text} (retried {running.retry_count} times)." if running.retry_count else text
            self._end(application, running, moment, "Failed", told)

        self._while(application, ending, at + _ENDS_AFTER, end)

    def _while(
        self, application: Application, running: Running, at: int, effect: Callable[[Application, Running, int], None]
    ) -> None:
        """Plan a step of an operation, which is taken only where that operation is still under way."""

        def step(moment: int) -> None:
            if application.running is running:
                effect(application, running, moment)

        planned: Effect = step
        self._agenda.follow(at, planned)

    def _start(self, application: Application, running: Running, at: int) -> None:
        running.started_at = at
        application.state = {"operation": running.operation, "phase": "Running", "startedAt": written(at)}
        if not running.outcome.blocked_seconds:
            self._try(application, running, at)
            return
        application.state["message"] = operations.BLOCKED
        self._journal.record(application, at)
        self._while(application, running, at + running.outcome.blocked_seconds, self._try)

    def _try(self, application: Application, running: Running, at: int) -> None:
        """Begin an attempt: the last one applies what the operation is for, those before it fail."""
        is_last = running.retry_count >= running.outcome.failed_attempts
        if is_last:
            self._apply(application, running, at)
        state: Json = {**(application.state or {}), "phase": "Running"}
        for key in ("finishedAt", "message"):
            state.pop(key, None)
        if running.retry_count:
            state["message"] = operations.RETRYING.format(number=running.retry_count)
        if running.outcome.phase != "Error":
            state["syncResult"] = self._result(application, running, "Running")
        application.state = state
        self._journal.record(application, at)
        following = self._finish if is_last else self._fail_attempt
        self._while(application, running, at + running.outcome.seconds, following)

    def _fail_attempt(self, application: Application, running: Running, at: int) -> None:
        """Wait for the next attempt: Running, though there is a time at which it finished."""
        running.retry_count += 1
        retry_at = at + running.outcome.retry_seconds
        text = operations.message(running, is_terminal=False)
        state = {
            **(application.state or {}),
            "finishedAt": written(at),
            "retryCount": running.retry_count,
            "message": operations.waiting(text, running.retry_count, retry_at),
        }
        state.pop("syncResult", None)
        application.state = state
        self._journal.record(application, at)
        self._while(application, running, retry_at, self._try)

    def _finish(self, application: Application, running: Running, at: int) -> None:
        self._end(application, running, at, running.outcome.phase, operations.message(running, is_terminal=True))

    def _end(self, application: Application, running: Running, at: int, phase: str, text: str) -> None:
        state: Json = {**(application.state or {}), "phase": phase, "finishedAt": written(at), "message": text}
        if "syncResult" in state:
            state["syncResult"] = self._result(application, running, phase)
        application.state, application.operation, application.running = state, None, None
        if phase == "Succeeded" and running.kind in _IN_HISTORY:
            self._remember(application, running, at)
        application.conditions = _conditions(running, phase, text, at)
        self._journal.record(application, at)
        self._tell_end(application, running, at)
        self._journal.complete(application, at)
        self._foresee_health(application, running, at)
        self._agenda.follow(at + _COMPARED_AFTER, lambda moment: self._compare(application, moment))

    def _compare(self, application: Application, at: int) -> None:
        if not application.is_deleted:
            self._health.compare(application, at)

    def _apply(self, application: Application, running: Running, at: int) -> None:
        """Give the workloads the operation's images, unless it fails before that or only pretends."""
        outcome = running.outcome
        is_refused = outcome.phase == "Error" or (outcome.phase == "Failed" and not outcome.applies)
        if is_refused or running.kind == "dry_run":
            return
        running.is_applied = True
        for service in running.services:
            image = running.desired.images.get(service)
            if image is not None:
                running.has_changed |= _workload(application, service, at).apply(image, at)
        if running.kind in _IN_HISTORY and outcome.phase == "Succeeded":
            _prune(application, running)
        if running.has_changed:
            self._health.supersede(application)
            self._health.become(application, "Progressing", at)

    def _foresee_health(self, application: Application, running: Running, at: int) -> None:
        outcome = running.outcome
        is_well = application.health["status"] == "Healthy" and outcome.degraded_after is None
        if running.is_applied and (running.has_changed or not is_well):
            self._health.foresee(application, at, outcome.healthy_after, outcome.degraded_after)

    def _result(self, application: Application, running: Running, phase: str) -> Json:
        return operations.result(application, running, self._version, phase)

    def _remember(self, application: Application, running: Running, at: int) -> None:
        """Append to the history, and cut it to its limit."""
        limit = application.created.history_limit
        number = application.history[-1]["id"] + 1 if application.history else 0
        entry: Json = {
            **revisions_json(running.desired.revisions),
            **running.sources,
            "id": number,
            "deployStartedAt": written(running.started_at),
            "deployedAt": written(at),
            "initiatedBy": running.operation["initiatedBy"],
        }
        application.history = (*application.history, entry)[-limit:] if limit else ()
        application.images_of[number] = running.desired.images
        kept = {known["id"] for known in application.history}
        application.images_of = {known: images for known, images in application.images_of.items() if known in kept}

    def _tell_end(self, application: Application, running: Running, at: int) -> None:
        state = application.state or {}
        is_partial = bool(running.operation["sync"].get("resources"))
        words = ["Partial sync operation" if is_partial else "Sync operation"]
        if "syncResult" in state:
            words += ["to", state["syncResult"].get("revision", "")]
        is_good = state["phase"] == "Succeeded"
        words += ["succeeded"] if is_good else ["failed:", state["message"]]
        self._journal.tell(application, at, "OperationCompleted", " ".join(words), is_warning=not is_good)


def _workload(application: Application, service: str, at: int) -> Workload:
    """Return a service's workload, made where there is none."""
    if service not in application.workloads:
        namespace = application.destination_namespace
        uid = identity(application.uid, "Workload", service, at)
        is_rollout = service in application.created.rollouts
        application.workloads[service] = Workload(service, namespace, is_rollout, uid, at)
    return application.workloads[service]


def _prune(application: Application, running: Running) -> None:
    gone = set(application.workloads) - set(running.desired.images)
    application.is_pruning_due = running.outcome.prune_skipped
    if not running.outcome.prune_skipped:
        for service in gone:
            del application.workloads[service]


def _conditions(running: Running, phase: str, text: str, at: int) -> tuple[Json, ...]:
    """Return the condition that an automated operation leaves when it fails: that revision is not tried again."""
    if phase == "Succeeded" or not running.operation["initiatedBy"].get("automated"):
        return ()
    tried = " ".join(running.desired.revisions)
    told = f"Failed last sync attempt to [{tried}]: {text}"
    return ({"type": "SyncError", "message": told, "lastTransitionTime": written(at)},)
