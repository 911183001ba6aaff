"""Any story at Argo CD, polled, streamed, notified and interrupted in any order: the tables tell what can be known.

The truth is worked out from what was asked for (`tests/argocd_truth.py`). Two operations of one application are never
in the same second here: their events carry nothing else to tell them apart.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.defs.deliveries import drain
from phoenix_metrics.demo.argocd.actions import (
    Action,
    Commit,
    Configure,
    Create,
    Delete,
    LoseStatus,
    Outcome,
    Rollback,
    Source,
    Sync,
    Terminate,
)
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.demo.argocd.journal import Notification
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Spool
from tests import argocd_server
from tests.argocd_stream import LIGHTHOUSE, Stream
from tests.argocd_truth import Known, Life, Look, Operation, Row, known_of, lives
from tests.conftest import MODELS

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SHOP, CHART = "shop-production", "chart-staging"
NAMES = st.sampled_from([SHOP, SHOP, CHART])
SOURCES = (
    Source("https://github.com/acme/deployments.git", path="chart"),
    Source("https://charts.example.com", chart="chart", target_revision="1.*"),
)
EVENTS_READ = 15 * 60  # seconds that a pass leaves between two readings of events, which are kept for an hour
EVERY = 44 * 60  # seconds between polls that lose no event
SECRET = "it is one"
COLUMNS = (
    *("application", "started_at", "finished_at", "status", "kind", "trigger", "initiated_by", "attempt_count"),
    *("is_blocked", "is_local", "revision", "history_id", "rollback_to", "seen_as"),
)
EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "6"))

OUTCOMES = st.builds(
    Outcome,
    phase=st.sampled_from(["Succeeded", "Succeeded", "Succeeded", "Failed", "Error"]),
    seconds=st.sampled_from([3, 4, 40, 400]),
    failed_attempts=st.sampled_from([0, 0, 0, 1, 2]),
    retry_seconds=st.sampled_from([5, 60]),
    applies=st.booleans(),
    healthy_after=st.sampled_from([30, 900, None]),
    blocked_seconds=st.sampled_from([0, 0, 0, 90, 4000]),
)
ASKED = st.sampled_from(  # who asks for what
    [
        {},
        {"kind": "self_heal"},
        {"by": "alice"},
        {"by": "alice", "kind": "partial"},
        {"by": "bob", "kind": "dry_run"},
        {"by": "bob", "kind": "local", "images": {"api": "localhost/api:dev"}},
        {"is_anonymous": True},
        {"is_anonymous": True, "kind": "partial"},
        {"is_appset": True},
    ]
)

ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {  # of what happens at Argo CD and here
    "sync": {
        "name": NAMES,
        "after": st.sampled_from([1, 20, 300]),
        "outcome": OUTCOMES,
        "asked": ASKED,
        "starts_after": st.integers(0, 3),
    },
    "deploy": {"name": NAMES, "after": st.sampled_from([1, 60]), "is_new": st.booleans(), "outcome": OUTCOMES},
    "burst": {
        "name": NAMES,
        "count": st.integers(4, 14),
        "gap": st.sampled_from([7, 45]),
        "outcomes": st.lists(OUTCOMES, max_size=3),
    },
    "roll_back": {
        "name": NAMES,
        "after": st.sampled_from([1, 60]),
        "back": st.integers(1, 4),
        "outcome": OUTCOMES,
    },
    "terminate": {"name": NAMES, "after": st.sampled_from([1, 2, 30]), "by": st.sampled_from([None, "carol"])},
    "configure": {
        "name": NAMES,
        "after": st.sampled_from([1, 30]),
        "branch": st.sampled_from(["main", "release"]),
        "on": st.booleans(),
    },
    "upset": {"name": NAMES, "after": st.sampled_from([1, 30]), "pause": st.sampled_from([None, 0, 1, 600])},
    "wait": {"span": st.sampled_from([1, 5, 60, 600, 1800, 4000, 30_000])},
    "poll": {},
    "poll_and_die": {"count": st.integers(0, 6)},
    "tune_in": {},
    "cut": {"after": st.sampled_from([1, 60, 1800])},
    "hear": {"seed": st.integers(0, 99), "is_twice": st.booleans()},
    "replay": {"seed": st.integers(0, 99)},
}
OFTEN = ["sync"] * 4 + ["deploy"] * 3 + ["burst"] * 2 + ["wait"] * 3 + ["poll"] * 2
STEPS = st.sampled_from([*ARGUMENTS, *OFTEN]).flatmap(
    lambda kind: st.tuples(st.just(kind), st.fixed_dictionaries(ARGUMENTS[kind]))
)
BEGINNINGS = st.fixed_dictionaries(
    {
        "certain": st.sampled_from(["nothing", "nothing", "polls", "notifications"]),
        "limit": st.sampled_from([2, 1, 10, 0]),
        "is_automated": st.booleans(),
        "is_looked_at_last": st.booleans(),
    }
)


class Story:
    """Things that happen at Argo CD, between things that happen here."""

    def __init__(self, certain: str, limit: int, is_automated: bool, is_looked_at_last: bool) -> None:
        """A server with two applications, and one that only blinks; an empty home."""
        self.stack = ExitStack()
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="story-")))
        self.certain, self.limit, self.is_automated = certain, limit, is_automated
        self.is_looked_at_last = is_looked_at_last or certain == "polls"
        self.cluster = Cluster()
        self.server = self.stack.enter_context(argocd_server.serving(self.cluster, START, token="t"))
        environ = {"PHOENIX_ARGOCD_URL": self.server.url, "PHOENIX_ARGOCD_TOKEN": "t"}
        self.settings = load_settings({"PHOENIX_HOME": str(self.home), **environ})
        self.story: list[Action] = []
        self.looks: list[Look] = []
        self.posted: list[Notification] = []
        self.polled_at = self.now
        self.stream: Stream | None = None
        self.serial = self.turn = 0
        self.act(Create(self.now, LIGHTHOUSE))
        for name in (SHOP, CHART):
            self.create(name)
        if certain == "polls":
            self.poll()

    # -- what happens at Argo CD

    def sync(self, name: str, after: int, outcome: Outcome, asked: dict[str, Any], starts_after: int) -> None:
        """An operation is asked for."""
        self.move(after)
        self.act(Sync(self.now, name, outcome=outcome, starts_after=starts_after, **asked))

    def deploy(self, name: str, after: int, is_new: bool, outcome: Outcome) -> None:
        """Git moves on, or back to where it was before, and Argo CD follows."""
        self.move(after)
        self.commit(name, is_new=is_new)
        self.act(Sync(self.now, name, outcome=outcome))

    def burst(self, name: str, count: int, gap: int, outcomes: list[Outcome]) -> None:
        """Commit after commit is synced, more than the history holds; some syncs go otherwise."""
        for number in range(count):
            self.move(gap)
            self.commit(name)
            self.act(Sync(self.now, name, outcome=outcomes[number // 3] if number // 3 < len(outcomes) else Outcome()))

    def roll_back(self, name: str, after: int, back: int, outcome: Outcome) -> None:
        """Auto-sync is switched off and somebody goes back to an entry of the history."""
        self.move(after)
        self.act(Configure(self.now, name, is_automated=False))
        shown = self.lives()[name].shown_at(self.now)
        if shown is not None and len(shown.history) >= back:
            self.act(Rollback(self.now, name, shown.history[-back].history_id, by="carol", outcome=outcome))

    def terminate(self, name: str, after: int, by: str | None) -> None:
        """What is under way is ended."""
        self.move(after)
        self.act(Terminate(self.now, name, by=by))

    def configure(self, name: str, after: int, branch: str, on: bool) -> None:
        """The application's rules change."""
        self.move(after)
        self.act(Configure(self.now, name, is_automated=on, target_revision=branch, labels={"on": str(on)}))

    def upset(self, name: str, after: int, pause: int | None) -> None:
        """The status of an application is lost; or it is deleted, and created again after a pause, if there is one."""
        self.move(after)
        if pause is None:
            self.act(LoseStatus(self.now, name))
            return
        self.act(Delete(self.now, name))
        if pause:
            self.move(pause)
            self.create(name)

    def wait(self, span: int) -> None:
        """Time passes."""
        self.move(min(span, 8000) if self.certain == "polls" else span)

    # -- what happens here

    def poll(self) -> None:
        """The schedule ticks."""
        self.look(kept=None)

    def poll_and_die(self, count: int) -> None:
        """A pass is killed after it has written some of its files."""
        self.look(kept=count)
        if self.certain == "polls":
            self.poll()

    def tune_in(self) -> None:
        """The stream of changes is followed from now on."""
        if self.stream is None:
            self.stream = Stream(self.server, self.settings)
            self.catch_up()
            self.looks.append(Look(self.now, tells_absent=False))

    def cut(self, after: int) -> None:
        """The stream breaks, and only later somebody looks."""
        if self.stream is None:
            return
        self.catch_up()
        stream, self.stream = self.stream, None
        stream.cut()
        self.blink()
        stream.end()
        stream.inbox.land(self.home, self.server.now)
        self.move(after)

    def hear(self, seed: int, is_twice: bool) -> None:
        """Some of the notifications sent so far arrive, in any order, some of them once more later."""
        pick, sent = random.Random(seed), self.cluster.notifications
        heard = pick.sample(sent, pick.randint(0, min(len(sent), 8)))
        self.deliver(heard)
        if is_twice:
            self.deliver(heard[::2])

    def replay(self, seed: int) -> None:
        """A landing file is there once more."""
        files = landing.list_files(self.home)
        if files:
            file = self.home / "landing" / random.Random(seed).choice(files)
            shutil.copy(file, file.with_name(f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z-again.parquet"))

    # -- what must hold

    def end_and_compare(self) -> None:
        """Whatever was collected, the tables say that and no more; looking again changes nothing."""
        self.move(2)
        if self.stream is not None:
            self.cut(1)
        if self.certain == "notifications":
            self.deliver([one for one in self.cluster.notifications if one not in self.posted])
        if self.is_looked_at_last:
            self.poll()
        known, tables = self.known(), self.tables()
        self.compare_operations(known, tables["operations"])
        self.compare_applications(known, tables)
        self.check_certainty(known)
        if self.is_looked_at_last:
            self.poll()
            assert self.tables() == tables
        assert self.server.refreshes == []

    def compare_operations(self, known: dict[str, Known], found: list[Row]) -> None:
        """Every operation that anything tells of is there once, with what can be known of it, and no other."""
        for name, one in known.items():
            rows = [row for row in found if row["application"] == name]
            assert len(rows) <= len(one.life.operations), name
            if one.is_doubtful():
                continue
            expected = {row["started_at"]: row for row in one.rows()}
            shown = {_seconds(row["started_at"]): _shown(row) for row in rows}
            assert shown == expected, _difference(shown, expected)
            assert len(rows) == len(expected), name
        assert {row["application"] for row in found} <= set(known)
        operations = [operation for one in known.values() for operation in one.life.operations]
        started = {(one.application, one.started_at): one.incarnation for one in operations}
        pairs = {(row["uid"], started.get((row["application"], _seconds(row["started_at"])))) for row in found}
        pairs = {(uid, number) for uid, number in pairs if number is not None}
        assert len(pairs) == len({uid for uid, _ in pairs})

    def compare_applications(self, known: dict[str, Known], tables: dict[str, list[Row]]) -> None:
        """What is lost is counted, application by application and for the server."""
        found = {row["application"]: row for row in tables["applications"]}
        certain = {name: one.summary() for name, one in known.items() if not one.is_doubtful()}
        there = {name: row for name, row in certain.items() if row["operation_count"] or known[name].is_listed}
        assert set(there) == {name for name in found if name in certain}
        for name, expected in there.items():
            assert {key: found[name][key] for key in expected} == expected
        if len(certain) == len(known) and any(look.is_complete for look in self.looks):
            self.compare_health(list(there.values()), tables)

    def compare_health(self, expected: list[Row], tables: dict[str, list[Row]]) -> None:
        """The completeness page says the same."""
        health = {row["subject"]: row for row in tables["data_health"]}
        assert health["argocd"]["missing_count"] == sum(row["missing_count"] for row in expected)
        assert health["argocd"]["open_count"] == sum(row["status"] == "open" for row in tables["operations"])
        words = {
            "missing_count": "deployments lost",
            "unknown_gap_count": "gaps of unknown size",
            "vanished_count": "operations whose end was not seen",
        }
        for row in expected:
            note = "; ".join(f"{text}: {row[key]}" for key, text in words.items() if row[key])
            shown = health.get(f"argocd/argocd/{row['application']}", {"note": ""})
            assert shown["note"] == note, row["application"]

    def check_certainty(self, known: dict[str, Known]) -> None:
        """Where every notification came, or somebody looked often enough, no operation that ended is missing."""
        for one in known.values():
            for operation in one.life.operations:
                if self.certain == "notifications" and operation.finished_at is not None:
                    assert one.has_end_state(operation), operation
                if self.certain == "polls" and self.is_within_reach(one.life, operation):
                    assert one.has_end(operation), operation

    def is_within_reach(self, life: Life, one: Operation) -> bool:
        """Whether an operation has ended, and its application was still there when events had to be read next."""
        if one.finished_at is None:
            return False
        looks = (look for look in self.looks if look.is_complete and look.until >= one.finished_at + EVENTS_READ)
        next_look = next(looks, None)
        shown = life.shown_at(next_look.until) if next_look is not None else None
        return shown is not None and shown.incarnation == one.incarnation

    # -- helpers

    @property
    def now(self) -> int:
        """The story's time."""
        return int(self.server.now.timestamp())

    def move(self, seconds: int) -> None:
        """Let time pass, with polls where they are certain, and with the stream."""
        end = self.now + seconds
        while self.certain == "polls" and end - self.polled_at > EVERY:
            self.tick(self.polled_at + EVERY)
            self.poll()
        self.tick(end)

    def tick(self, now: int) -> None:
        """Let it be later; what the stream tells is taken in."""
        since = self.now
        self.server.now = datetime.fromtimestamp(now, UTC)
        if self.stream is None:
            self.cluster.advance(now)
        else:  # the server does that, which looks for changes all the time
            self.catch_up()
            self.looks.append(Look(now, since=since))

    def act(self, action: Action) -> None:
        """Let something happen now."""
        self.story.append(action)
        self.cluster.add([action])

    def create(self, name: str) -> None:
        """Create an application, of which Git has something."""
        sources = SOURCES if name == CHART else ()
        limit = self.limit if name == CHART else 10
        self.act(Create(self.now, name, sources=sources, history_limit=limit, is_automated=self.is_automated))
        self.commit(name)

    def commit(self, name: str, *, is_new: bool = True) -> None:
        """Move an application's manifests in Git."""
        self.serial += is_new
        number = self.serial if is_new else max(1, self.serial - 2)
        revisions = (f"{number:040x}", f"1.{number}.0") if name == CHART else (f"{number:040x}",)
        self.act(Commit(self.now, name, revisions, {"api": f"ghcr.io/acme/api:1.{number}.0"}))

    def blink(self) -> str:
        """Let the lighthouse change, which nothing else does at this turn."""
        self.turn += 1
        self.act(Configure(self.now, LIGHTHOUSE, labels={"turn": str(self.turn)}))
        return str(self.turn)

    def catch_up(self) -> None:
        """Take in all that the stream has told up to now."""
        assert self.stream is not None
        self.stream.wait_for(self.blink())
        self.stream.inbox.land(self.home, self.server.now)

    def look(self, kept: int | None) -> None:
        """Make a pass, and remember what of it was written: all, or so many files."""
        before, asked = set(landing.list_files(self.home)), len(self.server.asked)
        [done] = sync_argocd(self.settings, lambda: self.server.now)
        assert (done.state, done.note) == ("ok", None)
        written = [file for file in landing.list_files(self.home) if file not in before]
        lost = written[kept:] if kept is not None else []
        for file in lost:
            (self.home / "landing" / file).unlink()
        objects = {landing.object_of(file) for file in lost}
        events = [one.path.split("/")[-2] for one in self.server.asked[asked:] if one.path.endswith("/events")]
        self.looks.append(
            Look(
                self.now,
                tells_present="argocd_applications" not in objects,
                tells_absent="argocd_sightings" not in objects,
                events_of=frozenset(events if "argocd_events" not in objects else ()),
                is_complete=not lost,
            )
        )
        if not lost:
            self.polled_at = self.now

    def deliver(self, notifications: list[Notification]) -> None:
        """Let notifications arrive at the receiver, and be drained."""
        spool = Spool(self.home)
        client = TestClient(receiver(spool, None, SECRET, ["argocd"]))
        for one in notifications:
            told = {**one.body["metadata"], **one.body["spec"], **one.body["status"]}
            answer = client.post("/argocd", json=told, headers={"Authorization": f"Bearer {SECRET}"})
            assert answer.status_code in (200, 202), answer.text
        spool.close()
        assert drain(self.home).error_count == 0
        self.posted += notifications

    def lives(self) -> dict[str, Life]:
        """Return the truth as of now."""
        return lives(self.story, self.now)

    def known(self) -> dict[str, Known]:
        """Return what must be known of each application by now."""
        found = self.lives()
        operations = {(name, _time(one.started_at)): one for name, life in found.items() for one in life.operations}
        notified = [
            operations[sent.body["metadata"]["name"], sent.body["status"]["operationState"]["startedAt"]]
            for sent in self.posted
        ]
        return {name: known_of(life, self.looks, notified) for name, life in found.items()}

    def tables(self) -> dict[str, list[Row]]:
        """Load what is in landing and return what the marts say of Argo CD."""
        with writing(self.home) as connection:
            load_seeds(connection)
            load_landing(connection, self.home, MODELS)
            for table in _upstream("marts.data_health"):
                build_mart(connection, MODELS[table], MODELS)
            return {
                "operations": _rows(connection, "from marts.operations order by application, started_at"),
                "applications": _rows(
                    connection, "select * exclude (last_seen_at) from marts.applications order by all"
                ),
                "data_health": _rows(
                    connection,
                    "select subject, missing_count, open_count, state, note from marts.data_health order by all",
                ),
            }


def _upstream(table: str) -> list[str]:
    """Return the marts that one is built from, and itself, in order."""
    before = [one for name in MODELS[table].upstream if name.startswith("marts.") for one in _upstream(name)]
    return list(dict.fromkeys([*before, table]))


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _shown(row: Row) -> Row:
    """Return what is compared of a row; of a state and a notification of it only the first to come is told apart."""
    ways = dict.fromkeys(row["seen_as"].replace("notification", "state").split(", "))
    shown = {key: _seconds(row[key]) for key in COLUMNS}
    return {**shown, "seen_as": [way for way in ("state", "history", "event") if way in ways]}


def _seconds(value: Any) -> Any:
    """Return a time as seconds since 1970, anything else as it is."""
    return int(value.replace(tzinfo=UTC).timestamp()) if isinstance(value, datetime) else value


def _difference(found: dict[int, Row], expected: dict[int, Row]) -> str:
    """Return where two tables differ, a line for each value."""
    lines = []
    for key in sorted({*found, *expected}):
        one, other = found.get(key), expected.get(key)
        if one is None or other is None:
            lines.append(f"{key}: {one or 'nothing'}, expected {other or 'nothing'}")
        else:
            lines += [f"{key}: {name} {one[name]}, expected {other[name]}" for name in one if one[name] != other[name]]
    return "\n".join(lines)


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@given(beginning=BEGINNINGS, steps=st.lists(STEPS, min_size=12, max_size=40))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failing story is short enough as it is
)
def test_any_story_is_told_as_far_as_it_can_be_known(
    beginning: dict[str, Any], steps: list[tuple[str, dict[str, Any]]]
) -> None:
    """Nothing that did not happen, nothing twice, everything that anything tells; and what is lost is counted."""
    with told(**beginning) as story:
        for kind, arguments in steps:
            getattr(story, kind)(**arguments)


@contextmanager
def told(**beginning: Any) -> Iterator[Story]:
    """Lend a story to be told; at its end the tables are compared with it."""
    story = Story(**beginning)
    with story.stack:
        yield story
        story.end_and_compare()


@pytest.fixture
def story() -> Iterator[Story]:
    """A story to be told by hand, with a last look at its end."""
    with told(certain="nothing", limit=10, is_automated=False, is_looked_at_last=True) as begun:
        yield begun


FAILS = Outcome("Failed", applies=False)


def test_an_end_is_its_own_and_not_that_of_the_last_request(story: Story) -> None:
    """Of the first operation the request was read and its end was not; the end of the second, never announced, was."""
    story.move(10)
    story.act(Sync(story.now, SHOP, outcome=Outcome("Failed", seconds=300), starts_after=0))
    story.move(30)
    story.poll()
    story.move(1500)
    story.act(Sync(story.now, SHOP, is_appset=True, outcome=FAILS))
    story.move(2800)


def test_a_rollback_that_was_lost_is_not_the_next_sync(story: Story) -> None:
    """The status went while somebody rolled back; a minute later another one syncs."""
    story.move(10)
    story.act(Sync(story.now, SHOP, by="alice"))
    story.move(60)
    story.roll_back(SHOP, after=1, back=1, outcome=Outcome(seconds=400))
    story.upset(SHOP, after=5, pause=None)
    story.move(60)
    story.act(Sync(story.now, SHOP, by="alice"))
    story.move(60)


def test_a_request_that_erased_a_failure_does_not_hide_its_event(story: Story) -> None:
    """A pass comes between the request and the start of the next operation, and the one after it is too late."""
    story.poll()
    story.move(16 * 60)
    story.act(Sync(story.now, SHOP, outcome=FAILS))
    story.move(60)
    story.act(Sync(story.now, SHOP, starts_after=30))
    story.move(2)
    story.poll()
    story.move(62 * 60)
    story.poll()
    story.check_certainty(story.known())
    [failed, _] = story.lives()[SHOP].operations
    assert story.known()[SHOP].rows()[0]["finished_at"] == failed.finished_at


def test_lost_entries_are_counted_and_a_lost_status_is_a_gap_of_unknown_size() -> None:
    """Of seven entries the first and the last two are seen, a notification tells of one more; then ids begin anew."""
    with told(certain="nothing", limit=2, is_automated=False, is_looked_at_last=True) as story:
        story.burst(CHART, count=1, gap=60, outcomes=[])
        story.move(7300)
        story.poll()
        story.burst(CHART, count=6, gap=60, outcomes=[])
        story.move(7300)
        story.deliver(story.cluster.notifications[2:3])
        story.poll()
        story.upset(CHART, after=60, pause=None)
        story.burst(CHART, count=1, gap=60, outcomes=[])
        story.move(7300)
        story.poll()
        counts = story.known()[CHART].summary()
        assert (counts["missing_count"], counts["unknown_gap_count"], counts["vanished_count"]) == (3, 1, 0)
