"""What holds for any jobs: how many run and wait in an hour is what counting them minute by minute gives."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Row, fill, rows_of

MODELS = load_models()
SINCE = datetime(2026, 3, 3, 12)  # noqa: DTZ001  # as the store has it
HOURS = 7 * 24
NOW = SINCE + timedelta(hours=HOURS, minutes=20)
Job = tuple[int, int | None, int | None]  # when it was created, started and ended, in minutes from SINCE


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Return a job: near one end of the week or across it; it may never start, or not have ended."""
    created = draw(st.sampled_from([-200, 0, 60 * HOURS - 200])) + draw(st.integers(0, 220))
    wait, run = draw(st.sampled_from([0, 0, 7, 130])), draw(st.sampled_from([0, 1, 59, 60, 61, 500, 9000]))
    started = draw(st.sampled_from([created + wait, created + wait, created + wait, None]))
    ended = (created + wait if started is None else started) + run
    return created, started, ended if ended <= 60 * HOURS + 20 else None


@given(found=st.lists(jobs(), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_minute_is_counted_once(open_store: OpenStore, found: list[Job]) -> None:
    """Peaks, means, and who waits at the peak, over hours and days and both ends of the week."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(
            connection,
            {
                "staging.github_syncs": [{"repository": "acme/app", "state": "ok", "finished_at": NOW}],
                "marts.jobs": [row(number, job) for number, job in enumerate(found)],
            },
        )
        build_mart(connection, MODELS["marts.runner_concurrency"], MODELS)
        rows = {one["hour"]: one for one in rows_of(connection, "from marts.runner_concurrency")}
    expected = counted(found)
    assert sorted(rows) == sorted(expected)
    for hour, figures in expected.items():
        assert {name: rows[hour][name] for name in figures} == {name: round(v, 9) for name, v in figures.items()}


def row(number: int, job: Job) -> Row:
    """Return a job's row of `marts.jobs`; GitHub gives one that has not started its creation for its start."""
    created, started, ended = job
    return {
        "job_id": number,
        "runner": "linux",
        "is_carried_over": False,
        "is_executed": started is not None and ended is not None,
        "outcome": "open" if ended is None else "success" if started is not None else "cancelled",
        "status": "completed" if ended is not None else "in_progress" if started is not None else "queued",
        "created_at": SINCE + timedelta(minutes=created),
        "started_at": SINCE + timedelta(minutes=created if started is None else started),
        "completed_at": None if ended is None else SINCE + timedelta(minutes=ended),
    }


def counted(found: list[Job]) -> dict[datetime, dict[str, float]]:
    """Return the figures of each hour from the first in which a job ran or waited, minute by minute."""
    end = 60 * HOURS
    running, waiting = [0] * end, [0] * end
    for created, started, ended in found:
        until = end if ended is None else min(ended, end)
        for minute in range(max(created, 0), min(until if started is None else started, end)):
            waiting[minute] += 1
        for minute in range(max(started, 0), until) if started is not None else ():
            running[minute] += 1
    busy = [minute for minute in range(end) if running[minute] or waiting[minute]]
    figures = {}
    for hour in range(busy[0] // 60 if busy else HOURS, HOURS):
        ran, waited = running[hour * 60 : hour * 60 + 60], waiting[hour * 60 : hour * 60 + 60]
        figures[SINCE + timedelta(hours=hour)] = {
            "running_max": max(ran),
            "running_mean": sum(ran) / 60,
            "waiting_at_peak": max(w for r, w in zip(ran, waited, strict=True) if r == max(ran)),
            "waiting_max": max(waited),
            "waiting_mean": sum(waited) / 60,
        }
    return figures
