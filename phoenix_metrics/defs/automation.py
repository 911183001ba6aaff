"""When ingestion runs: what is due every few minutes, and, daily and weekly, a search for old runs run again."""

import os

import dagster as dg

from phoenix_metrics.defs.weekly_report import GROUP
from phoenix_metrics.settings import load_settings

HOUR = 60
POLL_MINUTES = load_settings(os.environ).poll_minutes

sync = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP),
    description="Ingest, transform, check and publish.",
)

every_few_minutes = dg.ScheduleDefinition(
    name="every_few_minutes",
    job=sync,
    cron_schedule=f"*/{POLL_MINUTES} * * * *" if POLL_MINUTES < HOUR else "0 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps the snapshot fresh.",
)

daily_reconcile = dg.ScheduleDefinition(
    name="daily_reconcile",
    job=sync,
    cron_schedule="37 3 * * *",
    run_config={"ops": {"github": {"config": {"everything": True, "reconcile": True}}}},
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Lists the last 31 days again, so that re-runs that began and ended between two passes are found.",
)

weekly_deep_reconcile = dg.ScheduleDefinition(
    name="weekly_deep_reconcile",
    job=sync,
    cron_schedule="7 5 * * 6",
    run_config={"ops": {"github": {"config": {"everything": True, "deep": True}}}},
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Lists the last 66 days of every repository again: a run may be run again for 30 days and take 35.",
)
