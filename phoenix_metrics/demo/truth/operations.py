"""Operations of Argo CD and the health that followed them, played from the actions of the story alone.

A second opinion on the cluster (`argocd/cluster.py`): of it nothing is used but the vocabulary of actions.
"""

import functools
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from phoenix_metrics.demo.argocd.actions import (
    Abort,
    Action,
    Commit,
    Configure,
    Create,
    Degrade,
    Images,
    Outcome,
    Promote,
    RetryRollout,
    Rollback,
    SetImage,
    Sync,
    Terminate,
)

_STATUS = {"Succeeded": "succeeded", "Failed": "failed", "Error": "error"}
_CAUSES = {"Failed": "analysis_failed", "Error": "analysis_error"}
_SETTLES_AFTER = 30  # seconds until pods of a template that changed outside Argo CD are there
_CONSEQUENCE, _ACTION = 0, 1


@dataclass(eq=False)
class Operation:
    """One operation that the controller took: what was asked for, what it brought, how it ended, what followed."""

    application: str
    started_at: int
    kind: str
    trigger: str
    initiated_by: str | None
    revision: str
    images: Images  # of the services that it applies, or was to apply
    outcome: Outcome
    is_asked_rollback: bool = False
    attempt_count: int = 1
    is_applied: bool = False
    has_changed: bool = False  # whether any workload got another image by it
    finished_at: int | None = None
    status: str = "open"
    healthy_at: int | None = None
    degraded_at: int | None = None
    recovered_at: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether what it brought ran: it succeeded, or failed after its workloads were applied."""
        return self.is_applied and self.finished_at is not None

    @property
    def there_at(self) -> int | None:
        """When the application was healthy with it, else when it ended."""
        return self.healthy_at if self.healthy_at is not None else self.finished_at


@dataclass(frozen=True)
class Abortion:
    """A Rollout that went back to its stable version by itself or by hand."""

    application: str
    service: str
    at: int
    operation: Operation
    began_at: int  # the analysis that judged it, else the Rollout
    cause: str


@dataclass
class Template:
    """What a workload is to run, and what it ran last when all was well."""

    image: str
    since: int
    brought_by: Operation | None
    stable: str | None = None
    is_aborted: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether all its pods are of its template."""
        return self.stable == self.image


@dataclass
class Life:
    """What one application went through."""

    created: Create
    is_automated: bool
    revision: str = ""
    git: Images = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    history: list[Operation] = field(default_factory=list)  # by the number of the entry
    aborts: list[Abortion] = field(default_factory=list)
    health: list[tuple[int, str]] = field(default_factory=list)  # from when on it was what
    under_way: Operation | None = None
    is_requested: bool = False
    plan: int = 0  # grows when what was foreseen of health no longer holds


