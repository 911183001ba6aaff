"""How many requests a day of a large organisation costs, by policy of detail: polled every five minutes.

With all that the schedule fetches: runs and jobs, and what goes with them (releases, pull requests, deployments, rules,
runners, bills, workflow files). Every run of an active repository belongs to a pull request that it updates.

    bench_organization_day.py [--repositories N] [--active-every N] [--runs N] [--policies A,B] [--world-only]

The organisation is simulated (tests/world) and met over HTTP; its clock goes through one day as fast as we can poll.
The requests do not depend on the machine. The first poll, which reads the history, is told apart from the day.
"""

import argparse
import re
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the simulation lives with the tests

from phoenix_metrics.defs import context
from phoenix_metrics.defs.intake import connected
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.settings import Settings, load_settings
from tests.world import Limit, Request, World, WorldServer, serving
from tests.world.days import Days
from tests.world.routes import Answer

DAY = datetime(2026, 3, 3, tzinfo=UTC)  # a Tuesday
STEP = timedelta(minutes=5)
LOOPS = (
    context.visit_releases,
    context.visit_pull_requests,
    context.visit_deployments,
    context.visit_rules,
    context.visit_runners,
    context.visit_billing,
    context.visit_workflow_files,
)
UNLIMITED = 10_000_000  # so that the figures say what is asked for, not what is allowed


def settings_for(server: WorldServer, home: str, policy: str) -> Settings:
    """Return settings that measure the whole organisation with a personal access token."""
    environ = {
        "PHOENIX_HOME": home,
        "PHOENIX_GITHUB_API_URL": server.url,
        "PHOENIX_GITHUB_TOKEN": "pat",
        "PHOENIX_GITHUB_ORGANIZATIONS": "acme",
        "PHOENIX_GITHUB_SINCE": (DAY - timedelta(days=60)).strftime("%Y-%m-%d"),
        "PHOENIX_GITHUB_DETAIL": policy,
    }
    return load_settings(environ)


def poll(settings: Settings, world: World) -> None:
    """Do what the schedule does every five minutes: poll what is due, and let each side loop visit what is due."""

    def clock() -> datetime:
        return world.now

    passes = sync_github(settings, Poll(everything=False), clock=clock)
    with connected(settings, clock) as connections:
        visits = [done for loop in LOOPS for done in loop(settings, connections.client_for, clock)]
    failed = [done.note for done in (*passes, *visits) if done.state != "ok"]
    if failed:
        sys.exit(f"{world.now}: {failed[0]}")


def context_of(world: World) -> dict[str, Any]:
    """Return GitHub's answers about what goes with the runs, by path."""

    def pulls(match: re.Match[str], _: dict[str, str]) -> Answer:
        run = world.repositories[int(match[1])].runs[-1]
        times = {"created_at": run.created_at, "updated_at": run.created_at}
        ends = {"head": {"ref": "it", "sha": "a"}, "base": {"ref": "main", "sha": "b"}}
        return Answer(200, [{"id": run.run_id, "number": 1, "state": "open", **times, **ends}])

    repository, owner = r"/repositories/(\d+)", "/orgs/acme/actions"
    folder = f"{repository}/contents/.github/workflows"
    text = b"on:\n  push:\n  schedule:\n    - cron: 0 2 * * *\njobs:\n  test: {}\n  build: {needs: test}\n"
    file = {"type": "file", "path": ".github/workflows/ci.yml", "sha": "f00d", "size": len(text)}
    return {
        folder: Answer(200, [file]),
        f"{folder}/ci.yml": Answer(200, {**file, "encoding": "base64", "content": b64encode(text).decode()}),
        f"{repository}/pulls": pulls,
        f"{repository}/deployments": Answer(200, []),
        f"{repository}/releases": Answer(200, []),
        f"{repository}/rules/branches/.*": Answer(200, []),
        f"{repository}/branches/.*": Answer(200, {"name": "main", "protected": False}),
        f"(?:{repository}|/orgs/acme)/actions/(?:hosted-)?runners": Answer(200, {"total_count": 0, "runners": []}),
        f"{owner}/runner-groups": Answer(200, {"total_count": 0, "runner_groups": []}),
        "/organizations/acme/settings/billing/usage": Answer(200, {"usageItems": []}),
    }


