"""Housekeeping: what would otherwise grow without end."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from phoenix_metrics.defs.transform import WRITER_POOL, home
from phoenix_metrics.warehouse.compaction import compact_landing
from phoenix_metrics.warehouse.store import writing

KEEP_RUNS = timedelta(days=14)


@dg.op(pool=WRITER_POOL)
def compact(context: dg.OpExecutionContext) -> None:
    """Make one landing file of the many of each source object and day that is over."""
    now = datetime.now(UTC)
    with writing(home()) as connection:
        done = compact_landing(connection, home(), now.date(), now)
    context.log.info(
        "%d landing files became %d; %d replaced earlier were deleted",
        done.replaced_count,
        done.written_count,
        done.deleted_count,
    )


@dg.job(description="Makes one landing file of the many of each day that is over.")
def compaction() -> None:
    """Keep the archive to few files."""
    compact()


daily_compaction = dg.ScheduleDefinition(
    name="daily_compaction",
    job=compaction,
    cron_schedule="23 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
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