class Player:
    """Plays a story in the order of its times; of one second consequences come before new actions."""

    def __init__(self, story: Iterable[Action]) -> None:
        self.lives: dict[str, Life] = {}
        self._planned: list[tuple[int, int, int, Callable[[int], None]]] = []
        self._numbers = count()
        for action in sorted(story, key=lambda one: one.at):
            self._plan(action.at, _ACTION, functools.partial(self._do, action))

    def play(self, until: int) -> dict[str, Life]:
        """Let everything happen up to and including a second; return the lives of the applications by name."""
        while self._planned and self._planned[0][0] <= until:
            at, _, _, effect = heapq.heappop(self._planned)
            effect(at)
        for life in self.lives.values():
            _follow_health(life, until)
        return self.lives

    def _plan(self, at: int, rank: int, effect: Callable[[int], None]) -> None:
        heapq.heappush(self._planned, (at, rank, next(self._numbers), effect))

    def _follow(self, at: int, effect: Callable[[int], None]) -> None:
        self._plan(at, _CONSEQUENCE, effect)

    def _do(self, action: Action, _: int) -> None:
        if isinstance(action, Create):
            self.lives[action.name] = Life(action, action.is_automated, health=[(action.at, "Missing")])
        elif type(action) not in _VERBS:
            raise ValueError(f"the truth does not know what follows from {type(action).__name__}")
        else:
            _VERBS[type(action)](self, self.lives[action.name], action)

    def _commit(self, life: Life, action: Commit) -> None:
        life.revision, life.git = "+".join(action.revisions), dict(action.images)

    def _configure(self, life: Life, action: Configure) -> None:
        if action.is_automated is not None:
            life.is_automated = action.is_automated

    def _sync(self, life: Life, action: Sync) -> None:
        if not life.is_requested:
            trigger, by = _asked_by(action)
            kind = "full" if action.kind == "local" else action.kind
            images, started_at = _asked_images(life, action), action.at + action.starts_after
            asked = Operation(action.name, started_at, kind, trigger, by, life.revision, images, action.outcome)
            self._carry_out(life, asked)

    def _roll_back(self, life: Life, action: Rollback) -> None:
        oldest = max(0, len(life.history) - life.created.history_limit)
        if life.is_requested or life.is_automated or not oldest <= action.history_id < len(life.history):
            return
        entry, started_at = life.history[action.history_id], action.at + action.starts_after
        asked = Operation(
            action.name, started_at, "full", "user", action.by, entry.revision, entry.images, action.outcome
        )
        asked.is_asked_rollback = True
        self._carry_out(life, asked)

    def _carry_out(self, life: Life, operation: Operation) -> None:
        """Plan the start, the attempts and the end of an operation."""
        outcome, at = operation.outcome, operation.started_at
        life.is_requested = True

        def start(_: int) -> None:
            life.operations.append(operation)
            life.under_way = operation

        def try_again(_: int) -> None:
            operation.attempt_count += 1

        self._follow(at, start)
        at += outcome.blocked_seconds
        for _ in range(outcome.failed_attempts):
            self._while(life, operation, at + outcome.seconds, try_again)
            at += outcome.seconds + outcome.retry_seconds
        self._while(life, operation, at, lambda moment: _apply(life, operation, moment))
        status = _STATUS[outcome.phase]
        self._while(life, operation, at + outcome.seconds, lambda moment: self._end(life, operation, moment, status))

    def _while(self, life: Life, operation: Operation, at: int, effect: Callable[[int], Any]) -> None:
        """Plan a step of an operation, which is taken only where that operation is still under way."""

        def step(moment: int) -> None:
            if life.under_way is operation and operation.status == "open":
                effect(moment)

        self._follow(at, step)

    def _terminate(self, life: Life, action: Terminate) -> None:
        operation = life.under_way
        if operation is not None:
            operation.status = "terminating"
            self._follow(action.at + 1, lambda at: self._end(life, operation, at, "cancelled"))

    def _end(self, life: Life, operation: Operation, at: int, status: str) -> None:
        operation.finished_at, operation.status = at, status
        life.under_way, life.is_requested = None, False
        if status == "succeeded" and operation.kind == "full":
            life.history.append(operation)
        outcome = operation.outcome
        is_well = life.health[-1][1] == "Healthy" and outcome.degraded_after is None
        if operation.is_applied and (operation.has_changed or not is_well):
            self._foresee(life, at, outcome.healthy_after, outcome.degraded_after)

    def _foresee(self, life: Life, at: int, healthy_after: int | None, degraded_after: int | None) -> None:
        life.plan += 1
        plan = life.plan

        def recover(moment: int) -> None:
            if plan == life.plan:
                _recover(life, moment)

        def degrade(moment: int) -> None:
            if plan == life.plan:
                _become(life, "Degraded", moment)

        if healthy_after is not None:
            self._follow(at + healthy_after, recover)
        if degraded_after is not None:
            self._follow(at + degraded_after, degrade)

    def _set_image(self, life: Life, action: SetImage) -> None:
        template = life.templates.get(action.service)
        if template is not None and _retemplate(template, action.image, action.at, None):
            _become(life, "Progressing", action.at)
            self._foresee(life, action.at, _SETTLES_AFTER, None)

    def _promote(self, life: Life, action: Promote) -> None:
        template = life.templates.get(action.service)
        if template is None or template.is_settled or template.is_aborted:
            return
        template.stable = template.image
        _settle_deployments(life)
        if all(one.is_settled for one in life.templates.values()):
            life.plan += 1
            _become(life, "Healthy", action.at)

    def _abort(self, life: Life, action: Abort) -> None:
        template = life.templates.get(action.service)
        is_rollout = action.service in life.created.rollouts
        if template is None or not is_rollout or template.is_settled or template.is_aborted:
            return
        _settle_deployments(life)
        template.is_aborted = True
        life.plan += 1
        _become(life, "Degraded", action.at)
        if template.stable is not None and template.brought_by is not None:
            began_at, cause = template.since, "deadline" if action.is_deadline else "manual"
            if not action.is_deadline and action.analysis in _CAUSES:
                began_at, cause = max(began_at, action.at - action.analysis_seconds), _CAUSES[action.analysis]
            life.aborts.append(Abortion(action.name, action.service, action.at, template.brought_by, began_at, cause))

    def _retry(self, life: Life, action: RetryRollout) -> None:
        template = life.templates.get(action.service)
        if template is not None and template.is_aborted:
            template.is_aborted = False
            life.plan += 1
            _become(life, "Progressing", action.at)

    def _degrade(self, life: Life, action: Degrade) -> None:
        life.plan += 1
        if action.health == "Healthy":
            _recover(life, action.at)
        else:
            _become(life, action.health, action.at)


