"""When things run: everything every few minutes, a search for old runs run again daily, housekeeping weekly."""

import os
from datetime import UTC, datetime, timedelta

import dagster as dg

from phoenix_metrics.settings import load_settings

KEEP_RUNS = timedelta(days=14)
HOUR = 60
POLL_MINUTES = load_settings(os.environ).poll_minutes

sync = dg.define_asset_job(
    "sync", selection=dg.AssetSelection.all(), description="Ingest, transform, check and publish."
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


@dg.op
def delete_old_runs(context: dg.OpExecutionContext) -> None:
    """Delete Dagster's records of old runs; Dagster itself keeps them for ever."""
    before = datetime.now(UTC) - KEEP_RUNS
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = context.instance.get_runs(filters=dg.RunsFilter(created_before=before, statuses=finished))
    for run in old:
        context.instance.delete_run(run.run_id)
    context.log.info("deleted %d runs older than %d days", len(old), KEEP_RUNS.days)


@dg.job(description="Deletes Dagster's records of runs older than two weeks.")
def housekeeping() -> None:
    """Delete what would otherwise grow without end."""
    delete_old_runs()


weekly_housekeeping = dg.ScheduleDefinition(
    name="weekly_housekeeping",
    job=housekeeping,
    cron_schedule="11 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
