"""Episodes: what becomes of the verdicts of alerting rules over time, as Prometheus has it, evaluated at each pass.

    pending ──held for `for`──> firing ──not breached──> (kept for `keep_firing_for`) ──> resolved
       └──not breached──> dropped               └──breached again──> firing, as if nothing had been

Two things Prometheus does not know. While what a rule rests on is not read (a stale source), its episodes are frozen:
they neither open nor close, and that time does not count as held or kept. Nor does a pause of over two hours between
two evaluations, in which nobody looked; Prometheus, too, leaves its own downtime out.

Nothing here reads a clock, a store or a setting: the same evaluation gives the same episodes, however often it is made.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

INTERVAL = timedelta(
    seconds=30
)  # what is open is looked at again after that at the earliest: webhooks bring many passes
LONGEST_GAP = timedelta(hours=2)  # the longest pause between two passes that PHOENIX_POLL_MINUTES allows is one hour

State = Literal["pending", "firing", "resolved", "dropped"]


@dataclass(frozen=True)
class Condition:
    """What a rule says of one subject: its figure and limit, whether it is breached, and what it is about.

    `hold` is Prometheus's `for`, `keep` its `keep_firing_for`. `rests_on` names what must be read for a verdict. Labels
    are those that Prometheus's alert has.
    """

    rule: str
    subject: str
    is_breached: bool
    threshold: float
    value: float | None = None
    sample_count: int | None = None
    hold: timedelta = timedelta(0)
    keep: timedelta = timedelta(0)
    rests_on: str | None = None
    team: str | None = None
    note: str | None = None
    evidence_urls: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Silence:
    """What is not told until a moment: rules and subjects by globs."""

    rule: str
    subject: str
    until: datetime
    reason: str = ""

    def covers(self, condition: Condition, at: datetime) -> bool:
        """Whether it keeps a subject's alert silent at a moment."""
        matches = fnmatchcase(condition.rule, self.rule) and fnmatchcase(condition.subject, self.subject)
        return matches and at < self.until


@dataclass(frozen=True)
class Episode:
    """One episode of a rule and a subject, from the first breach on.

    `seen` is what the rule said when it was last breached. `held_since` and `cleared_since` are when it was last found
    breached after it had not been, and the other way round, moved on by the time that does not count. `due_at` is the
    first moment at which it fired and was not silenced: from then on it is to be told.
    """

    state: State
    seen: Condition
    started_at: datetime
    held_since: datetime
    updated_at: datetime
    fired_at: datetime | None = None
    cleared_since: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    silenced_until: datetime | None = None
    silence_reason: str | None = None
    is_frozen: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its rule and subject, of which one episode at most is open."""
        return self.seen.rule, self.seen.subject

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("resolved", "dropped")

    @property
    def alert_id(self) -> str:
        """Return the id of the episode: made of what began it, so that it is the same whoever works it out again."""
        text = "\n".join((*self.key, self.started_at.isoformat()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def evaluate(
    newest: Iterable[Episode],
    conditions: Iterable[Condition],
    at: datetime,
    *,
    stale: Set[str] = frozenset(),
    silences: Sequence[Silence] = (),
) -> list[Episode]:
    """Return the episodes that begin, go on or end at a moment, given the newest one of each rule and subject.

    `stale` names what is not read at the moment, in the words of `rests_on`. A subject that no condition speaks of is
    not breached. Evaluating again as of the same moment, or an earlier one, changes nothing.
    """
    before = {episode.key: episode for episode in newest}
    breached = {(one.rule, one.subject): one for one in conditions if one.is_breached}
    after = [_step(before.get(key), breached.get(key), at, stale) for key in sorted({*before, *breached})]
    return [_silenced(episode, at, silences) for episode in after if episode is not None]


def _step(before: Episode | None, condition: Condition | None, at: datetime, stale: Set[str]) -> Episode | None:
    """Return the episode of one rule and subject as a moment leaves it; None where that changes nothing."""
    if before is not None and at - before.updated_at < INTERVAL:
        return None
    if before is None or before.is_over:
        if condition is None or condition.rests_on in stale:
            return None
        return _breached(Episode("pending", condition, started_at=at, held_since=at, updated_at=at), condition, at)
    if before.seen.rests_on in stale:
        return replace(_moved_on(before, at), is_frozen=True)
    if at - before.updated_at > LONGEST_GAP:
        before = _moved_on(before, at)
    before = replace(before, updated_at=at, is_frozen=False)
    return _breached(before, condition, at) if condition else _not_breached(before, at)


def _breached(episode: Episode, condition: Condition, at: datetime) -> Episode:
    episode = replace(episode, seen=condition, cleared_since=None)
    if episode.state == "pending" and at - episode.held_since >= condition.hold:
        return replace(episode, state="firing", fired_at=at)
    return episode


def _not_breached(episode: Episode, at: datetime) -> Episode:
    if episode.state == "pending":
        return replace(episode, state="dropped", ended_at=at)
    cleared_since = episode.cleared_since or at
    if at - cleared_since < episode.seen.keep:
        return replace(episode, cleared_since=cleared_since)
    return replace(episode, state="resolved", cleared_since=cleared_since, ended_at=at)


def _moved_on(episode: Episode, at: datetime) -> Episode:
    """Return an episode as if no time had passed since it was last looked at."""
    passed = at - episode.updated_at
    cleared_since = episode.cleared_since + passed if episode.cleared_since else None
    return replace(episode, held_since=episode.held_since + passed, cleared_since=cleared_since, updated_at=at)


def _silenced(episode: Episode, at: datetime, silences: Sequence[Silence]) -> Episode:
    """Note whether an episode that fires is silenced, or from when on it is to be told; what ended stays as it was."""
    if episode.state != "firing":
        return episode
    silence = max((one for one in silences if one.covers(episode.seen, at)), key=lambda one: one.until, default=None)
    if silence is not None:
        return replace(episode, silenced_until=silence.until, silence_reason=silence.reason)
    return replace(episode, silenced_until=None, silence_reason=None, due_at=episode.due_at or at)
