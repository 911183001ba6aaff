"""What goes with the runs: releases, pull requests, deployments, annotations, checks, rules, runners, bills, files.

Each is fetched when it is due. A source that refuses never fails the run: how each visit went is landed, and
marts.data_health states what is missing.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from phoenix_metrics.defs.intake import Visit, connected, land_visit, note_visits, utc_now, visit_repositories
from phoenix_metrics.defs.known import ask, naive
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.github.annotations import fetch_annotations
from phoenix_metrics.sources.github.billing import fetch_billing_usage
from phoenix_metrics.sources.github.checks import fetch_commit_checks
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.deployments import Stored, fetch_deployments
from phoenix_metrics.sources.github.pull_requests import fetch_pull_requests
from phoenix_metrics.sources.github.releases import fetch_releases
from phoenix_metrics.sources.github.rules import fetch_branch_rules
from phoenix_metrics.sources.github.runners import (
    fetch_hosted_runners,
    fetch_organization_runners,
    fetch_repository_runners,
    fetch_runner_groups,
)
from phoenix_metrics.sources.github.side_loops import is_organization
from phoenix_metrics.sources.github.workflow_files import READER, fetch_workflow_files
from phoenix_metrics.sources.items import Batch

PULL_REQUESTS_EVERY = timedelta(minutes=15)
DEPLOYMENTS_EVERY = timedelta(minutes=15)
ANNOTATIONS_EVERY = timedelta(minutes=15)
RELEASES_EVERY = timedelta(hours=1)
CHECKS_EVERY = timedelta(hours=1)
RUNNERS_EVERY = timedelta(hours=1)
BILLING_EVERY = timedelta(hours=6)
REPOSITORY_RUNNERS_EVERY = timedelta(days=1)  # few repositories have any, and the list costs a request of each
RULES_EVERY = timedelta(days=1)
WORKFLOW_FILES_EVERY = timedelta(days=1)

COMMITS_A_VISIT = 50  # commits of a repository whose checks one visit reads, at two requests each

JOBS_A_VISIT = 50  # jobs of a repository whose annotations one visit reads, at a request each
ANNOTATIONS_FOR = timedelta(days=7)  # of jobs that ended longer ago nobody asks what was said

OPEN_DEPLOYMENTS_A_VISIT = 50  # deployments of a repository that are asked again whether they ended, a request each
OPEN_DEPLOYMENTS_FOR = timedelta(days=30)  # an approval may be waited for as long; many that are older never end

ClientFor = Callable[[str], GitHubClient]
FetchOrganization = Callable[[GitHubClient, str, Visit], Iterable[Batch]]
Clock = Callable[[], datetime]
Loop = Callable[[Settings, ClientFor], list[Visit]]


def visit_releases(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch new releases of every measured repository that is due."""
    fetch = partial(fetch_releases, since=settings.since_at(clock()))
    return visit_repositories(settings.home, client_for, "releases", RELEASES_EVERY, fetch, clock=clock)


