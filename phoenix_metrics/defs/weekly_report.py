"""The weekly report: the last seven whole days, written each Monday from what is published then, and posted to Slack.

What is to be posted is written beside it first. So Slack may be away: each pass tries again, see `messages.tell`.
"""

import os
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.alerts.delivery import targets_of
from phoenix_metrics.defs.intake import utc_now
from phoenix_metrics.defs.messages import REPORTS, tell, told
from phoenix_metrics.defs.transform import WRITER_POOL
from phoenix_metrics.report.digest import make_digest
from phoenix_metrics.report.document import Digest
from phoenix_metrics.report.files import write_whole
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.posting import Posting, write_posting
from phoenix_metrics.report.rendering import render
from phoenix_metrics.report.slack import slack_body
from phoenix_metrics.settings import Settings, load_settings

GROUP = "report"
DAYS = 7


def write_report(settings: Settings, digest: Digest) -> dict[str, Path]:
    """Write a digest in each format, named for the ISO week in which its days end, and what is to be posted of it."""
    folder = settings.home / REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    written = {form.value: folder / f"{digest.week}{form.suffix}" for form in ReportFormat}
    for form, path in zip(ReportFormat, written.values(), strict=True):
        write_whole(path, render(digest, form))
    targets = [target.name for target in targets_of(settings) if target.kind == "slack"]
    if targets:
        body = slack_body(digest, settings.dashboard_address)
        written["slack"] = write_posting(folder, Posting(digest.week, utc_now(), targets, body))
    return written


@dg.asset(
    name="report",
    deps=["snapshot"],
    group_name=GROUP,
    kinds={"markdown", "html"},
    description="The digest of the last seven whole days, in PHOENIX_HOME/reports; older ones stay.",
)
def weekly_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Write the digest in each format."""
    settings = load_settings(os.environ)
    digest = make_digest(settings, DAYS, utc_now())
    if digest.notice:
        context.log.warning("the report is stale: %s", digest.notice)
    written = write_report(settings, digest)
    return dg.MaterializeResult(metadata={name: dg.MetadataValue.path(path) for name, path in written.items()})


@dg.asset(
    deps=["report"],
    group_name=GROUP,
    kinds={"slack"},
    description="The short form of the report, posted to Slack once for each week where PHOENIX_SLACK_WEBHOOK is set.",
    pool=WRITER_POOL,
)
def report_message(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Post what was written; if Slack cannot be reached, passes try again."""
    return told(context, tell(load_settings(os.environ)))


weekly_report_job = dg.define_asset_job(
    "weekly_report",
    selection=dg.AssetSelection.groups(GROUP),
    description="Writes and posts the report of the last seven days; a run of its own, for which no snapshot waits.",
)

every_monday = dg.ScheduleDefinition(
    name="every_monday",
    job=weekly_report_job,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Writes the report of the week that ended on Sunday, and posts it to Slack.",
)
