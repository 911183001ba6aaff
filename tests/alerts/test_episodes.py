"""Episodes: stories with names, and any story against a second, naive account of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_metrics.alerts.episodes import INTERVAL, LONGEST_GAP, Condition, Episode, Silence, evaluate

START = datetime(2026, 3, 9, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RATE = Condition(
    "CICDPipelineFailureRate", "acme/app CI", True, 0.1, 0.5, 20, 30 * MINUTE, 15 * MINUTE, "github acme/app"
)


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


class Memory:
    """What the store keeps: of each rule and subject the newest episode, and how each came to its state."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], Episode] = {}
        self.told: list[tuple[datetime, str, str, str]] = []

    def look(
        self,
        minutes: float,
        *conditions: Condition,
        stale: Sequence[str] = (),
        silences: Sequence[Silence] = (),
    ) -> list[Episode]:
        found = evaluate(self.newest.values(), conditions, at(minutes), stale={*stale}, silences=silences)
        for episode in found:
            before = self.newest.get(episode.key)
            if before is None or before.is_over or before.state != episode.state:
                self.told.append((at(minutes), *episode.key, episode.state))
            self.newest[episode.key] = episode
        return found

    def states(self) -> list[tuple[float, str]]:
        """Return when each state was come to, in minutes."""
        return [((moment - START) / MINUTE, state) for moment, _, _, state in self.told]


def test_it_fires_after_for_and_resolves_after_keep_firing_for() -> None:
    """Breached at 0 to 35 minutes with a `for` of 30 and a `keep_firing_for` of 15."""
    memory = Memory()
    for minutes in range(0, 70, 5):
        memory.look(minutes, replace(RATE, is_breached=minutes <= 35, value=minutes / 100))
    assert memory.states() == [(0, "pending"), (30, "firing"), (55, "resolved")]
    [episode] = memory.newest.values()
    assert (episode.started_at, episode.fired_at, episode.cleared_since, episode.ended_at) == (
        at(0),
        at(30),
        at(40),
        at(55),
    )
    assert (episode.seen.value, episode.due_at) == (0.35, at(30))


def test_a_short_breach_is_dropped_and_a_second_one_is_another_episode() -> None:
    """What was not held for `for` was no alert."""
    memory = Memory()
    memory.look(0, RATE)
    first = memory.newest[RATE.rule, RATE.subject].alert_id
    memory.look(29, replace(RATE, is_breached=False))
    memory.look(30, RATE)
    assert memory.states() == [(0, "pending"), (29, "dropped"), (30, "pending")]
    assert memory.newest[RATE.rule, RATE.subject].alert_id != first


def test_a_rate_that_hovers_around_its_limit_gives_one_alert() -> None:
    """Each breach within `keep_firing_for` begins its time anew."""
    memory = Memory()
    for minutes in range(0, 205, 5):
        memory.look(minutes, replace(RATE, is_breached=minutes <= 30 or (minutes < 150 and minutes % 15 == 0)))
    assert memory.states() == [(0, "pending"), (30, "firing"), (155, "resolved")]


def test_without_for_it_fires_at_once_and_without_keep_it_resolves_at_once() -> None:
    """A rollback is told when it is seen."""
    memory = Memory()
    back = replace(RATE, hold=timedelta(0), keep=timedelta(0))
    memory.look(0, back)
    memory.look(5)  # nothing speaks of the subject any more
    assert memory.states() == [(0, "firing"), (5, "resolved")]


def test_a_stale_source_freezes_what_rests_on_it() -> None:
    """Nothing opens, fires or resolves; afterwards `for` and `keep_firing_for` go on from where they were."""
    memory = Memory()
    other = replace(RATE, subject="acme/web CI", rests_on="github acme/web")
    new = replace(RATE, subject="acme/app Lint")
    for minutes in range(0, 20, 5):
        memory.look(minutes, RATE, other)
    for minutes in range(20, 80, 5):
        memory.look(minutes, other, new, stale=["github acme/app"])
    assert memory.newest[RATE.rule, RATE.subject].is_frozen
    for minutes in range(80, 100, 5):
        memory.look(minutes, RATE, other)
    assert [entry for entry in memory.told if entry[2] != "acme/web CI"] == [
        (at(0), RATE.rule, RATE.subject, "pending"),
        (
            at(90),
            RATE.rule,
            RATE.subject,
            "firing",
        ),  # 15 minutes held before, and 15 from 75 on, when it last stood still
    ]
    assert (at(30), RATE.rule, "acme/web CI", "firing") in memory.told
    assert not memory.newest[RATE.rule, RATE.subject].is_frozen
    for minutes in range(100, 200, 5):  # what fires is not resolved by silence either
        memory.look(minutes, other, stale=["github acme/app"])
    for minutes in range(200, 220, 5):
        memory.look(minutes, other)
    assert memory.told[-1] == (at(215), RATE.rule, RATE.subject, "resolved")


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """After a night without passes a rate that is breached in the evening and in the morning has not been all night."""
    memory = Memory()
    memory.look(0, RATE)
    memory.look(10, RATE)
    memory.look(600, RATE)
    assert memory.states() == [(0, "pending")]
    memory.look(615, RATE)
    memory.look(620, RATE)
    assert memory.states() == [(0, "pending"), (620, "firing")]


