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

    Call it after loading, which moves that moment, and before building marts. Only what has come since the last call is
    worked out: a start every five minutes is 8,064 of them in 28 days, and files tell many schedules.
    """
    [(newest,)] = connection.execute("select max(finished_at) from staging.github_syncs").fetchall()
    with transaction(connection):
        connection.execute("delete from seeds.schedule_starts")
        if newest:
            _go_on(connection, newest)
            connection.execute(
                "insert into seeds.schedule_starts select cron, timezone, unnest(starts) from meta.foreseen"
            )


def _go_on(connection: duckdb.DuckDBPyConnection, newest: datetime) -> None:
    """Bring `meta.foreseen` to a moment: the schedules that are told, each with its starts in the 28 days before."""
    first = newest - WINDOW
    told = connection.execute(_TOLD, {"after": first}).fetchall()
    usable = "foreseen_to between $first and $newest"
    known = connection.execute(
        f"select cron, timezone, foreseen_to from meta.foreseen where {usable}", {"first": first, "newest": newest}
    ).fetchall()
    read_to = {(cron, timezone): foreseen_to for cron, timezone, foreseen_to in known}
    spans = [(cron, zone, read_to.get((cron, zone), first).replace(tzinfo=UTC)) for cron, zone in told]
    until = newest.replace(tzinfo=UTC)
    news = [(cron, zone, list(foreseen(cron, zone, after, until))) for cron, zone, after in spans]
    columns = [list(column) for column in zip(*news, strict=True)] or [[], [], []]
    connection.execute(
        f"""
        create or replace table meta.foreseen as
        select
            news.cron,
            news.timezone,
            list_filter(list_concat(coalesce(known.starts, []), news.starts), lambda start: start > $first) as starts,
            $newest::timestamp as foreseen_to
        from (
            select
                unnest($crons::varchar[]) as cron,
                unnest($zones::varchar[]) as timezone,
                unnest($starts::timestamp[][]) as starts
        ) as news
        left join (from meta.foreseen where {usable}) as known using (cron, timezone)
        """,
        {"first": first, "newest": newest, **dict(zip(("crons", "zones", "starts"), columns, strict=True))},
    )


def foreseen(cron: str, timezone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the starts after one moment and up to another, in UTC and without its name, as the store has times."""
    for start in CronSim(cron, after.astimezone(ZoneInfo(timezone))):
        moment = start.astimezone(UTC)
        if moment > until:
            return
        if moment > after:  # within an hour that is repeated it begins with that of the first time
            yield moment.replace(tzinfo=None)