@dataclass(frozen=True)
class Figures:
    """What one policy asked for."""

    policy: str
    first: list[Request]
    day: list[Request]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=2000)
    parser.add_argument("--active-every", type=int, default=20)
    parser.add_argument("--runs", type=int, default=50, help="a day, of each active repository")
    parser.add_argument("--policies", default="full,failed,bulk")
    parser.add_argument("--world-only", action="store_true", help="let the day pass without polling")
    options = parser.parse_args()
    if options.world_only:
        pass_a_day(options)
        return
    report([measure(policy, options) for policy in options.policies.split(",")])


def organization(options: argparse.Namespace) -> tuple[World, Days]:
    """Return an organisation at midnight: two days of work behind it, one ahead, and many repositories at rest."""
    world = World(DAY - timedelta(days=2), sends_webhooks=False)
    made = [world.add_repository(f"service-{number:04}") for number in range(options.repositories)]
    active = made[:: options.active_every]
    days = Days(world)
    for number, repository in enumerate(made):
        if number % options.active_every == 0:
            continue
        with world.at(DAY - timedelta(days=days.luck.uniform(3, 90))):
            run, _ = world.create_run(repository)
            world.complete(run)
    for offset in (-2, -1, 0):
        days.plan(active, DAY + timedelta(days=offset), options.runs)
    days.advance_to(DAY)
    return world, days


def measure(policy: str, options: argparse.Namespace) -> Figures:
    """Poll an organisation of its own through one day."""
    world, days = organization(options)
    limits = {"core": Limit(UNLIMITED), "graphql": Limit(UNLIMITED)}
    started = time.perf_counter()
    with (
        serving(world, limits=limits, extra=context_of(world)) as server,
        tempfile.TemporaryDirectory(prefix="phoenix-bench-") as home,
    ):
        settings = settings_for(server, home, policy)
        poll(settings, world)
        first = len(server.requests)
        while world.now < DAY + timedelta(days=1):
            days.advance_to(world.now + STEP)
            poll(settings, world)
        return Figures(policy, server.requests[:first], server.requests[first:], time.perf_counter() - started)


def report(figures: list[Figures]) -> None:
    """Print what the first poll and the day cost, and what it was spent on."""
    heads = ("first", "day", "an hour", "busiest", "GraphQL", "304", "seconds")
    print(f"{'policy':<10}" + "".join(f"{head:>10}" for head in heads))
    for found in figures:
        core = [request for request in found.day if request.cost == "core"]
        by_hour = [sum(request.at.hour == hour for request in core) for hour in range(24)]
        values = (
            sum(request.cost is not None for request in found.first),
            len(core),
            len(core) / 24,
            max(by_hour),
            sum(request.cost == "graphql" for request in found.day),
            sum(request.status == 304 for request in found.day),
            found.seconds,
        )
        print(f"{found.policy:<10}" + "".join(f"{value:>10,.0f}" for value in values))
        asked = Counter((_kind(request), request.status) for request in found.day)
        for (kind, status), count in sorted(asked.items()):
            print(f"  {kind:<20}{status:>5}{count:>10,}")


def _kind(request: Request) -> str:
    """Return what was asked for, by the simulation's word or the end of the path."""
    return urlsplit(request.target).path.rpartition("/")[2] if request.kind == "other" else request.kind


def pass_a_day(options: argparse.Namespace) -> None:
    """Print what happens in the organisation in that day, and how long the simulation alone takes."""
    started = time.perf_counter()
    world, days = organization(options)
    before, count = len(world.runs), len(world.repositories)
    while world.now < DAY + timedelta(days=1):
        days.advance_to(world.now + STEP)
    truth = world.truth()
    again = sum(run.attempt > 1 and run.started_at >= DAY.strftime("%Y-%m-%d") for run in truth.runs)
    print(
        f"{count:,} repositories; {len(world.runs) - before:,} runs and {again:,} re-runs in the day; "
        f"{len(truth.jobs):,} jobs in all, {time.perf_counter() - started:.1f} s"
    )


if __name__ == "__main__":
    main()
