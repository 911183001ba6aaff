"""A morning on which the demo organisation's pipeline breaks and is mended: its plan, and passes every five minutes.

What should come of it is worked out from the plan alone, run by run. The passes collect it through GitHub's API,
evaluate our own rules, publish a snapshot and tell Slack, by a clock that is moved.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from phoenix_metrics.alerts.delivery import Attempt
from phoenix_metrics.defs.messages import tell
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.demo.control import Control
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.scenes import SceneLog
from phoenix_metrics.demo.universe import DAY, FOUNDED
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.warehouse import snapshot
from phoenix_metrics.warehouse.rules import NO_RULES
from tests.defs.moving_clock import MovingClock, moving
from tests.demo.collected import serving
from tests.deploy.passes import judge

SEED = 2
PACE = 10.0  # so busy that each hour has the 20 decided runs that it takes to judge by the hour
REPOSITORIES = 2
DAYS = 3  # of history that can be seen

TODAY = datetime.fromtimestamp((FOUNDED + 1) * DAY, UTC)  # a Tuesday; the organisation began the day before
EVERY = timedelta(minutes=5)
CALM = TODAY + timedelta(hours=8)  # nothing else goes wrong from then on
FIRST = TODAY + timedelta(hours=9, minutes=35)  # the first pass learns of all that was before
BROKEN = TODAY + timedelta(hours=9, minutes=40)
MENDED = TODAY + timedelta(hours=10, minutes=22, seconds=30)
LAST = TODAY + timedelta(hours=11, minutes=45)
WISHES: dict[datetime, dict[str, Any]] = {  # what the organisation is asked for, and when
    CALM: {"scene": "calm"},
    BROKEN: {"break": True, "runs_per_minute": 6},
    MENDED: {"break": False},
}
PASSES = [FIRST + number * EVERY for number in range((LAST - FIRST) // EVERY + 1)]

HOUR, LATE, FULL_DAY = timedelta(hours=1), timedelta(hours=6), timedelta(days=1)
ENOUGH, LIMIT = 20, 0.1  # decided runs, and the share of failures that is too large
HOLD, KEEP = timedelta(minutes=30), timedelta(minutes=15)
FAILURES = ("failure", "timed_out", "startup_failure")

ALL = "all"
PIPELINE = "phoenix/platform CI Pipeline"


@dataclass(frozen=True)
class Episode:
    """When an alert fires and when it is resolved."""

    fired_at: datetime
    ended_at: datetime


# The plan ------------------------------------------------------------------------------------------------------------


def planned() -> Organization:
    """Return the organisation to which all of it happens."""
    organization = Organization(SEED, DAYS, PACE, REPOSITORIES)
    platform = organization.platform
    living = LivingCluster(platform.universe, platform, DAYS)
    control = Control(SceneLog(), organization.breakages, organization.worlds, living, _second(TODAY))
    for moment, wish in WISHES.items():
        control.grant(json.dumps(wish).encode(), _second(moment))
    return organization


def decided(organization: Organization) -> dict[str, list[tuple[datetime, bool]]]:
    """Return when the attempts of each pipeline, and of all together, ended and whether they failed.

    Those that neither succeeded nor failed do not count, nor do those that ended over six hours before the first pass.
    """
    found: dict[str, list[tuple[datetime, bool]]] = {ALL: []}
    for world in organization.worlds:
        for run in world.since(FOUNDED * DAY, _second(LAST)):
            for attempt in run.attempts:
                ended = datetime.fromtimestamp(attempt.settled_at, UTC)
                if attempt.conclusion in ("success", *FAILURES) and FIRST - LATE < ended <= LAST:
                    one = (ended, attempt.conclusion in FAILURES)
                    found.setdefault(f"{world.repository.full_name} {run.trigger.workflow.name}", []).append(one)
                    found[ALL].append(one)
    return {subject: sorted(ends) for subject, ends in found.items()}


def breached(ends: Sequence[tuple[datetime, bool]]) -> Iterator[tuple[datetime, datetime]]:
    """Yield from when to when too large a share of a pipeline's attempts had failed, by the second."""
    since = None
    moments = [ended for ended, _ in ends]
    failures = [ended for ended, has_failed in ends if has_failed]
    for second in range(int((LAST - FIRST).total_seconds()) + 1):
        now = FIRST + timedelta(seconds=second)
        is_breached = _is_breached(moments, failures, now)
        if is_breached and since is None:
            since = now
        if not is_breached and since is not None:
            yield since, now
            since = None
    if since is not None:
        yield since, LAST


def _is_breached(moments: Sequence[datetime], failures: Sequence[datetime], now: datetime) -> bool:
    for window in (HOUR, FULL_DAY):
        count = _count(moments, now - window, now)
        if count >= ENOUGH:
            return _count(failures, now - window, now) / count > LIMIT
    return False


def _count(moments: Sequence[datetime], after: datetime, until: datetime) -> int:
    return bisect_right(moments, until) - bisect_right(moments, after)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


# Passes --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorded:
    """What the passes left: a home, the snapshot of each by its moment, and how each message to Slack went."""

    home: Path
    snapshots: Mapping[datetime, Path]
    told: Sequence[Attempt]


def live_through(folder: Path, slack: str) -> Recorded:
    """Live through the morning, pass by pass, each of which tells an address of Slack what is due."""
    clock = MovingClock(FIRST)
    snapshots: dict[datetime, Path] = {}
    told: list[Attempt] = []
    with (
        serving(SEED, lambda: clock.moment, days=DAYS, pace=PACE, repositories=REPOSITORIES) as address,
        moving(clock, snapshot),
    ):
        settings = _settings(folder / "recorded", address, slack)
        for moment in sorted({*PASSES, *WISHES}):
            clock.set(moment)
            if moment in WISHES:
                requests.post(f"{address}/_control", json=WISHES[moment], timeout=60).raise_for_status()
            if moment in PASSES:
                snapshots[moment] = _pass(settings, clock)
                told += tell(settings, lambda: clock.moment)
    return Recorded(settings.home, snapshots, told)


def _pass(settings: Settings, clock: MovingClock) -> Path:
    """Collect, load, build, evaluate and publish; return the snapshot under a name that stays."""
    done = sync_github(settings, Poll(everything=clock.moment == FIRST), clock=lambda: clock.moment)
    assert all(one.state == "ok" for one in done)
    published = judge(settings.home, NO_RULES, clock.moment).snapshot.path
    kept = settings.home / f"{clock.moment:%H%M}.duckdb"
    kept.hardlink_to(published)
    return kept


def _settings(home: Path, address: str, slack: str) -> Settings:
    return load_settings(
        {
            "PHOENIX_HOME": str(home),
            "PHOENIX_GITHUB_API_URL": address,
            "PHOENIX_GITHUB_ORGANIZATIONS": "phoenix",
            "PHOENIX_GITHUB_TOKEN": "demo",
            "PHOENIX_GITHUB_SINCE": f"{TODAY:%Y-%m-%d}",
            "PHOENIX_SLACK_WEBHOOK": slack,
        }
    )
