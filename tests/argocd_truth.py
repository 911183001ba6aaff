"""What happened at Argo CD, worked out from the actions alone, and what those who looked at it can know.

A second opinion on the simulated cluster, on collection and on the SQL: nothing of theirs is used but the vocabulary of
actions. A `Life` is what one application's name went through. A `Look` is what was collected at a moment: a list of
applications, the events of some, or what a stream told. `Known` is what looks and notifications tell of a life, and the
rows that follow from it. What the sources do not allow to know:

- Of an operation that only an event tells: the start is that of its request, or else its end; an error is a failure;
  who asked is known if the event of the request was read, which ApplicationSets and bare patches do not leave; a dry
  run looks like a full sync, unless the history has no place for one; several sources have no revision.
- Of one whose end only the history or an event of success tells: how many attempts it took.
- Of one that was seen under way and whose end nothing tells: how it ended. It counts as vanished.
- Of one that nothing tells: anything. Those between two entries of the history are counted by their ids.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from phoenix_metrics.demo.argocd import actions
from phoenix_metrics.demo.argocd.actions import Action, Create, Outcome

EVENTS_KEPT = 3600  # seconds
ENDS = {"Succeeded": "succeeded", "Failed": "failed", "Error": "error"}
Row = dict[str, Any]


@dataclass(eq=False)
class Operation:
    """One operation: what was asked for, and how it went."""

    application: str
    incarnation: int
    spell: int  # of the history, which a lost status begins anew
    requested_at: int
    started_at: int
    outcome: Outcome
    kind: str
    trigger: str
    initiated_by: str | None
    revisions: tuple[str, ...]
    is_local: bool = False
    is_announced: bool = True  # whether an event tells of the request
    rollback_to: int | None = None
    finished_at: int | None = None
    status: str | None = None
    retry_count: int = 0
    has_result: bool = False  # whether its state names the revision that it came to
    history_id: int | None = None

    @property
    def revision(self) -> str:
        """All its revisions in one."""
        return "+".join(self.revisions)

    @property
    def is_automated(self) -> bool:
        """Whether Argo CD itself asked for it, which the event of the request says."""
        return self.trigger in ("auto_sync", "appset")


@dataclass(frozen=True)
class Glimpse:
    """What an application shows for a while."""

    incarnation: int
    history: tuple[Operation, ...] = ()
    operation: Operation | None = None
    is_ended: bool = False
    retry_count: int = 0
    is_blocked: bool = False


@dataclass(frozen=True)
class Step:
    """A step of an operation: blocked, trying, waiting, or how it ends."""

    at: int
    word: str
    retry_count: int = 0


def steps(operation: Operation) -> Iterator[Step]:
    """Yield how an operation goes on if nobody interferes."""
    outcome, at = operation.outcome, operation.started_at
    if outcome.blocked_seconds:
        yield Step(at, "blocked")
        at += outcome.blocked_seconds
    for number in range(outcome.failed_attempts):
        yield Step(at, "trying", number)
        at += outcome.seconds
        yield Step(at, "waiting", number + 1)
        at += outcome.retry_seconds
    yield Step(at, "trying", outcome.failed_attempts)
    yield Step(at + outcome.seconds, ENDS[outcome.phase], outcome.failed_attempts)


class Life:
    """What an application's name went through, played action by action."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: list[Operation] = []
        self.glimpses: list[tuple[int, Glimpse | None]] = []  # what it shows from when on; None while it does not exist
        self._created: Create | None = None
        self._incarnation = 0
        self._spell = 0
        self._history: tuple[Operation, ...] = ()
        self._revisions: tuple[str, ...] = ()
        self._is_automated = False
        self._under_way: Operation | None = None
        self._plan: list[Step] = []

    def play(self, action: Action) -> None:
        """Let an action happen, unless Argo CD would refuse it."""
        self.settle(action.at)
        if isinstance(action, Create):
            self._create(action)
        elif self._created is not None and type(action) in _VERBS:
            _VERBS[type(action)](self, action)

    def settle(self, at: int) -> None:
        """Let what follows by itself happen, up to and including a second."""
        while self._plan and self._plan[0].at <= at:
            self._step(self._plan.pop(0))

    def shown_at(self, at: int) -> Glimpse | None:
        """Return what it shows at the end of a second."""
        return next((glimpse for since, glimpse in reversed(self.glimpses) if since <= at), None)

    def _create(self, action: Create) -> None:
        if self._created is None:
            self._created, self._is_automated, self._history = action, action.is_automated, ()
            self._incarnation += 1
            self._show(action.at)

    def _delete(self, action: actions.Delete) -> None:
        self._created, self._under_way, self._plan = None, None, []
        self.glimpses.append((action.at, None))

    def _commit(self, action: actions.Commit) -> None:
        self._revisions = action.revisions

    def _configure(self, action: actions.Configure) -> None:
        if action.is_automated is not None:
            self._is_automated = action.is_automated

    def _lose_status(self, action: actions.LoseStatus) -> None:
        self._under_way, self._plan, self._history = None, [], ()
        self._spell += 1
        self._show(action.at)

    def _sync(self, action: actions.Sync) -> None:
        trigger, initiated_by = _asked_by(action)
        self._request(
            action,
            kind="full" if action.kind == "local" else action.kind,
            trigger=trigger,
            initiated_by=initiated_by,
            revisions=self._revisions,
            is_local=action.kind == "local",
            is_announced=not (action.is_anonymous or action.is_appset),
        )

    def _roll_back(self, action: actions.Rollback) -> None:
        entry = next((one for one in self._history if one.history_id == action.history_id), None)
        if entry is not None and not self._is_automated:
            asked = {"kind": "full", "trigger": "user", "initiated_by": action.by, "rollback_to": action.history_id}
            self._request(action, revisions=entry.revisions, **asked)

    def _request(self, action: actions.Sync | actions.Rollback, **asked: Any) -> None:
        if self._under_way is not None:
            return
        starts_at = action.at + action.starts_after
        place = (self.name, self._incarnation, self._spell)
        operation = Operation(*place, action.at, starts_at, action.outcome, **asked)
        self.operations.append(operation)
        self._under_way, self._plan = operation, list(steps(operation))
        self._show(action.at)

    def _terminate(self, action: actions.Terminate) -> None:
        operation = self._under_way
        if operation is not None and operation.started_at <= action.at:
            self._plan = [Step(action.at + 1, "cancelled", operation.retry_count)]
            self._show(action.at, operation=operation, retry_count=operation.retry_count)

    def _step(self, step: Step) -> None:
        operation = self._under_way
        assert operation is not None
        operation.retry_count = step.retry_count
        is_ended = step.word in (*ENDS.values(), "cancelled")
        if is_ended:
            operation.finished_at, operation.status, self._under_way = step.at, step.word, None
        else:
            operation.has_result = step.word == "trying" and operation.outcome.phase != "Error"
        if step.word == "succeeded" and operation.kind == "full":
            self._remember(operation)
        is_blocked = step.word == "blocked"
        self._show(step.at, operation=operation, is_ended=is_ended, retry_count=step.retry_count, is_blocked=is_blocked)

    def _remember(self, operation: Operation) -> None:
        assert self._created is not None
        limit, last = self._created.history_limit, self._history[-1].history_id if self._history else None
        operation.history_id = 0 if last is None else last + 1
        self._history = (*self._history, operation)[-limit:] if limit else ()

    def _show(self, at: int, **shown: Any) -> None:
        self.glimpses.append((at, Glimpse(self._incarnation, self._history, **shown)))