def test_what_is_silenced_is_due_when_the_silence_ends() -> None:
    """A silence matches by globs, and only what fires."""
    memory = Memory()
    silence = Silence("CICD*FailureRate", "acme/* CI", at(60), "we know")
    others = [Silence("CICDQueueLong", "*", at(900)), Silence("*", "acme/web*", at(900))]
    for minutes in (0, 30, 59.5):
        memory.look(minutes, RATE, silences=[silence, *others])
    [episode] = memory.newest.values()
    assert (episode.state, episode.silenced_until, episode.silence_reason) == ("firing", at(60), "we know")
    assert episode.due_at is None
    memory.look(60, RATE, silences=[silence, *others])
    [episode] = memory.newest.values()
    assert (episode.due_at, episode.silenced_until, episode.silence_reason) == (at(60), None, None)


def test_an_alert_that_came_and_went_in_a_silence_is_never_due() -> None:
    """It is recorded all the same."""
    memory = Memory()
    silence = Silence("*", "*", at(900))
    for minutes in (0, 30):
        memory.look(minutes, RATE, silences=[silence])
    for minutes in (35, 50):
        memory.look(minutes, silences=[silence])
    [episode] = memory.newest.values()
    assert (episode.state, episode.due_at, episode.silenced_until) == ("resolved", None, at(900))


# Any story -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """One evaluation: when, of which subjects the rule is breached, and which are not read."""

    minutes: float
    breached: frozenset[str]
    stale: frozenset[str]


SUBJECTS = ("a", "b", "c")
HOLDS = {"a": 30, "b": 0, "c": 10}
KEEPS = {"a": 15, "b": 0, "c": 60}


def condition(subject: str, *, is_breached: bool) -> Condition:
    return Condition(
        "rule",
        subject,
        is_breached,
        1.0,
        hold=HOLDS[subject] * MINUTE,
        keep=KEEPS[subject] * MINUTE,
        rests_on=f"source {subject}",
    )


@st.composite
def stories(draw: st.DrawFn) -> list[Look]:
    """Evaluations some minutes apart, sometimes hours."""
    pauses = draw(st.lists(st.sampled_from([1, 5, 5, 5, 10, 30, 60, 121, 300]), min_size=1, max_size=40))
    some = st.frozensets(st.sampled_from(SUBJECTS))
    looks, minutes = [], 0.0
    for pause in pauses:
        minutes += pause
        looks.append(Look(minutes, draw(some), draw(st.one_of(st.just(frozenset()), st.just(frozenset()), some))))
    return looks


def told(story: Sequence[Look], *, reverse: bool = False, twice: bool = False) -> Memory:
    memory = Memory()
    for look in story:
        conditions = [condition(subject, is_breached=subject in look.breached) for subject in SUBJECTS]
        stale = [f"source {subject}" for subject in look.stale]
        memory.look(look.minutes, *(conditions[::-1] if reverse else conditions), stale=stale)
        if twice:
            assert memory.look(look.minutes, *conditions, stale=stale) == []
            assert memory.look(look.minutes - 1, *conditions, stale=stale) == []
    return memory


def naive(story: Sequence[Look], subject: str) -> list[tuple[float, str]]:
    """Tell a subject's states by looking back over the whole story at every moment, with a clock of its own.

    That clock stands still while the source is stale, and where nobody looked for too long.
    """
    clock, ticks = 0.0, []
    moments = [-1e9, *(look.minutes for look in story)]
    for (before, now), look in zip(pairwise(moments), story, strict=True):
        stands = subject in look.stale or (now - before) * MINUTE > LONGEST_GAP
        clock += 0 if stands else now - before
        if subject not in look.stale:
            ticks.append((now, clock, subject in look.breached))
    states: list[tuple[float, str]] = []
    state = "none"
    for place, (now, clock, is_breached) in enumerate(ticks):
        alike = takewhile(lambda tick, like=is_breached: tick[2] == like, reversed(ticks[: place + 1]))
        lasted = clock - min(then for _, then, _ in alike)  # how long it has been as it is
        was = state
        if is_breached and state != "firing":
            state = "firing" if lasted >= HOLDS[subject] else "pending"
        elif not is_breached and (state == "pending" or lasted >= KEEPS[subject]):
            state = "none"
        if state != was:
            states.append((now, {"none": "dropped" if was == "pending" else "resolved"}.get(state, state)))
    return states


@settings(max_examples=300, deadline=None)
@given(stories())
def test_any_story_is_told_as_the_naive_account_has_it(story: list[Look]) -> None:
    """Times that do not count aside, a state is what a look back over all that was seen gives."""
    memory = told(story)
    for subject in SUBJECTS:
        mine = [((moment - START) / MINUTE, state) for moment, _, of, state in memory.told if of == subject]
        assert mine == naive(story, subject)


@settings(max_examples=200, deadline=None)
@given(stories())
def test_an_episode_opens_once_and_no_subject_has_two(story: list[Look]) -> None:
    """Replaying an evaluation changes nothing, and subjects may come in any order."""
    memory = told(story, twice=True)
    assert memory.told == told(story).told
    assert Counter(memory.told) == Counter(told(story, reverse=True).told)
    for subject in SUBJECTS:
        states = [state for _, _, of, state in memory.told if of == subject]
        for before, after in pairwise(["dropped", *states]):
            allowed = {"pending": ("firing", "dropped"), "firing": ("resolved",)}.get(before, ("pending", "firing"))
            assert after in allowed


@pytest.mark.parametrize("seconds", [1, INTERVAL.total_seconds() - 1])
def test_passes_in_quick_succession_change_nothing_of_what_is_open(seconds: float) -> None:
    """Webhooks may bring a pass every ten seconds."""
    memory = Memory()
    memory.look(0, RATE)
    assert memory.look(seconds / 60, replace(RATE, is_breached=False)) == []
