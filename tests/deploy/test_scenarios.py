"""Scenarios by rules: what Prometheus's rules and our own make of the same stories, beside what they should.

One organisation lives through all of it (`scenarios.py`). The pages of the exporter go to promtool as series of a
sample a minute, our own rules judge the marts behind them; docs/definitions.md has the table. It takes about a minute,
and is left out without promtool.
"""

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml

from phoenix_metrics.alerts.episodes import Episode, evaluate
from phoenix_metrics.alerts.messages import LABELS
from phoenix_metrics.defs.alerts import episode_of, payload_of
from phoenix_metrics.exporter.figures import HOLD
from phoenix_metrics.exporter.page import Page
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.conftest import read
from tests.deploy import promtool
from tests.deploy.promtool import Episodes, Labels, Series, Stretch
from tests.deploy.scenarios import (
    BEGAN,
    BUDGET,
    BURN,
    DOWN,
    ENDS,
    EVERY,
    FAILURE,
    QUEUE,
    RATE_LIMIT,
    ROLLBACK,
    SCENARIOS,
    SCHEDULE,
    SILENT,
    SLOWER,
    STALE,
    STUCK,
    UNREAD,
    UNREADABLE,
    Look,
    Scenario,
    asked_of,
    at,
    live_through,
)
from tests.exporter.truth import Samples

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

START = -EVERY  # minute of the first scrape
HELD = HOLD // timedelta(minutes=1)  # minutes for which a newcomer is at zero
BRIDGED = 5  # minutes for which a gauge is read that is gone: last_over_time(…[5m])
COLUMNS = {
    FAILURE: "failure rate",
    BURN: "error budget",
    SLOWER: "slower",
    QUEUE: "queue",
    SCHEDULE: "schedule",
    ROLLBACK: "rollback",
    STUCK: "stuck",
    BUDGET: "budget",
    STALE: "stale",
    RATE_LIMIT: "rate limit",
    DOWN: "exporter down",
    UNREADABLE: "unreadable",
}
# 57 of 635 at 50, 135 of 705 at 60 with what comes at once; 12 % and more of the hour from then on.
OF_ALL = Scenario("", "all of these pipelines together: more than 10 % fail", {FAILURE: (90, None)})
OF_SOURCES = (
    Scenario("", "less than a tenth of the hour's requests is left", {RATE_LIMIT: (70, 130)}),
    # Over 30 minutes after 110, for 5 minutes.
    Scenario("", "a repository cannot be read any more", {STALE: (146, None)}),
)
ALL = (*SCENARIOS, OF_ALL, *OF_SOURCES)
ONE_SCRAPE = (95, 170)  # minutes of disturbances: in each of them some alerts fire, in both all that can
ONE_LOOK = (100, 170)
NO_SCRAPES = range(95, 115)
NO_LOOKS = range(91, 120)
LAST_LOOK = 100
STOP = 144  # when the disturbances are over: the repository that cannot be read is not stale yet

NOTHING = "–"  # noqa: RUF001  # a dash

Judge = Callable[..., Episodes]
Words = dict[str, str]  # by rule
Stretches = Mapping[str, Sequence[Stretch]]  # by rule


@dataclass(frozen=True)
class Recorded:
    """The looks, and the home that they led to."""

    home: Path
    looks: list[Look]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    home = tmp_path_factory.mktemp("scenarios")
    return Recorded(home, live_through(home))


