"""Test reports: JUnit files from the artifacts that runs uploaded, fetched when they are due."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from phoenix_metrics.defs.intake import Measured, Visit, connected, utc_now, visit_repositories
from phoenix_metrics.defs.known import ask
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.github.artifacts import Known, Wanted, fetch_reports
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.items import Batch

REPORTS_EVERY = timedelta(hours=1)

LANDED = {
    "test_reports": "JUnit reports as read: their cases, or the reason why not.",
    "github_artifacts": "Artifacts that may hold test reports, and how reading them went.",
}


def visit_reports(
    settings: Settings, client_for: Callable[[str], GitHubClient], clock: Callable[[], datetime] = utc_now
) -> list[Visit]:
    """Fetch the new test reports of every measured repository that is due."""
    wanted = Wanted(settings.github_reports, settings.since_at(clock()), settings.github_report_mb << 20)
    fetch = partial(_fetch, wanted=wanted, known=known_artifacts(settings))
    return visit_repositories(settings.home, client_for, "reports", REPORTS_EVERY, fetch, clock=clock)


def known_artifacts(settings: Settings) -> dict[int, Known]:
    """Return the artifacts that need not be read again, by repository."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in ask(settings.home, "artifacts_read", {}):
        found.setdefault(row["repository_id"], []).append(row)
    return {
        repository_id: Known(
            frozenset(row["artifact_id"] for row in rows),
            frozenset((row["run_id"], row["digest"]) for row in rows if row["state"] == "parsed" and row["digest"]),
        )
        for repository_id, rows in found.items()
    }


def _fetch(
    client: GitHubClient, repository: Measured, visit: Visit, *, wanted: Wanted, known: Mapping[int, Known]
) -> Iterable[Batch]:
    return fetch_reports(client, repository, visit, wanted=wanted, known=known.get(repository.repository_id, Known()))


@dg.multi_asset(
    name="github_reports",
    specs=[
        dg.AssetSpec(
            ["landing", name],
            deps=[["landing", "github_syncs"]],
            group_name="landing",
            kinds={"parquet"},
            description=description,
        )
        for name, description in LANDED.items()
    ],
)
def github_reports(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Fetch new test reports and write them to landing."""
    settings = load_settings(os.environ)
    is_wanted = settings.has_github and bool(settings.github_reports)
    visits = []
    if is_wanted:
        with connected(settings) as connections:
            visits = visit_reports(settings, connections.client_for)
    for visit in visits:
        if visit.state != "ok":
            context.log.warning("reports of %s: %s", visit.subject, visit.note)
    landed: Counter[str] = sum((visit.landed for visit in visits), Counter())
    states = Counter(f"visits {visit.state}" for visit in visits)
    for name in LANDED:
        yield dg.MaterializeResult(asset_key=["landing", name], metadata={"rows": landed[name], **states})