_VERBS: dict[type, Callable[[Player, Life, Any], None]] = {
    Abort: Player._abort,
    Commit: Player._commit,
    Configure: Player._configure,
    Degrade: Player._degrade,
    Promote: Player._promote,
    RetryRollout: Player._retry,
    Rollback: Player._roll_back,
    SetImage: Player._set_image,
    Sync: Player._sync,
    Terminate: Player._terminate,
}


def _asked_by(sync: Sync) -> tuple[str, str | None]:
    if sync.is_anonymous:
        return "unknown", None
    if sync.is_appset:
        return "appset", "applicationset-controller"
    return ("user", sync.by) if sync.by else ("auto_sync", None)


def _asked_images(life: Life, sync: Sync) -> Images:
    """Return the images that a Sync applies: Git's, of a part of them, or a user's own."""
    if sync.kind == "local":
        return {**life.git, **(sync.images or {})}
    if sync.kind not in ("partial", "self_heal"):
        return life.git
    drifted = [name for name, image in life.git.items() if _image_of(life, name) != image]
    wanted = [name for name in sync.images if name in life.git] if sync.images else drifted or list(life.git)[:1]
    return {name: life.git[name] for name in wanted}


def _image_of(life: Life, service: str) -> str | None:
    template = life.templates.get(service)
    return None if template is None else template.image


def _apply(life: Life, operation: Operation, at: int) -> None:
    """Give the workloads the operation's images, unless it fails before that or only pretends."""
    outcome = operation.outcome
    if outcome.phase == "Error" or operation.kind == "dry_run" or (outcome.phase == "Failed" and not outcome.applies):
        return
    operation.is_applied = True
    for service, image in operation.images.items():
        template = life.templates.get(service)
        if template is None:
            life.templates[service] = Template(image, at, operation)
            operation.has_changed = True
        else:
            operation.has_changed |= _retemplate(template, image, at, operation)
    if operation.kind == "full" and outcome.phase == "Succeeded" and not outcome.prune_skipped:
        life.templates = {name: one for name, one in life.templates.items() if name in operation.images}
    if operation.has_changed:
        life.plan += 1
        _become(life, "Progressing", at)


def _retemplate(template: Template, image: str, at: int, operation: Operation | None) -> bool:
    if template.image == image:
        return False
    template.image, template.since, template.brought_by, template.is_aborted = image, at, operation, False
    return True


def _settle_deployments(life: Life) -> None:
    """Let Deployments be done: by the time that a Rollout is decided on, they have long been."""
    for service, template in life.templates.items():
        if service not in life.created.rollouts:
            template.stable = template.image


def _recover(life: Life, at: int) -> None:
    for template in life.templates.values():
        if not template.is_aborted:
            template.stable = template.image
    if not any(template.is_aborted for template in life.templates.values()):
        _become(life, "Healthy", at)


def _become(life: Life, health: str, at: int) -> None:
    if life.health[-1][1] != health:
        life.health.append((at, health))


def _follow_health(life: Life, now: int) -> None:
    """Say of each operation when the application was healthy, or degraded for half an hour, before the next began."""
    for operation in life.operations:
        if operation.finished_at is None:
            continue
        later = [
            one.started_at for one in life.operations if one.started_at > operation.started_at and one.kind != "dry_run"
        ]
        until = min(later, default=now + 1)
        _follow_one(life, operation, until, now)


def _follow_one(life: Life, operation: Operation, until: int, now: int) -> None:
    end = operation.finished_at or 0
    before = [health for at, health in life.health if at < end]
    after = [(at, health) for at, health in life.health if end <= at]
    if before[-1:] == ["Healthy"] and not (after and after[0][0] == end):
        operation.healthy_at = end
    else:
        operation.healthy_at = next((at for at, health in after if health == "Healthy" and at < until), None)
    for at, health in after:
        again = next((moment for moment, became in life.health if moment > at and became == "Healthy"), None)
        if health == "Degraded" and at < until and min(again or now, now) - at >= 1_800 + (again is not None):
            operation.degraded_at, operation.recovered_at = at, again
            break
