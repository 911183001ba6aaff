"""The weekly report: the last seven whole days, written each Monday from what is published then."""

import os
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from phoenix_metrics.report.digest import make_digest
from phoenix_metrics.report.files import write_whole
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from phoenix_metrics.settings import load_settings

GROUP = "report"
DAYS = 7


@dg.asset(
    name="report",
    deps=["snapshot"],
    group_name=GROUP,
    kinds={"markdown", "html"},
    description="The digest of the last seven whole days, in PHOENIX_HOME/reports; older ones stay.",
)
def weekly_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Write the digest in each format, named for the ISO week in which its days end."""
    settings = load_settings(os.environ)
    digest = make_digest(settings, DAYS, datetime.now(UTC))
    if digest.notice:
        context.log.warning("the report is stale: %s", digest.notice)
    folder = settings.home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    written = {form: folder / f"{digest.week}{form.suffix}" for form in ReportFormat}
    for form, path in written.items():
        write_whole(path, render(digest, form))
    return dg.MaterializeResult(metadata={form.value: dg.MetadataValue.path(path) for form, path in written.items()})


weekly_report_job = dg.define_asset_job(
    "weekly_report",
    selection=dg.AssetSelection.groups(GROUP),
    description="Writes the report of the last seven days; a run of its own, so that no snapshot waits for it.",
)

every_monday = dg.ScheduleDefinition(
    name="every_monday",
    job=weekly_report_job,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Writes the report of the week that ended on Sunday.",
)
