"""Ingestion of runs and jobs: what GitHub says, written to landing files. Writes nothing to the store."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from phoenix_metrics.defs.polling import Pass, Poll, sync_github
from phoenix_metrics.progress import TerminalProgress
from phoenix_metrics.settings import load_settings

LANDED = {
    "github_repositories": "GitHub repositories as fetched.",
    "github_workflows": "GitHub Actions workflows as fetched.",
    "github_runs": "Workflow runs, each attempt, as fetched.",
    "github_jobs": "Jobs with their steps, as fetched.",
    "github_run_details": "Runs whose jobs were read to the end, and how.",
    "github_gone_runs": "Runs that were found deleted at the source.",
    "github_windows": "Stretches of history that were read to the end.",
    "github_budgets": "What GitHub said of the rate limits of each credential.",
    "github_syncs": "How each pass of ingestion ended.",
}


class IngestConfig(dg.Config):
    """How one run differs from the schedule's: an earlier start of the history, repositories that are not due, too."""

    since: str | None = None
    everything: bool = False
    reconcile: bool = False
    deep: bool = False


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["landing", name], group_name="landing", kinds={"parquet"}, description=description)
        for name, description in LANDED.items()
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
    poll = Poll(everything=config.everything, reconcile=config.reconcile, deep=config.deep)
    with TerminalProgress() as progress:
        passes = sync_github(load_settings(os.environ, **overrides), poll, progress)
    landed: Counter[str] = sum((done.landed for done in passes), Counter())
    failed = {done.outcome.repository: done.note for done in passes if done.state != "ok"}
    for name, note in failed.items():
        context.log.warning("%s: %s", name, note)
    for name in LANDED:
        if name != "github_syncs":
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