@pytest.fixture(scope="module")
def theirs(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Return what Prometheus's rules make of the pages, some scrapes or all looks after a minute left out."""
    folder = tmp_path_factory.mktemp("promtool")

    @cache
    def judge(lost: Collection[int] = (), last_look: int = ENDS, until: int = ENDS) -> Episodes:
        looks = [look for look in recorded.looks if look.minute <= last_look]
        return _from_start(promtool.episodes(folder, scraped(looks, lost, until), until - START))

    return judge


def scraped(looks: Iterable[Look], lost: Collection[int], until: int) -> Series:
    """Return the series that Prometheus has: a failed scrape ends each until the next one."""
    found: dict[tuple[str, Labels], list[str]] = {}
    for number, minute in enumerate(range(START, until)):
        look = max((one for one in looks if one.minute <= minute), key=lambda one: one.minute)
        page = {} if minute in lost else _from_zero(look.held if minute - look.minute < HELD else look.page)
        up = ("up", frozenset({("job", "phoenix"), ("instance", "exporter")}))
        for key, value in {**page, up: float(minute not in lost)}.items():
            found.setdefault(key, ["_"] * number).append(str(value))
        for values in found.values():
            if len(values) == number:
                values.append("_" if values[-1] in ("_", "stale") else "stale")
    return found


def _from_zero(page: Samples) -> Samples:
    """Return samples with moments as promtool counts them: from 0 at the first scrape."""
    first = at(START).timestamp()
    return {key: value - first if key[0].endswith("_timestamp_seconds") else value for key, value in page.items()}


def _from_start(found: Episodes) -> Episodes:
    return {
        key: [(first + START, None if last is None else last + START) for first, last in stretches]
        for key, stretches in found.items()
    }


def ours(looks: Iterable[Look]) -> Episodes:
    """Return what our own rules make of looks; each begins with what the one before has written down."""
    newest: dict[tuple[str, str], Episode] = {}
    found: dict[str, Episode] = {}
    for look in looks:
        read = [_read(one) for one in newest.values()]
        for episode in evaluate(read, look.conditions, at(look.minute), stale=look.stale):
            newest[episode.key] = found[episode.alert_id] = episode
    told: Episodes = {}
    for one in sorted(found.values(), key=lambda one: one.started_at):
        if one.fired_at is not None:
            labels = {("subject" if name == "budget" else name, value) for name, value in one.seen.labels.items()}
            ended = None if one.ended_at is None else _minute(one.ended_at)
            told.setdefault((one.seen.rule, frozenset(labels)), []).append((_minute(one.fired_at), ended))
    return told


def _read(episode: Episode) -> Episode:
    """Return an episode as it comes back from where it was written down."""
    row = {**dict.fromkeys(LABELS), **payload_of(episode)}
    for name in [name for name in row if name.endswith(("_at", "_since", "_until"))]:
        row[name] = row[name] and datetime.fromisoformat(row[name])
    return episode_of(row)


def _minute(moment: datetime) -> int:
    return (moment - BEGAN) // timedelta(minutes=1)


# Scenarios -----------------------------------------------------------------------------------------------------------


def of(found: Episodes, scenario: Scenario) -> Stretches:
    """Return the episodes of a scenario by rule: by a label of its own, those of all pipelines have none."""
    its: dict[str, list[Stretch]] = {}
    for (rule, labels), stretches in found.items():
        if scenario in OF_SOURCES:
            is_its = "source" in dict(labels) and rule in scenario.fires
        else:
            is_its = not labels if scenario is OF_ALL else bool(labels & scenario.labels)
        if is_its:
            its.setdefault(rule, []).extend(stretches)
    return its


def test_both_fire_for_what_they_should_and_for_nothing_else(recorded: Recorded, theirs: Judge) -> None:
    """Those rules fire that should, once for each scenario, and no others; for Prometheus and for ours alike."""
    expected = {one.words: dict.fromkeys(one.fires, 1) for one in ALL}
    for found in (theirs(), ours(recorded.looks)):
        assert {one.words: {rule: len(its) for rule, its in of(found, one).items()} for one in ALL} == expected
        assert sum(map(len, found.values())) == sum(map(len, expected.values()))  # each is some scenario's


def test_prometheus_fires_when_it_should(theirs: Judge) -> None:
    """To the minute, but for newcomers that are at zero at first and gauges that are bridged when they are gone."""
    found = theirs()
    late = {(one.words, rule): _after(of(found, one)[rule][0], its) for one in ALL for rule, its in one.fires.items()}
    assert {key: its for key, its in late.items() if its != (0, 0)} == {
        ("a new workflow fails 30 times before it is first read", FAILURE): (HELD, 0),
        ("a deployment is under way for 90 minutes ²", STUCK): (0, BRIDGED),
    }


def test_ours_fire_at_the_next_look(recorded: Recorded) -> None:
    """Where `for` is shorter than the time between looks, one sees it first, and the next one that it has held."""
    found = ours(recorded.looks)
    for one in ALL:
        for rule, its in one.fires.items():
            if (one.repository, rule) == (UNREAD, QUEUE):
                continue  # which stands still, see below
            fired, ended = _after(of(found, one)[rule][0], its)
            assert 0 <= fired < (2 if rule in (STUCK, STALE) else 1) * EVERY, (one.words, rule)
            assert 0 <= ended < EVERY, (one.words, rule)


def _after(seen: Stretch, expected: Stretch) -> tuple[int, int]:
    """Return by how many minutes an episode began and ended later than it should; both are open, or neither is."""
    assert (seen[1] is None) == (expected[1] is None), (seen, expected)
    return seen[0] - expected[0], (seen[1] or 0) - (expected[1] or 0)


def test_what_rests_on_a_silent_source_stands_still_with_us_and_ends_in_prometheus(
    recorded: Recorded, theirs: Judge
) -> None:
    """Nothing is known of the jobs any more: Prometheus sees none that wait, and Alertmanager keeps that to itself."""
    key = (QUEUE, frozenset({("repository", UNREAD), ("runner", "ubuntu-latest")}))
    [(_, ended)] = theirs()[key]
    [(fired, ours_ended)] = ours(recorded.looks)[key]
    assert ended is not None
    assert SILENT + 60 < ended < ENDS
    assert (fired, ours_ended) == (60, None)
    routing = yaml.safe_load((promtool.RULES.parent / "alertmanager.yml").read_text(encoding="utf-8"))
    silent = [rule for rule in routing["inhibit_rules"] if "source = github" in rule["source_matchers"]]
    assert [QUEUE in matcher for rule in silent for matcher in rule["target_matchers"]] == [True]


def test_our_episodes_are_those_that_are_stored(recorded: Recorded) -> None:
    """What is worked out here look by look is what marts.alerts has in the end."""
    query = "select rule, subject, fired_at, ended_at, is_frozen from marts.alerts where fired_at is not null"
    stored = read(recorded.home, query).to_pylist()
    found = [(rule, *one) for (rule, _), its in ours(recorded.looks).items() for one in its]
    moments = [
        (row["rule"], *(one and _minute(one.replace(tzinfo=UTC)) for one in (row["fired_at"], row["ended_at"])))
        for row in stored
    ]
    assert sorted(map(str, moments)) == sorted(map(str, found))
    frozen = {(row["rule"], row["subject"]) for row in stored if row["is_frozen"]}  # they rest on what is not read
    assert frozen == {(QUEUE, f"{UNREAD} ubuntu-latest"), (FAILURE, "all"), (BUDGET, "repository acme/dear")}


# Disturbances --------------------------------------------------------------------------------------------------------

ALL_THAT_CAN = {rule: "goes on" for rule in COLUMNS if rule not in (DOWN, UNREADABLE)} | {
    DOWN: NOTHING,
    UNREADABLE: NOTHING,
}
AT_THAT_TIME = ALL_THAT_CAN | {STALE: NOTHING}  # the source was read well
WITHOUT_KEEP = (SCHEDULE, STUCK, RATE_LIMIT)  # and resting on gauges
SILENCE = dict.fromkeys(COLUMNS, NOTHING)
ONE_FAILS = "one scrape fails, or one pass"
GAP = "no scrape for 20 minutes ³, or no pass for half an hour"
STOPPED = "no pass is made any more ⁴"
UNPUBLISHED = "nothing is published yet ⁵"
DISTURBANCES: dict[str, tuple[Words, Words]] = {  # what Prometheus's rules should make of each, and ours
    ONE_FAILS: (ALL_THAT_CAN, ALL_THAT_CAN),
    GAP: (
        AT_THAT_TIME | dict.fromkeys(WITHOUT_KEEP, "ends, fires again") | {DOWN: "fires"},
        AT_THAT_TIME,
    ),
    STOPPED: (SILENCE | {STALE: "fires"}, SILENCE),
    UNPUBLISHED: (SILENCE | {UNREADABLE: "fires"}, SILENCE),
}


def became(before: Episodes, after: Episodes, minutes: Collection[int]) -> Words:
    """Say of each rule whether its alerts that fire at some minutes go on as they did, or fire once more."""
    told = {}
    for rule in COLUMNS:
        hit = [
            key
            for key, its in before.items()
            if key[0] == rule and any(_holds(one, minute) for one in its for minute in minutes)
        ]
        goes_on = all(len(after.get(key, [])) == len(before[key]) for key in hit)
        told[rule] = ("goes on" if goes_on else "ends, fires again") if hit else NOTHING
    return told


def _holds(stretch: Stretch, minute: int) -> bool:
    return stretch[0] <= minute and (stretch[1] is None or minute < stretch[1])


def raised(before: Episodes, after: Episodes) -> Words:
    """Say of each rule whether it fires for something for which it did not."""
    new = {rule for rule, _ in after.keys() - before.keys()}
    return {rule: "fires" if rule in new else NOTHING for rule in COLUMNS}


def began_before(found: Episodes, minute: int) -> Episodes:
    """Return the episodes that had begun by a minute."""
    kept = {key: [one for one in its if one[0] < minute] for key, its in found.items()}
    return {key: its for key, its in kept.items() if its}


def test_one_scrape_or_pass_that_fails_ends_no_alert_and_raises_none(recorded: Recorded, theirs: Judge) -> None:
    """Every rule goes on as if nothing had been."""
    mine, others, after = ours(recorded.looks), theirs(), theirs(lost=ONE_SCRAPE)
    fewer = ours(look for look in recorded.looks if look.minute not in ONE_LOOK)
    assert (became(others, after, ONE_SCRAPE), became(mine, fewer, ONE_SCRAPE)) == DISTURBANCES[ONE_FAILS]
    assert raised(others, after) == raised(mine, fewer) == SILENCE


def test_a_gap_of_scrapes_is_an_alert_of_its_own(recorded: Recorded, theirs: Judge) -> None:
    """What rests on gauges ends in Prometheus and fires again unless it is kept; ours rest on no scrape."""
    mine, others, after = ours(recorded.looks), began_before(theirs(), STOP), theirs(lost=NO_SCRAPES, until=STOP)
    new = {rule: word for rule, word in raised(others, after).items() if word != NOTHING}
    fewer = ours(look for look in recorded.looks if look.minute not in NO_LOOKS)
    assert (became(others, after, NO_SCRAPES[:1]) | new, became(mine, fewer, NO_LOOKS[:1])) == DISTURBANCES[GAP]
    assert raised(mine, fewer) == SILENCE


def test_only_prometheus_sees_that_nobody_looks(recorded: Recorded, theirs: Judge) -> None:
    """Without a pass nothing evaluates ours."""
    stopped = raised(began_before(theirs(), STOP), theirs(last_look=LAST_LOOK, until=STOP))
    until = [look for look in recorded.looks if look.minute <= LAST_LOOK]
    ours_stopped = raised(began_before(ours(recorded.looks), LAST_LOOK + 1), ours(until))
    assert (stopped, ours_stopped) == DISTURBANCES[STOPPED]


def test_only_prometheus_sees_an_exporter_without_a_snapshot(tmp_path: Path) -> None:
    """Before the first publication there is nothing that ours could be evaluated on."""
    with closing(SnapshotReader(tmp_path / "home")) as reader:
        page = asked_of(Page(reader))
    found = promtool.episodes(tmp_path, scraped([Look(START, page, page, [], set())], (), 30), 30 - START)
    assert (raised({}, found), raised({}, ours([]))) == DISTURBANCES[UNPUBLISHED]


# Docs ----------------------------------------------------------------------------------------------------------------


def test_the_definitions_have_the_table(recorded: Recorded, theirs: Judge) -> None:
    """Row by row what should be and what was seen here; of disturbances, which both met, what should be."""
    mine, others = ours(recorded.looks), theirs()
    lines = [_line(one.words, _cells(one.fires, of(others, one), of(mine, one))) for one in ALL]
    lines += [_line(words, _both(*expected)) for words, expected in DISTURBANCES.items()]
    head = _line("scenario", {rule: f"[{word}](runbooks.md#{rule.lower()})" for rule, word in COLUMNS.items()})
    text = (CHECKOUT / "docs" / "definitions.md").read_text(encoding="utf-8")
    found = re.search(r"^\| scenario \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert found[0].splitlines() == [head, _line("---", dict.fromkeys(COLUMNS, "---")), *lines]


def _cells(expected: Mapping[str, Stretch], theirs: Stretches, ours: Stretches) -> Words:
    sides = [{rule: [its] for rule, its in expected.items()}, theirs, ours]
    told = {rule: [_told(side.get(rule, [])) for side in sides] for rule in COLUMNS}
    return {rule: " / ".join(its) if set(its) != {NOTHING} else NOTHING for rule, its in told.items()}


def _told(stretches: Sequence[Stretch]) -> str:
    """Say from and to which minute something fires."""
    return ", ".join(f"{first} on" if last is None else f"{first} to {last}" for first, last in stretches) or NOTHING


def _both(theirs: Words, ours: Words) -> Words:
    return {rule: word if word == ours[rule] else f"{word} / {ours[rule]}" for rule, word in theirs.items()}


def _line(words: str, cells: Words) -> str:
    return f"| {' | '.join((words, *(cells[rule] for rule in COLUMNS)))} |"