_VERBS: dict[type, Callable[[Life, Any], None]] = {
    actions.Delete: Life._delete,
    actions.Commit: Life._commit,
    actions.Configure: Life._configure,
    actions.LoseStatus: Life._lose_status,
    actions.Sync: Life._sync,
    actions.Rollback: Life._roll_back,
    actions.Terminate: Life._terminate,
}


def lives(story: Iterable[Action], now: int) -> dict[str, Life]:
    """Return what each application of a story went through up to now."""
    found: dict[str, Life] = {}
    for action in sorted(story, key=lambda one: one.at):
        found.setdefault(action.name, Life(action.name)).play(action)
    for life in found.values():
        life.settle(now)
    return found


def _asked_by(sync: actions.Sync) -> tuple[str, str | None]:
    if sync.is_anonymous:
        return "unknown", None
    if sync.is_appset:
        return "appset", "applicationset-controller"
    return ("user", sync.by) if sync.by else ("auto_sync", None)


@dataclass(frozen=True)
class Look:
    """What was collected: all applications as they were at `until`, or else all changes after `since`."""

    until: int
    since: int | None = None
    tells_present: bool = True
    tells_absent: bool = True
    events_of: frozenset[str] = frozenset()  # applications whose events were read
    is_complete: bool = False  # whether it was a pass that came to its end

    def glimpses(self, life: Life) -> list[Glimpse | None]:
        """Return what it shows of a life, in order."""
        if self.since is None:
            return [life.shown_at(self.until)]
        return [glimpse for at, glimpse in life.glimpses if self.since < at <= self.until]


