"""What holds for the critical path of any run: it is found without knowing what needs what, and its bounds hold."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Row, fill, insert, rows_of

MODELS = load_models()
START = datetime(2026, 3, 2, 10)  # noqa: DTZ001  # as the store has it


@dataclass(frozen=True)
class Planned:
    """A job as a workflow file has it: what it needs, and in how many seconds it is created, waits and runs."""

    base: str
    needs: tuple[str, ...]
    handover: int
    queue: tuple[int, ...]
    execution: tuple[int, ...]  # one for each member of its matrix


@dataclass(frozen=True)
class Timed:
    """A job as it went, in seconds from the start of its attempt; `members` of one base are told apart by number."""

    base: str
    member: int
    created: int
    started: int
    completed: int


def workflow(dice: random.Random) -> list[Planned]:
    """Return some jobs, each needing some of those before it, or nothing."""
    jobs: list[Planned] = []
    for number in range(dice.randint(1, 7)):
        needs = tuple(job.base for job in dice.sample(jobs, dice.randint(0, min(3, len(jobs)))))
        members = dice.choice([1, 1, 1, 2, 4])
        queue = tuple(dice.randint(0, 90) for _ in range(members))
        execution = tuple(dice.randint(0, 2_000) for _ in range(members))
        jobs.append(Planned(f"job {number}", needs, dice.randint(1, 16), queue, execution))
    return jobs


def played(jobs: Sequence[Planned], without: str | None = None) -> dict[str, list[Timed]]:
    """Return how a run of a workflow goes, by the names of its jobs; one of them may take no time."""
    done: dict[str, list[Timed]] = {}
    for job in jobs:
        ready = max((need.completed for name in job.needs for need in done[name]), default=0)
        created = ready + job.handover
        done[job.base] = [
            Timed(job.base, member, created, created + queue, created + queue + (0 if job.base == without else seconds))
            for member, (queue, seconds) in enumerate(zip(job.queue, job.execution, strict=True))
        ]
    return done


def ended_last(jobs: Sequence[Timed]) -> Timed:
    """Return the job that ended last, of several the one that ran longest."""
    return max(jobs, key=lambda job: (job.completed, -job.started))


def longest_path(jobs: Sequence[Planned], done: Mapping[str, Sequence[Timed]]) -> list[Timed]:
    """Return the chain of needs that the run's duration is made of, by what needs what."""
    needs = {job.base: job.needs for job in jobs}
    path = [ended_last([one for group in done.values() for one in group])]
    while needs[path[0].base]:
        path.insert(0, ended_last([one for name in needs[path[0].base] for one in done[name]]))
    return path


def can_be_told(path: Sequence[Timed], everything: Sequence[Timed]) -> bool:
    """Whether times alone tell the path: nothing else ended while a job of it was handed over, nor with it."""
    befores = [None, *path[:-1]]
    handed = [(before.completed if before else 0, one.created) for before, one in zip(befores, path, strict=True)]
    handed.append((path[-1].completed, path[-1].completed))
    others = [one.completed for one in everything if one not in path]
    return not any(low <= moment <= high for low, high in handed for moment in others)


@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=25))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_path_is_the_longest_chain_of_needs(open_store: OpenStore, seeds: list[int]) -> None:
    """Its parts sum to the duration, each job is created after the one before it, and no other could be before it.

    It is the longest path through the needs wherever times can tell, and no job gains more than its bound.
    """
    runs = {run_id: workflow(random.Random(seed)) for run_id, seed in enumerate(seeds, 1)}
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(connection, {"marts.run_attempts": [], "marts.jobs": []})
        for run_id, jobs in runs.items():
            insert(connection, "marts.run_attempts", [attempt_row(run_id, played(jobs))])
            insert(connection, "marts.jobs", job_rows(run_id, played(jobs)))
        build_mart(connection, MODELS["marts.critical_path_jobs"], MODELS)
        found: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(rows_of(connection, "from marts.critical_path_jobs"), key=lambda row: row["position"]):
            found[row["run_id"]].append(row)
    assert set(found) == set(runs)
    for run_id, jobs in runs.items():
        check_run(jobs, found[run_id])


def check_run(jobs: Sequence[Planned], rows: Sequence[Row]) -> None:
    """Compare the rows of one run with its plan."""
    done = played(jobs)
    everything = [one for group in done.values() for one in group]
    duration = max(one.completed for one in everything)
    parts = ("execution_seconds", "queue_seconds", "handover_seconds", "unexplained_seconds")
    assert sum(row[part] for row in rows for part in parts) == duration
    path = [done[row["job_base"]][row["job_id"] % 10] for row in rows]
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    for before, after in pairwise(path):
        assert before.completed == max(one.completed for one in everything if one.completed <= after.created)
    assert not [one for one in everything if one.completed <= path[0].created and one is not path[0]]
    wanted = longest_path(jobs, done)
    if can_be_told(wanted, everything):
        assert path == wanted
        assert all(row["unexplained_seconds"] == 0 for row in rows)
        for job in jobs:
            gained = duration - max(one.completed for group in played(jobs, job.base).values() for one in group)
            assert gained <= bound([row for row in rows if row["job_base"] == job.base])


def bound(rows: Sequence[Row]) -> float:
    """Return what the jobs of a name gain at most, as `marts.longest_poles` has it."""
    return min(sum(row["execution_seconds"] for row in rows), max((row["margin_seconds"] for row in rows), default=0))


def attempt_row(run_id: int, done: Mapping[str, Sequence[Timed]]) -> dict[str, Any]:
    """Return a run's row of `marts.run_attempts`."""
    duration = max(one.completed for group in done.values() for one in group)
    return {
        "run_id": run_id,
        "run_attempt": 1,
        "workflow_id": 5,
        "is_latest": True,
        "outcome": "success",
        "started_at": START,
        "completed_at": after(duration),
        "duration_seconds": duration,
        "is_duration_fallback": False,
        "day": START.date(),
    }


def job_rows(run_id: int, done: Mapping[str, Sequence[Timed]]) -> list[dict[str, Any]]:
    """Return a run's rows of `marts.jobs`; the last digit of an id is the member."""
    return [
        {
            "run_id": run_id,
            "run_attempt": 1,
            "job_id": run_id * 1_000 + number * 10 + one.member,
            "job_base": one.base,
            "is_executed": True,
            "created_at": after(one.created),
            "started_at": after(one.started),
            "completed_at": after(one.completed),
        }
        for number, group in enumerate(done.values())
        for one in group
    ]


def after(seconds: int) -> datetime:
    """Return a moment so long after the start."""
    return START + timedelta(seconds=seconds)