def visit_pull_requests(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch new and changed pull requests of every measured repository that is due."""
    fetch = partial(fetch_pull_requests, since=settings.since_at(clock()))
    return visit_repositories(settings.home, client_for, "pull_requests", PULL_REQUESTS_EVERY, fetch, clock=clock)


def visit_deployments(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch new deployments of every measured repository that is due, and new states of those that were open."""
    now = clock()
    since = settings.since_at(now)
    open_after = max(since, now - OPEN_DEPLOYMENTS_FOR)
    question = {"since": naive(since), "open_after": naive(open_after), "count": OPEN_DEPLOYMENTS_A_VISIT}
    stored = {
        row["repository_id"]: Stored(frozenset(row["settled"]), tuple(row["unsettled"]))
        for row in ask(settings.home, "deployments", question)
    }
    fetch = partial(fetch_deployments, since=since, stored=stored)
    return visit_repositories(settings.home, client_for, "deployments", DEPLOYMENTS_EVERY, fetch, clock=clock)


def visit_annotations(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch what was said of jobs that did not pass, the newest of every measured repository that is due."""
    now = clock()
    after = max(settings.since_at(now), now - ANNOTATIONS_FOR)
    wanted: dict[int, list[tuple[int, int]]] = {}
    for row in ask(settings.home, "unread_annotations", {"after": naive(after), "count": JOBS_A_VISIT}):
        wanted.setdefault(row["repository_id"], []).append((row["job_id"], row["run_id"]))
    fetch = partial(fetch_annotations, wanted=wanted)
    return visit_repositories(settings.home, client_for, "annotations", ANNOTATIONS_EVERY, fetch, clock=clock)


def visit_checks(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch the checks of third parties on commits of the default branches whose runs have ended."""
    commits: dict[int, list[str]] = {}
    for row in ask(settings.home, "unchecked_commits", {"count": COMMITS_A_VISIT}):
        commits.setdefault(row["repository_id"], []).append(row["head_sha"])
    fetch = partial(fetch_commit_checks, commits=commits)
    return visit_repositories(settings.home, client_for, "checks", CHECKS_EVERY, fetch, clock=clock)


def visit_rules(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch what guards the default branch of every measured repository that is due."""
    return visit_repositories(settings.home, client_for, "rules", RULES_EVERY, fetch_branch_rules, clock=clock)


def visit_workflow_files(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch new and changed workflow files of every measured repository that is due."""
    stored: dict[int, dict[str, str | None]] = {}
    for row in ask(settings.home, "workflow_files", {"reader": READER}):
        stored.setdefault(row["repository_id"], {})[row["path"]] = row["sha"]
    fetch = partial(fetch_workflow_files, stored=stored, now=clock())
    return visit_repositories(settings.home, client_for, "workflow_files", WORKFLOW_FILES_EVERY, fetch, clock=clock)


def visit_runners(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch the runners of repositories and organisations, each list by a loop of its own: each has its permission."""
    visit = partial(visit_organizations, settings, client_for, clock=clock)
    return [
        *visit_repositories(
            settings.home,
            client_for,
            "repository_runners",
            REPOSITORY_RUNNERS_EVERY,
            fetch_repository_runners,
            clock=clock,
        ),
        *visit("runners", RUNNERS_EVERY, fetch_organization_runners),
        *visit("hosted_runners", RUNNERS_EVERY, fetch_hosted_runners),
        *visit("runner_groups", RUNNERS_EVERY, fetch_runner_groups),
    ]


def visit_billing(settings: Settings, client_for: ClientFor, clock: Clock = utc_now) -> list[Visit]:
    """Fetch what GitHub charges the organisations for Actions."""
    now = clock()
    fetch = partial(fetch_billing_usage, since=settings.since_at(now).date(), today=now.date())
    return visit_organizations(settings, client_for, "billing", BILLING_EVERY, fetch, clock=clock)


def visit_organizations(
    settings: Settings,
    client_for: ClientFor,
    loop: str,
    every: timedelta,
    fetch: FetchOrganization,
    *,
    clock: Clock = utc_now,
) -> list[Visit]:
    """Let a side loop visit each organisation it has not visited for `every`, and land what it yields.

    Organisations are those of the settings and the owners of measured repositories, as far as they are no persons.
    """
    now = clock()
    visits = []
    for row in ask(settings.home, "organizations", {"loop": loop, "names": list(settings.github_organizations)}):
        if row["tried_at"] is None or now - row["tried_at"] >= every:
            visit = Visit(loop, row["organization"], cursor=row["cursor"])
            batches = partial(_fetch_of_organization, client_for, visit, row["is_named"], fetch)
            visits.append(land_visit(settings.home, visit, batches))
    note_visits(settings.home, visits, clock())
    return visits


def _fetch_of_organization(
    client_for: ClientFor, visit: Visit, is_named: bool, fetch: FetchOrganization
) -> Iterator[Batch]:
    client = client_for(visit.subject).counted()
    try:
        if is_named or is_organization(client, visit.subject):
            yield from fetch(client, visit.subject, visit)
    finally:
        visit.request_count = client.request_count


def is_switched_on(settings: Settings, name: str) -> bool:
    """Whether the settings want a part of what goes with the runs."""
    return settings.github_checks if name == "checks" else name in settings.github_context


def _asset(name: str, loop: Loop, objects: Mapping[str, str]) -> dg.AssetsDefinition:
    specs = [
        dg.AssetSpec(
            ["landing", source_object],
            deps=[["landing", "github_syncs"]],
            group_name="landing",
            kinds={"parquet"},
            description=description,
        )
        for source_object, description in objects.items()
    ]

    @dg.multi_asset(name=f"github_{name}", specs=specs)
    def fetched(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        settings = load_settings(os.environ)
        is_wanted = settings.has_github and is_switched_on(settings, name)
        visits = []
        if is_wanted:
            with connected(settings) as connections:
                visits = loop(settings, connections.client_for)
        for visit in visits:
            if visit.state != "ok":
                context.log.warning("%s of %s: %s", visit.loop, visit.subject, visit.note)
        landed: Counter[str] = sum((visit.landed for visit in visits), Counter())
        states = Counter(f"visits {visit.state}" for visit in visits)
        for source_object in objects:
            rows = {"rows": landed[source_object]}
            yield dg.MaterializeResult(asset_key=["landing", source_object], metadata={**rows, **states})

    return fetched


LOOPS = [
    _asset("releases", visit_releases, {"github_releases": "Published releases with the commits of their tags."}),
    _asset(
        "pull_requests", visit_pull_requests, {"github_pull_requests": "Pull requests with the commits they became."}
    ),
    _asset(
        "deployments",
        visit_deployments,
        {
            "github_deployments": "Deployments that GitHub was told of.",
            "github_deployment_statuses": "The states that they came into.",
        },
    ),
    _asset(
        "annotations",
        visit_annotations,
        {"github_annotations": "What was said of the end of jobs that did not pass, a request for each."},
    ),
    _asset(
        "checks",
        visit_checks,
        {"github_commit_checks": "Checks of third parties on commits; only with PHOENIX_GITHUB_CHECKS."},
    ),
    _asset("rules", visit_rules, {"github_branch_rules": "What must hold before a change gets into a default branch."}),
    _asset(
        "runners",
        visit_runners,
        {
            "github_runners": "Self-hosted runners as listed.",
            "github_hosted_runners": "Larger runners hosted by GitHub, as listed.",
            "github_runner_groups": "Groups of runners as listed.",
        },
    ),
    _asset("billing", visit_billing, {"github_billing_usage": "What GitHub charged for Actions, by day or month."}),
    _asset(
        "workflow_files",
        visit_workflow_files,
        {"github_workflow_files": "Workflow files of default branches: schedules, and which job waits for which."},
    ),
]
