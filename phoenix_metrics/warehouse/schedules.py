"""When schedules foresee a start: cron expressions as rows of times, for the marts to compare with what started."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
from cronsim import CronSim

from phoenix_metrics.warehouse.store import transaction

WINDOW = timedelta(days=28)

_TOLD = """
    select cron, timezone from seeds.schedules
    union
    select crons.cron, crons.timezone
    from staging.github_workflow_crons as crons
    inner join (
        select *, lead(fetched_at) over (partition by repository_id, path order by fetched_at) as replaced_at
        from staging.github_workflow_files
    ) as files using (repository_id, path, fetched_at)
    where files.replaced_at is null or files.replaced_at > $after
    order by all
"""


def expand_schedules(connection: duckdb.DuckDBPyConnection) -> None:
    """Let `seeds.schedule_starts` hold every start that a schedule foresees in the 28 days to the newest pass.

    Call it after loading, which moves that moment, and before building marts.
    """
    [(newest,)] = connection.execute("select max(finished_at) from staging.github_syncs").fetchall()
    schedules = connection.execute(_TOLD, {"after": newest - WINDOW if newest else None}).fetchall()
    with transaction(connection):
        connection.execute("delete from seeds.schedule_starts")
        for cron, timezone in schedules if newest else ():
            until = newest.replace(tzinfo=UTC)
            starts = list(foreseen(cron, timezone, until - WINDOW, until))
            connection.execute(
                "insert into seeds.schedule_starts select ?, ?, unnest(?::timestamp[])", [cron, timezone, starts]
            )


def foreseen(cron: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the starts after one moment and up to another, in UTC and without its name, as the store has times."""
    for start in CronSim(cron, after.astimezone(ZoneInfo(timezone))):
        moment = start.astimezone(UTC)
        if moment > until:
            return
        yield moment.replace(tzinfo=None)
