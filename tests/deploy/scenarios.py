"""Scenarios of alerting in one organisation: each is a repository or a service that something happens to.

They are lived through together, a look every ten minutes: what is new is landed, the marts are built, our own rules are
evaluated, a snapshot is published and the exporter's page kept. So both kinds of rules judge the same story.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from phoenix_metrics.alerts.episodes import Condition
from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.demo.argocd.actions import Action, Commit, Create, Outcome, Rollback, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.exporter.figures import HOLD
from phoenix_metrics.exporter.page import Page
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse import snapshot
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.rules import Rules
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests import argocd_server
from tests.defs.moving_clock import MovingClock, moving
from tests.deploy import promtool
from tests.deploy.passes import judge
from tests.deploy.promtool import Stretch
from tests.exporter.landed import Attempt, id_of, land, land_workflow
from tests.exporter.truth import Samples, parsed

FAILURE, SLOWER, QUEUE, SCHEDULE, BURN, ROLLBACK, STUCK, BUDGET, STALE, RATE_LIMIT, DOWN, UNREADABLE = (
    "CICDPipelineFailureRate",
    "CICDPipelineSlower",
    "CICDQueueLong",
    "CICDScheduleMissed",
    "CICDErrorBudgetBurn",
    "CICDRollback",
    "CICDDeploymentStuck",
    "CICDBudgetBurn",
    "CICDSourceStale",
    "CICDRateLimitLow",
    "CICDExporterDown",
    "CICDSnapshotUnreadable",
)
BEGAN = datetime(2026, 11, 18, 8, tzinfo=UTC)  # a Wednesday
EVERY = 10  # minutes from one look to the next
SILENT = 110  # minutes after which one repository cannot be read any more
ENDS = 180
LOOKS = (-120, -15, *range(0, ENDS + 1, EVERY))  # minutes; the first one learns of all that was before
LOW = range(60, 130)  # minutes in which few requests are left
CONCLUSIONS = {"s": "success", "f": "failure", "c": "cancelled", "w": "success"}  # w has waited for its runner


def at(minutes: float) -> datetime:
    """Return a moment of the story."""
    return BEGAN + timedelta(minutes=minutes)


@dataclass(frozen=True, eq=False)
class Scenario:
    """What goes on in a repository (or with a service) and which rules should fire for it, from and to which minute.

    The minutes are worked out from the plan, by hand: those of someone who judges all the time what the looks brought.
    A plan says how the runs ended that came since the look before, a letter each.
    """

    key: str
    words: str
    fires: Mapping[str, Stretch] = field(default_factory=dict)
    plan: Callable[[int], str] = lambda _: ""
    is_service: bool = False

    @property
    def labels(self) -> set[tuple[str, str]]:
        """The label of its own that its alerts have, one of these."""
        return (
            {("service", self.key)}
            if self.is_service
            else {("repository", self.repository), ("subject", self.repository)}
        )

    @property
    def repository(self) -> str:
        """Its repository."""
        return f"acme/{self.key}"


def _from(minutes: int, then: str, before: str = "ssssss", until: int = ENDS) -> Callable[[int], str]:
    return lambda look: then if minutes <= look < until else before


def _hovering(look: int) -> str:
    """Return a tenth of failures and, each 70 minutes, one more: the hour is above the limit but for ten minutes."""
    return "ssssssssff" if look % 70 == 30 else "sssssssssf"


SCENARIOS = (
    # 2 of 24 fail in the hour at 30, 4 of 30 at 40; half an hour later it has held.
    Scenario("failing", "every third run fails", {FAILURE: (70, None)}, _from(30, "ssssff")),
    # 3 of 24 at 30. Those of 70 have left the hour at 130: 3 of 36 are left, and the alert is kept for 15 minutes.
    Scenario(
        "mended",
        "half of the runs fail for an hour, then it is mended",
        {FAILURE: (60, 145)},
        _from(30, "sssfff", until=90),
    ),
    # 5 of 40 at 30; at 90 and 160 a tenth, for ten minutes each, which is less than the alert is kept.
    Scenario("hovering", "the failure rate crosses 10 % again and again", {FAILURE: (60, None)}, _hovering),
    Scenario("limit", "exactly 10 % of runs fail", {}, _from(0, "sssssssssf")),
    Scenario(
        "sparse",
        "two runs an hour, all fail: fewer than 20 in the day",
        {},
        lambda look: "f" if look % 30 == 0 else "",
    ),
    # The twentieth comes at 90.
    Scenario("day", "twelve runs an hour, all fail: 20 in the day only", {FAILURE: (120, None)}, _from(0, "ff")),
    Scenario("cancelled", "every run is cancelled", {}, _from(0, "cccccc")),
    Scenario("backfill", "300 failures of last week are read at once", {}, _from(0, "ssssss")),
    # What is learned of within six hours counts when it is learned of, at 60.
    Scenario("soon", "40 failures are learned of five hours after their end", {FAILURE: (90, None)}),
    Scenario("late", "40 failures are learned of seven hours after their end", {}, _from(0, "ss")),
    Scenario("new", "a new workflow fails 30 times before it is first read", {FAILURE: (90, None)}),
    # 3 of 24 at 30: 12.5 % fail where 5 % may, in the six hours and in all.
    Scenario(
        "promised",
        "half of the runs fail, against an objective of 95 %",
        {FAILURE: (60, None), BURN: (35, None)},
        _from(30, "sssfff"),
    ),
    Scenario("eased", "every twelfth run fails, against an objective of 90 %", {}, _from(0, "sssssssssssf")),
    # 21 slow runs at 20 are all of the day and 4.2 % of the week, so that its p95 stays at 300 s.
    Scenario("slower", "the day's p95 is three times the week's", {SLOWER: (80, None)}),
    Scenario("pace", "the day's p95 is exactly 1.5 times the week's"),
    # 2 of 40 at 30 is no more than 5 %, 4 of 50 at 40 is. The last jobs are those of 110, so from 160 on under 20.
    Scenario(
        "waiting",
        "every fifth job waits over ten minutes for a runner ¹",
        {QUEUE: (55, 175)},
        _from(30, "sssssswssw", "ssssssssss"),
    ),
    Scenario("patient", "exactly 5 % of jobs wait over ten minutes", {}, _from(0, "s" * 19 + "w")),
    Scenario("few", "all jobs wait over ten minutes, six an hour", {}, _from(0, "w")),
    # Due at 30, may be half an hour late: the look at 60 cannot judge it yet.
    Scenario("nightly", "a scheduled start does not come", {SCHEDULE: (70, None)}),
    Scenario("punctual", "a scheduled start comes"),
    # 30 runs of half an hour at 20: 5.40 USD of 5.
    Scenario("dear", "the month's forecast crosses the budget", {BUDGET: (80, None)}),
    Scenario("thrifty", "the month's forecast stays within the budget"),
    Scenario("spender", "half of a month's budget goes on the first day that is known"),
    # Learned of at 70.
    Scenario("back", "production goes back", {ROLLBACK: (70, 130)}, is_service=True),
    Scenario("past", "a rollback is learned of after eight hours", is_service=True),
    # From 30 to 120 and a second, so over 30 minutes at 60 and a second; that it is over is learned of at 130.
    Scenario("stuck", "a deployment is under way for 90 minutes ²", {STUCK: (66, 130)}, is_service=True),
    Scenario("slow", "a deployment is under way for 25 minutes", is_service=True),
)
RULES = Rules(
    objectives=[(1, "acme/promised", "CI", 0.95), (2, "acme/eased", "CI", 0.9)],
    schedules=[(f"acme/{key}", "Nightly", "30 8 * * *", "UTC", 30) for key in ("nightly", "punctual")],
    spending_limits=[("repository", f"acme/{key}", f"acme/{key}", 5) for key in ("dear", "thrifty", "spender")],
)
REPOSITORIES = [one.repository for one in SCENARIOS if not one.is_service]
UNREAD = "acme/waiting"  # the repository that cannot be read in the end


class Story:
    """What happens, as attempts with ids of their own, by the look that learns of them."""

    def __init__(self) -> None:
        self._count = 0

    def news(self, look: int) -> list[Attempt]:
        """Return what a look learns of."""
        if look < 0:
            return list(self._history(look)) if look == LOOKS[0] else []
        planned = [self._planned(one, look) for one in SCENARIOS if not (one.repository == UNREAD and look > SILENT)]
        return [*(attempt for its in planned for attempt in its), *self._extra(look)]

    def _planned(self, scenario: Scenario, look: int) -> Iterator[Attempt]:
        for letter in scenario.plan(look):
            queue = 700 if letter == "w" else 5
            yield self._attempt(scenario.key, look - 1, CONCLUSIONS[letter], look, seconds=queue + 55, queue=queue)

    def _history(self, look: int) -> Iterator[Attempt]:
        for key in ("slower", "pace"):
            yield from (self._attempt(key, -1500 - 15 * number, "success", look, seconds=300) for number in range(480))
        for day in range(1, 10):
            for key in ("nightly", "punctual"):
                yield self._attempt(key, 31 + 1 - 1440 * day, "success", look, workflow="Nightly", event="schedule")
            for key in ("dear", "thrifty"):
                yield self._attempt(key, -1440 * day, "success", look, seconds=600)

    def _extra(self, look: int) -> Iterator[Attempt]:
        if look == 20:
            yield from (self._attempt("slower", -number, "success", look, seconds=900) for number in range(21))
            yield from (self._attempt("pace", -number, "success", look, seconds=450) for number in range(21))
            yield from (self._attempt("dear", -number, "success", look, seconds=1800) for number in range(30))
            yield from (self._attempt("spender", -number, "success", look, seconds=1800) for number in range(14))
        if look == 40:
            yield self._attempt("punctual", 32, "success", look, workflow="Nightly", event="schedule")
        if look == 60:
            yield from (self._attempt("backfill", -5 * 1440 - number, "failure", look) for number in range(300))
            yield from (self._attempt("soon", look - 300, "failure", look) for _ in range(40))
            yield from (self._attempt("late", look - 420, "failure", look) for _ in range(40))
            yield from (self._attempt("new", look - 30, "failure", look, workflow="Fresh") for _ in range(30))

    def _attempt(
        self,
        key: str,
        ended: float,
        conclusion: str,
        look: int,
        *,
        seconds: int = 60,
        queue: int = 5,
        workflow: str = "CI",
        event: str = "push",
    ) -> Attempt:
        self._count += 1
        started = at(ended) - timedelta(seconds=seconds)
        return Attempt(
            self._count, started, conclusion, seconds, queue, f"acme/{key}", workflow, event=event, seen_at=at(look)
        )


def deliveries() -> list[Action]:
    """Return what people do to the services."""
    told: list[Action] = []
    for key in ("back", "past", "stuck", "slow"):
        told.append(Create(_second(-3 * 1440), f"{key}-production", is_automated=False))
        told += [*_brought(key, 1, -2 * 1440), *_brought(key, 2, -1440)]
    told += [
        Rollback(_second(62), "back-production", 0, by="bob"),
        Rollback(_second(-600), "past-production", 0, by="bob"),
    ]
    return [*told, *_brought("stuck", 3, 30, seconds=90 * 60), *_brought("slow", 3, 30, seconds=25 * 60)]


def _brought(key: str, version: int, minutes: float, seconds: int = 4) -> list[Action]:
    second, application = _second(minutes), f"{key}-production"
    image = {key: f"ghcr.io/acme/{key}:main-{version:07x}"}
    return [
        Commit(second, application, (f"{version:040x}",), image),
        Sync(second, application, by="alice", outcome=Outcome(seconds=seconds)),
    ]


def _second(minutes: float) -> int:
    return int(at(minutes).timestamp())


_TEXT = promtool.RULES.read_text(encoding="utf-8")
_NAMES = set(re.findall(r"\b(?:github_actions|phoenix)_\w+", re.sub(r"#.*", "", _TEXT))) - {
    "github_actions_workflow_run_duration_seconds_bucket"  # of a recording rule on which no alert rests
}
_BUCKET = r"(?!.*\ble=\"(?!600\.0\"))"  # the one that is asked
_ASKED = re.compile(rf"({'|'.join(sorted(_NAMES))})[{{ ]{_BUCKET}")


@dataclass(frozen=True)
class Look:
    """What was seen at a minute: our verdicts, and the exporter's page, at first and once newcomers are shown."""

    minute: int
    held: Samples
    page: Samples
    conditions: list[Condition]
    stale: set[str]