@dataclass
class Known:
    """What looks and notifications tell of a life."""

    life: Life
    is_listed: bool = False  # whether any look has shown it
    last: Glimpse | None = None  # as it was shown last; None where it was gone then
    newest: Glimpse | None = None  # as it was shown last while it was there
    glimpses: dict[Operation, list[Glimpse]] = field(default_factory=dict)
    recorded: set[Operation] = field(default_factory=set)  # seen in a history
    requests: set[Operation] = field(default_factory=set)  # an event of the request was read
    ends: set[Operation] = field(default_factory=set)  # an event of the end was read
    notified: set[Operation] = field(default_factory=set)

    def see(self, look: Look) -> None:
        """Take in a look."""
        for glimpse in look.glimpses(self.life):
            if glimpse is None and self.is_listed and look.tells_absent:
                self.last = None
            elif glimpse is not None and look.tells_present:
                self.is_listed, self.last, self.newest = True, glimpse, glimpse
                self.recorded.update(glimpse.history)
                if glimpse.operation is not None:
                    self.glimpses.setdefault(glimpse.operation, []).append(glimpse)
        if self.life.name in look.events_of:
            self._read_events(look.until)

    def _read_events(self, now: int) -> None:
        shown = self.life.shown_at(now)
        for one in self.life.operations:
            if shown is not None and one.incarnation == shown.incarnation:
                if one.is_announced and now - EVENTS_KEPT < one.requested_at <= now:
                    self.requests.add(one)
                if one.finished_at is not None and now - EVENTS_KEPT < one.finished_at <= now:
                    self.ends.add(one)

    def has_state(self, one: Operation) -> bool:
        """Whether a state of an operation was seen."""
        return one in self.glimpses or one in self.notified

    def has_end_state(self, one: Operation) -> bool:
        """Whether the final state of an operation was seen."""
        return one in self.notified or any(glimpse.is_ended for glimpse in self.glimpses.get(one, []))

    def has_end(self, one: Operation) -> bool:
        """Whether anything tells of an operation's end."""
        return self.has_end_state(one) or one in self.recorded or one in self.ends

    def is_here(self, one: Operation) -> bool:
        """Whether anything tells that an operation was carried out."""
        return self.has_state(one) or self.has_end(one)

    def is_by_event_only(self, one: Operation) -> bool:
        """Whether an operation is known by nothing but the event of its end."""
        return one in self.ends and not self.has_state(one) and one not in self.recorded

    def rows(self) -> list[Row]:
        """Return the operations that must be in the table, with what can be known of each."""
        return [self._row(one) for one in self.life.operations if self.is_here(one)]

    def _row(self, one: Operation) -> Row:
        told = self._by_event(one) if self.is_by_event_only(one) else self._by_state(one)
        return {
            "application": one.application,
            "finished_at": one.finished_at if self.has_end(one) else None,
            "status": self._status(one),
            "attempt_count": self._attempts(one),
            "is_blocked": any(glimpse.is_blocked for glimpse in self.glimpses.get(one, [])),
            "history_id": one.history_id if one in self.recorded else None,
            "rollback_to": one.rollback_to if one in self.requests else None,
            "seen_as": self._seen_as(one),
            **told,
        }

    def _by_state(self, one: Operation) -> Row:
        return {
            "started_at": one.started_at,
            "kind": one.kind,
            "trigger": one.trigger,
            "initiated_by": one.initiated_by,
            "revision": one.revision,
            "is_local": one.is_local and self.has_state(one),
        }

    def _by_event(self, one: Operation) -> Row:
        is_requested = one in self.requests
        return {
            "started_at": one.requested_at if is_requested else one.finished_at,
            "kind": self._kind_by_event(one),
            "trigger": one.trigger if is_requested else "unknown",
            "initiated_by": one.initiated_by if is_requested else None,
            "revision": one.revision if one.has_result and len(one.revisions) == 1 else None,
            "is_local": False,
        }

    def _kind_by_event(self, one: Operation) -> str:
        if one.kind in ("partial", "self_heal"):
            return "self_heal" if one.is_automated and one in self.requests else "partial"
        return "dry_run" if one.status == "succeeded" and self._is_between_neighbours(one) else "full"

    def _is_between_neighbours(self, one: Operation) -> bool:
        """Whether the history has no place for an operation between two entries that were seen."""
        return any(
            before.finished_at < one.finished_at < after.finished_at and after.history_id == before.history_id + 1
            for before, after in self._entry_pairs(one.incarnation)
        )

    def _status(self, one: Operation) -> str:
        if self.has_end_state(one):
            return str(one.status)
        if self.has_end(one):
            return "failed" if one.status == "error" else str(one.status)
        is_overtaken = any(
            other.incarnation == one.incarnation and other.started_at > one.started_at and self.is_here(other)
            for other in self.life.operations
        )
        return "open" if self.last is not None and self.last.operation is one and not is_overtaken else "unknown"

    def _attempts(self, one: Operation) -> int | None:
        if self.has_end_state(one):
            return one.retry_count + 1
        if one in self.recorded:
            return None
        if one in self.ends:
            is_known = one.status != "succeeded" and (one.retry_count > 0 or one in self.glimpses)
            return one.retry_count + 1 if is_known else None
        return 1 + max(glimpse.retry_count for glimpse in self.glimpses[one])

    def _seen_as(self, one: Operation) -> list[str]:
        ways = {"state": self.has_state(one), "history": one in self.recorded, "event": one in self.ends}
        return [name for name, is_seen in ways.items() if is_seen]

    def _entry_pairs(self, incarnation: int) -> Iterator[tuple[Operation, Operation]]:
        """Yield each entry of the history that was seen with the next one, in the order of time."""
        return pairwise(one for one in self.life.operations if one in self.recorded and one.incarnation == incarnation)

    def summary(self) -> Row:
        """Return the application's row: what is there of it, and what is counted as lost."""
        rows = self.rows()
        pairs = [pair for number in sorted(self._incarnations()) for pair in self._entry_pairs(number)]
        return {
            "application": self.life.name,
            "state": "deleted" if self.is_listed and self.last is None else "seen",
            "incarnation_count": len(self._incarnations()),
            "operation_count": len(rows),
            "missing_count": sum(self._lost_between(*pair) for pair in pairs),
            "unknown_gap_count": sum(before.spell != after.spell for before, after in pairs),
            "vanished_count": sum(row["status"] == "unknown" for row in rows),
        }

    def _incarnations(self) -> set[int]:
        known = {one.incarnation for one in self.life.operations if self.is_here(one)}
        return known | ({self.newest.incarnation} if self.newest else set())

    def _lost_between(self, before: Operation, after: Operation) -> int:
        """Return how many entries nothing tells of; a dry run that looks like a full sync hides one of them."""
        if before.spell != after.spell:
            return 0
        between = [
            one
            for one in self.life.operations
            if one.incarnation == before.incarnation
            and one.status == "succeeded"
            and before.finished_at < one.finished_at < after.finished_at
        ]
        lost = sum(one.kind == "full" and not self.is_here(one) for one in between)
        disguised = sum(one.kind == "dry_run" and self.is_by_event_only(one) for one in between)
        return max(0, lost - disguised) if after.history_id > before.history_id + 1 else 0

    def is_doubtful(self) -> bool:
        """Whether what was collected has a simpler explanation than the truth, which the tables then tell instead."""
        return self._hides_a_loss() or self._takes_an_end_for_anothers()

    def _hides_a_loss(self) -> bool:
        """Whether the ids went past the old ones after the status was lost, before anybody looked."""
        return any(
            before.spell != after.spell and after.history_id > before.history_id
            for number in self._incarnations()
            for before, after in self._entry_pairs(number)
        )

    def _takes_an_end_for_anothers(self) -> bool:
        """Whether an end that only its event tells follows right upon the request of another operation."""
        told = [(one.incarnation, one.requested_at, 0, one) for one in self.requests]
        told += [(one.incarnation, one.finished_at, 1, one) for one in self.ends]
        told.sort(key=lambda event: event[:3])
        return any(
            (before[2], after[2]) == (0, 1)
            and before[0] == after[0]
            and before[3] is not after[3]
            and not (self.has_end_state(after[3]) or after[3] in self.recorded)
            for before, after in pairwise(told)
        )


def known_of(life: Life, looks: Iterable[Look], notified: Iterable[Operation]) -> Known:
    """Return what is known of a life after looks, in their order, and notifications."""
    known = Known(life, notified={one for one in notified if one.application == life.name})
    for look in looks:
        known.see(look)
    return known
