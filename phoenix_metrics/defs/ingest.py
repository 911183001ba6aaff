"""Ingestion: what GitHub says, written to landing files. Asks the store what is here, writes nothing to it."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.defs.intake import land
from phoenix_metrics.defs.known import ask_known
from phoenix_metrics.errors import BudgetError, SettingsError, SourceError
from phoenix_metrics.progress import TerminalProgress
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.github.budget import Budget
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.github.history import (
    Outcome,
    Progress,
    RepositoryPass,
    fetch_organization_repositories,
    fetch_repository,
)
from phoenix_metrics.sources.github.payloads import as_text
from phoenix_metrics.warehouse import landing


class IngestConfig(dg.Config):
    """How one run differs from the settings: an earlier start of the history, and whether to look for all re-runs."""

    since: str | None = None
    reconcile: bool = False


@dataclass
class Pass:
    """How one pass over a repository went: ok, partial or failed, why, what it found and how many rows it landed."""

    state: str
    note: str | None
    outcome: Outcome
    landed: Counter[str] = field(default_factory=Counter)
    request_count: int = 0
    requests_left: int | None = None


def sync_github(settings: Settings, *, reconcile: bool = False, progress: Progress | None = None) -> list[Pass]:
    """Bring every configured repository up to date in landing; a repository that fails does not stop the others.

    Raises SettingsError when nothing to measure is configured.
    """
    if not settings.has_sources:
        raise SettingsError(
            "PHOENIX_GITHUB_REPOSITORIES: set it, or PHOENIX_GITHUB_ORGANIZATIONS, to say what to measure"
        )
    client = Connections(settings).client_for("")
    budget = client.budget
    names, passes = _names(client, settings)
    for name in names:
        before = budget.request_count
        done = _sync_repository(settings, client, name, reconcile=reconcile, progress=progress)
        _land_sync(settings.home, budget, done, budget.request_count - before)
        passes.append(done)
    return passes


def _names(client: GitHubClient, settings: Settings) -> tuple[list[str], list[Pass]]:
    """Return each repository once, those named and those the organisations have, and the organisations that failed."""
    names = list(settings.github_repositories)
    failed = []
    for organization in settings.github_organizations:
        try:
            names += fetch_organization_repositories(client, organization)
        except SourceError as error:
            failed.append(Pass("failed", str(error), Outcome(organization)))
            _land_sync(settings.home, client.budget, failed[-1], 1)
    return list({name.lower(): name for name in reversed(names)}.values())[::-1], failed


def _sync_repository(
    settings: Settings, client: GitHubClient, name: str, *, reconcile: bool, progress: Progress | None
) -> Pass:
    outcome = Outcome(name)
    landed: Counter[str] = Counter()
    try:
        repository = fetch_repository(client, name)
        now = datetime.now(UTC).replace(microsecond=0)
        since = settings.since_at(now)
        known = ask_known(settings.home, repository["id"], since, now)
        steps = RepositoryPass(client, repository, known, since=since, now=now, reconcile=reconcile, progress=progress)
        outcome = steps.outcome
        for batch in steps.fetch_batches():
            landed += land(settings.home, repository["id"], batch)
    except BudgetError as error:
        return Pass("partial", str(error), outcome, landed)
    except SourceError as error:
        return Pass("failed", str(error), outcome, landed)
    except (KeyError, TypeError, ValueError) as error:
        return Pass("failed", f"{name}: GitHub's answer is not as documented ({error!r})", outcome, landed)
    return Pass("ok", None, outcome, landed)


def _land_sync(home: Path, budget: Budget, done: Pass, request_count: int) -> None:
    """Write down how the pass went, for data_health and for the next pass."""
    outcome = done.outcome
    now = datetime.now(UTC)
    payload = {
        "repository": outcome.repository,
        "repository_id": outcome.repository_id,
        "state": done.state,
        "note": done.note,
        "finished_at": now.isoformat(),
        "complete_since": _iso(outcome.complete_since),
        "missing_window_count": outcome.missing_window_count,
        "reconciled_to": _iso(outcome.reconciled_to),
        "request_count": request_count,
        "rate_limit": budget.limit,
        "rate_limit_remaining": budget.remaining,
    }
    done.request_count, done.requests_left = request_count, budget.remaining
    landing.write_batch(home, "github_syncs", [landing.Record(outcome.repository_id, None, now, as_text(payload))])


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["landing", name], group_name="landing", kinds={"parquet"}, description=description)
        for name, description in {
            "github_repositories": "GitHub repositories as fetched.",
            "github_workflows": "GitHub Actions workflows as fetched.",
            "github_runs": "Workflow runs, each attempt, as fetched.",
            "github_jobs": "Jobs with their steps, as fetched.",
            "github_windows": "Stretches of history that were read to the end.",
            "github_syncs": "How each pass of ingestion ended.",
        }.items()
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "every_source_answered",
            asset=["landing", "github_syncs"],
            description="Every repository was read to the end. Does not block: what was read is published.",
        )
    ],
    name="github",
)
def github(context: dg.AssetExecutionContext, config: IngestConfig) -> Iterator[dg.MaterializeResult[Any]]:
    """Fetch what is new or changed on GitHub and write it to landing."""
    overrides = {"github_since": config.since} if config.since else {}
    settings = load_settings(os.environ, **overrides)
    with TerminalProgress() as progress:
        passes = sync_github(settings, reconcile=config.reconcile, progress=progress)
    landed: Counter[str] = sum((done.landed for done in passes), Counter())
    failed = {done.outcome.repository: done.note for done in passes if done.state != "ok"}
    for name, note in failed.items():
        context.log.warning("%s: %s", name, note)
    for name in landing.OBJECTS:
        if name not in ("github_syncs", "github_visits"):
            yield dg.MaterializeResult(asset_key=["landing", name], metadata={"rows": landed[name]})
    yield dg.MaterializeResult(
        asset_key=["landing", "github_syncs"],
        metadata=_metadata(passes),
        check_results=[
            dg.AssetCheckResult(
                passed=not failed,
                check_name="every_source_answered",
                metadata={"failed": failed},
                severity=dg.AssetCheckSeverity.ERROR,
            )
        ],
    )


def _metadata(passes: list[Pass]) -> dict[str, int]:
    left = [done.requests_left for done in passes if done.requests_left is not None]
    return {
        "repositories": len(passes),
        "runs": sum(done.outcome.run_count for done in passes),
        "jobs": sum(done.outcome.job_count for done in passes),
        "missing windows": sum(done.outcome.missing_window_count or 0 for done in passes),
        "requests": sum(done.request_count for done in passes),
        **({"requests left": min(left)} if left else {}),
    }