def live_through(home: Path) -> list[Look]:
    """Live through all scenarios, look by look."""
    story, looks = Story(), []
    cluster = Cluster(sorted(deliveries(), key=lambda action: action.at))
    clock = MovingClock(at(LOOKS[0]))
    with (
        argocd_server.serving(cluster, clock.moment, token="t") as server,
        closing(SnapshotReader(home)) as reader,
        moving(clock, snapshot),
    ):
        environ = {"PHOENIX_HOME": str(home), "PHOENIX_ARGOCD_URL": server.url, "PHOENIX_ARGOCD_TOKEN": "t"}
        page = Page(reader, lambda: clock.moment)
        for look in LOOKS:
            server.now = at(look)
            clock.set(server.now)
            sync_argocd(load_settings(environ), lambda: server.now)
            _land_what_there_is(home, look)
            land(home, *story.news(look))
            judged = judge(home, RULES, at(look))
            held = asked_of(page)
            clock.set(at(look) + HOLD)
            looks.append(Look(look, held, asked_of(page), judged.conditions, judged.stale))
    return looks


def asked_of(page: Page) -> Samples:
    """Return what Prometheus's rules ask of a page; the rest is left out before it is read, which takes long."""
    text = page.render()[0].decode()
    return parsed("".join(line for line in text.splitlines(keepends=True) if _ASKED.match(line)).encode())


def _land_what_there_is(home: Path, look: int) -> None:
    if look == LOOKS[0]:
        for name in REPOSITORIES:
            payload = {"full_name": name, "default_branch": "main", "private": True, "archived": False}
            write_batch(home, "github_repositories", [Record(id_of(name), None, at(look), json.dumps(payload))])
            land_workflow(home, name, "Nightly" if name in ("acme/nightly", "acme/punctual") else "CI", at(look))
    if look == 60:
        land_workflow(home, "acme/new", "Fresh", at(look))
    write_batch(home, "github_syncs", [_pass(name, look) for name in REPOSITORIES])


def _pass(name: str, look: int) -> Record:
    is_read = name != UNREAD or look <= SILENT
    payload = {
        "repository": name,
        "repository_id": id_of(name),
        "state": "ok" if is_read else "failed",
        "finished_at": at(look).isoformat(),
        "complete_since": at(-9 * 1440 - 60).isoformat(),
        "missing_window_count": 0,
        "rate_limit": 5000,
        "rate_limit_remaining": 300 if look in LOW else 4000,
    }
    return Record(id_of(name), None, at(look), json.dumps(payload))
