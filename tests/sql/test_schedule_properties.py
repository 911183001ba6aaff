"""What holds for any schedule: its starts are those that each minute tells, and each run is of the latest before it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.schedules import expand_schedules, foreseen
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Row, fill, rows_of

MODELS = load_models()
START = datetime(2026, 2, 20)  # noqa: DTZ001  # as the store has it
NOW = START + timedelta(days=10)
DAY = 24 * 60 * 60
CRONS = ["30 2 * * *", "*/20 1-3 * * *", "0 */6 * * *", "15 3 * * 0", "0 0 1 * *"]
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
Field = tuple[str, set[int]]

few = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> Field:
    """Return a field of a cron expression, and the values it stands for."""
    first, second = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    step = draw(st.integers(2, 15))
    return draw(
        st.sampled_from(
            [
                ("*", set(range(low, high + 1))),
                (str(first), {first}),
                (f"{first},{second}", {first, second}),
                (f"{first}-{second}", set(range(first, second + 1))),
                (f"{first}-{second}/{step}", set(range(first, second + 1, step))),
            ]
        )
    )


expressions = st.tuples(*(fields(*limits) for limits in LIMITS))


@given(expression=expressions)
@few
def test_starts_are_those_that_each_minute_tells(expression: tuple[Field, ...]) -> None:
    """Day and weekday both restricted mean either, as POSIX has it; the first moment is left out, the last is not."""
    cron = " ".join(text for text, _ in expression)
    after, until = START.replace(tzinfo=UTC), (START + timedelta(days=4)).replace(tzinfo=UTC)
    minutes = [START + timedelta(minutes=minute) for minute in range(1, 4 * 1440 + 1)]
    if expression[2] != ("30", {30}):  # cronsim refuses days that no month has, GitHub never starts them
        assert list(foreseen(cron, "UTC", after, until)) == [one for one in minutes if is_start(one, expression)]


def is_start(moment: datetime, expression: tuple[Field, ...]) -> bool:
    """Tell whether an expression names a minute."""
    minute, hour, day, month, weekday = expression
    is_day, is_weekday = moment.day in day[1], moment.isoweekday() % 7 in weekday[1]
    on_day = is_day and is_weekday if "*" in (day[0], weekday[0]) else is_day or is_weekday
    return moment.minute in minute[1] and moment.hour in hour[1] and moment.month in month[1] and on_day


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", "2026-03-28 01:30:00"),  # in winter an hour ahead of UTC
        ("2026-03-29", "2026-03-29 01:00:00"),  # 02:30 does not exist: at once after the gap
        ("2026-03-30", "2026-03-30 00:30:00"),  # in summer two hours
        ("2026-10-25", "2026-10-25 00:30:00"),  # 02:30 comes twice: once, the first time
    ],
)
def test_a_time_zone_moves_with_its_summer(day: str, expected: str) -> None:
    """Half past two in Berlin, one start a day."""
    after = datetime.fromisoformat(f"{day} 00:00:00+00:00") - timedelta(hours=2)
    starts = list(foreseen("30 2 * * *", "Europe/Berlin", after, after + timedelta(days=1)))
    assert [str(start) for start in starts] == [expected]


def test_the_newest_pass_is_the_clock(open_store: OpenStore, tmp_path: Path) -> None:
    """Starts are foreseen for the 28 days to the newest pass, anew with each pass, and not without one."""
    schedule = {"repository_pattern": "%", "workflow": "Nightly", "cron": "0 2 * * *", "timezone": "UTC"}
    with open_store(tmp_path) as connection:
        fill(connection, {"seeds.schedules": [schedule, schedule], "staging.github_syncs": []})
        counts = []
        for finished_at in (None, "2026-03-10 01:59:59", "2026-03-10 02:00:00"):
            if finished_at:
                row = {"repository": "acme/app", "state": "ok", "finished_at": finished_at}
                fill(connection, {"staging.github_syncs": [row]})
            expand_schedules(connection)
            counts.append(connection.execute("select count(*), max(expected_at) from seeds.schedule_starts").fetchone())
    assert counts == [(0, None), (28, datetime(2026, 3, 9, 2)), (28, datetime(2026, 3, 10, 2))]  # noqa: DTZ001


@given(
    steps=st.lists(st.integers(-3 * DAY, 40 * DAY), min_size=1, max_size=6),
    crons=st.lists(st.sampled_from(CRONS), min_size=1, max_size=3, unique=True),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
@few
def test_starts_worked_out_bit_by_bit_are_the_same(
    open_store: OpenStore, steps: list[int], crons: list[str], zone: str
) -> None:
    """However far passes are apart, or back, through summer and winter: those of 28 days, of settings and files."""
    now = datetime(2026, 9, 20, tzinfo=UTC)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for number, step in enumerate(steps):
            now += timedelta(seconds=step)
            told = crons[number % len(crons) :]
            fill_told(connection, told, zone, now)
            expand_schedules(connection)
            query = "select cron, timezone, expected_at from seeds.schedule_starts order by all"
            window = (now - timedelta(days=28), now)
            expected = sorted((cron, zone, start) for cron in told for start in foreseen(cron, zone, *window))
            assert connection.execute(query).fetchall() == expected


def fill_told(connection: duckdb.DuckDBPyConnection, crons: list[str], zone: str, now: datetime) -> None:
    """Let settings tell the first schedule and a file the others; an older version of it does not count any more."""
    version = {"repository_id": 7, "path": "a.yml", "fetched_at": "2026-01-02"}
    older = {**version, "fetched_at": "2026-01-01"}
    files = [{**version, "cron": cron, "timezone": zone} for cron in crons[1:]]
    tables: dict[str, list[Row]] = {
        "staging.github_syncs": [{"repository": "acme/app", "state": "ok", "finished_at": now.replace(tzinfo=None)}],
        "seeds.schedules": [{"cron": crons[0], "timezone": zone}],
        "staging.github_workflow_files": [older, version],
        "staging.github_workflow_crons": [*files, {**older, "cron": "7 7 * * *", "timezone": "UTC"}],
    }
    fill(connection, tables)


moments = st.integers(0, 10 * 24 * 6).map(lambda tens: START + timedelta(minutes=10 * tens))


@given(starts=st.lists(moments, unique=True, max_size=12), runs=st.lists(moments, max_size=12), is_off=st.booleans())
@few
def test_runs_are_matched_as_a_plain_reading_has_it(
    open_store: OpenStore, starts: list[datetime], runs: list[datetime], is_off: bool
) -> None:
    """Each run to the latest start at or before it, each start the earliest of its runs."""
    given_rows: dict[str, list[Row]] = {
        "staging.github_syncs": [{"repository": "acme/app", "state": "ok", "finished_at": NOW}],
        "marts.workflow_schedules": [
            {"workflow_id": 1, "told_by": "settings", "cron": "c", "timezone": "UTC", "late_minutes": 30}
        ],
        "seeds.schedule_starts": [{"cron": "c", "timezone": "UTC", "expected_at": start} for start in starts],
        "marts.workflows": [
            {
                "workflow_id": 1,
                "repository": "acme/app",
                "workflow": "Nightly",
                "state": "disabled_manually" if is_off else "active",
            }
        ],
        "marts.workflow_runs": [
            {"workflow_id": 1, "run_id": number, "event": "schedule", "created_at": run}
            for number, run in enumerate(runs, 1)
        ],
    }
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(connection, given_rows)
        build_mart(connection, MODELS["marts.scheduled_starts"], MODELS)
        found = rows_of(connection, "select expected_at, run_id, state from marts.scheduled_starts")
        assert sorted(tuple(row.values()) for row in found) == sorted(
            matched(starts, runs, is_off=is_off), key=lambda r: r[0]
        )


def matched(starts: list[datetime], runs: list[datetime], *, is_off: bool) -> list[tuple[datetime, int | None, str]]:
    """Return of each start the number of its run, and what became of it."""
    brought: dict[datetime, int] = {}
    for number, run in sorted(enumerate(runs, 1), key=lambda one: (one[1], one[0])):
        before = [start for start in starts if start <= run]
        if before:
            brought.setdefault(max(before), number)
    rows: list[tuple[datetime, int | None, str]] = []
    for start in starts:
        delay = runs[brought[start] - 1] - start if start in brought else None
        if delay is not None:
            state = "late" if delay > timedelta(minutes=30) else "on_time"
        elif is_off and not any(other > start for other in brought):
            state = "disabled"
        else:
            state = "pending" if NOW - start <= timedelta(minutes=30) else "missed"
        rows.append((start, brought.get(start), state))
    return rows
