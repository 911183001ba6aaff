"""What holds for critical paths where the workflow's file is known: they are the chains of its needs.

The file of each run is written out as YAML and read as the source reads it; the path is found by walking the plan.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.sources.github.workflow_syntax import read_workflow
from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Row, fill, insert, rows_of
from tests.sql.test_path_properties import START, after

MODELS = load_models()
PARTS = ("execution_seconds", "queue_seconds", "handover_seconds", "unexplained_seconds")
KINDS = ("plain", "titled", "matrix", "expression", "called")


@dataclass(frozen=True)
class Planned:
    """A job as a file has it; a called workflow runs its members one after the other, a matrix at once."""

    key: str
    kind: str
    needs: tuple[str, ...]
    is_skipped: bool
    members: int

    def shown(self, member: int) -> str:
        """Return the name that GitHub shows."""
        values = f" (os-{member}, 3.1{member})"
        return {
            "plain": self.key,
            "titled": f"The 100% {self.key}",
            "matrix": f"{self.key}{values}",
            "expression": f"{self.key} on os-{member}",
            "called": f"{self.key} / step {member}",
        }[self.kind]

    def lines(self) -> Iterator[str]:
        """Yield its lines of the file."""
        yield f"  {self.key}:"
        yield f"    needs: [{', '.join(self.needs)}]"
        if self.kind == "titled":
            yield f"    name: The 100% {self.key}"
        if self.kind == "expression":
            yield f"    name: {self.key} on ${{{{ matrix.os }}}}"
        if self.kind in ("matrix", "expression"):
            yield "    strategy: {matrix: {os: [a, b]}}"
        if self.kind == "called":
            yield "    uses: ./.github/workflows/other.yml"


@dataclass(frozen=True)
class Ran:
    """A job as it went, in seconds from the start of its attempt; `order` tells apart what ended and began together."""

    planned: Planned
    member: int
    order: int
    created: int
    started: int
    completed: int


@dataclass(frozen=True)
class Story:
    """A run, with its file as it was seen."""

    run_id: int
    jobs: tuple[Planned, ...]
    done: dict[str, list[Ran]]
    file: str
    linked_by: str

    @property
    def ran(self) -> list[Ran]:
        """Everything that ran."""
        return [one for group in self.done.values() for one in group]

    @property
    def path(self) -> list[Ran]:
        """Return the chain that the duration is made of, followed back from what ended last."""
        needs = {job.key: job.needs for job in self.jobs}

        def done_before(key: str) -> list[Ran]:
            found: list[Ran] = []
            for need in needs[key]:
                found += self.done[need] or done_before(need)
            return found

        path = [max(self.ran, key=ending)]
        while True:
            first = path[0]
            if first.planned.kind == "called" and first.member > 0:
                befores = [self.done[first.planned.key][first.member - 1]]
            else:
                befores = done_before(first.planned.key)
            if not befores:
                return path
            path.insert(0, max(befores, key=ending))


def ending(one: Ran) -> tuple[int, int, int]:
    """Return what the last is told by; of several that ended together the one that ran longest."""
    return (one.completed, -one.started, one.order)


def story(run_id: int, seed: int) -> Story:
    """Return a run of up to seven jobs that often end in the same seconds, with a file that is its own, or not."""
    dice = random.Random(seed)
    jobs: list[Planned] = []
    for number in range(dice.randint(1, 7)):
        needs = tuple(job.key for job in dice.sample(jobs, dice.randint(0, min(3, len(jobs)))))
        kind = dice.choice(KINDS)
        members = 1 if kind in ("plain", "titled") else dice.randint(1, 3)
        jobs.append(Planned(f"job_{number}", kind, needs, number > 0 and dice.random() < 0.2, members))
    done = played(jobs, dice)
    text = "jobs:\n" + "\n".join(line for job in jobs for line in job.lines())
    found = Story(run_id, tuple(jobs), done, text, "needs")
    lie = dice.choice([None, None, None, "unknown", "twice", "contradicted"])
    return found if lie is None else with_other_file(found, lie, dice)


def played(jobs: Sequence[Planned], dice: random.Random) -> dict[str, list[Ran]]:
    """Return how the jobs go, by their keys; one that is skipped is over as soon as what it needs is done."""
    ready: dict[str, int] = {}
    done: dict[str, list[Ran]] = {}
    for number, job in enumerate(jobs):
        at = max((ready[name] for name in job.needs), default=0)
        done[job.key] = []
        created = at + dice.randint(1, 4)
        for member in range(0 if job.is_skipped else job.members):
            started = created + dice.choice([0, 0, 3])
            completed = started + dice.choice([0, 5, 5, 10, 10, 40])
            done[job.key].append(Ran(job, member, number * 10 + member, created, started, completed))
            if job.kind == "called":
                created = completed + dice.randint(1, 4)
        ready[job.key] = max((one.completed for one in done[job.key]), default=at)
    return done


def with_other_file(told: Story, lie: str, dice: random.Random) -> Story:
    """Return a run whose file is that of another branch: it lacks a job, has a name twice, or needs too much."""
    text = told.file
    if lie == "unknown":
        key = dice.choice(told.ran).planned.key
        text = (
            text.replace(f"  {key}:", "  renamed:")
            .replace(f"100% {key}", "other")
            .replace(f"name: {key}", "name: other")
        )
    elif lie == "twice":
        one = dice.choice(told.ran)
        text += f"\n  again:\n    name: {one.planned.shown(one.member)}"
    else:
        pairs = [
            (one.planned, other.planned.key)
            for one in told.ran
            for other in told.ran
            if other.completed > one.created and other.planned is not one.planned
        ]
        if not pairs:
            return told
        job, wrong = dice.choice(pairs)
        text = text.replace(
            f"  {job.key}:\n    needs: [{', '.join(job.needs)}]",
            f"  {job.key}:\n    needs: [{', '.join([*job.needs, wrong])}]",
        )
    return Story(told.run_id, told.jobs, told.done, text, "times")


@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=40))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_path_is_that_of_the_needs(open_store: OpenStore, seeds: list[int]) -> None:
    """Exactly so, though jobs end together or while others are handed over; its parts sum to the duration.

    Where the file is not the run's own, and shows it, the path is the one that times tell without any file.
    """
    stories = [story(run_id, seed) for run_id, seed in enumerate(seeds, 1)]
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(connection, {"marts.run_attempts": [], "marts.jobs": []})
        for told in stories:
            insert(connection, "marts.run_attempts", [attempt_row(told)])
            insert(connection, "marts.jobs", list(job_rows(told)))
        by_times = built(connection)
        for told in stories:
            insert_file(connection, told)
        connection.execute("delete from meta.models where model = 'marts.critical_path_jobs'")
        found = built(connection)
    assert set(found) == {told.run_id for told in stories}
    for told in stories:
        rows = found[told.run_id]
        duration = max(one.completed for one in told.ran)
        assert sum(row[part] for row in rows for part in PARTS) == duration
        assert {row["linked_by"] for row in rows} == {told.linked_by}
        if told.linked_by == "needs":
            assert [row["job_id"] % 1_000 for row in rows] == [one.order for one in told.path]
            assert all(row["unexplained_seconds"] == 0 for row in rows)
        else:
            assert rows == by_times[told.run_id]


def built(connection: duckdb.DuckDBPyConnection) -> dict[int, list[Row]]:
    """Build the mart; return its rows, by run."""
    build_mart(connection, MODELS["marts.critical_path_jobs"], MODELS)
    found: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows_of(connection, "from marts.critical_path_jobs"), key=lambda row: row["position"]):
        found[row["run_id"]].append(row)
    return found


def insert_file(connection: duckdb.DuckDBPyConnection, told: Story) -> None:
    """Fill in what is known of a run's file."""
    read = read_workflow(told.file)
    version = {"repository_id": 7, "path": f"{told.run_id}.yml", "fetched_at": START}
    needs = [{**version, "job_key": job["key"], "needed_key": one} for job in read["jobs"] for one in job["waits_for"]]
    names = [
        {**version, "job_key": job["key"], "shown_as": one, "calls": job["calls"]}
        for job in read["jobs"]
        for one in job["shown_as"]
    ]
    file = {"workflow_id": told.run_id, "repository_id": 7, "path": version["path"], "seen_at": START}
    insert(connection, "staging.github_workflow_needs", needs)
    insert(connection, "staging.github_workflow_jobs", names)
    insert(connection, "marts.workflow_files", [{**file, "job_count": len(read["jobs"])}])


def attempt_row(told: Story) -> dict[str, Any]:
    """Return a run's row of `marts.run_attempts`."""
    duration = max(one.completed for one in told.ran)
    return {
        "run_id": told.run_id,
        "run_attempt": 1,
        "workflow_id": told.run_id,
        "is_latest": True,
        "outcome": "success",
        "created_at": START,
        "started_at": START,
        "completed_at": after(duration),
        "duration_seconds": duration,
        "is_duration_fallback": False,
        "day": START.date(),
    }


def job_rows(told: Story) -> Iterator[dict[str, Any]]:
    """Yield a run's rows of `marts.jobs`, the skipped ones, too."""
    for number, job in enumerate(told.jobs):
        if job.is_skipped:
            row = {"run_id": told.run_id, "run_attempt": 1, "job_id": told.run_id * 1_000 + 900 + number}
            yield {**row, "job": job.key, "job_base": job.key, "is_executed": False}
    for one in told.ran:
        yield {
            "run_id": told.run_id,
            "run_attempt": 1,
            "job_id": told.run_id * 1_000 + one.order,
            "job": one.planned.shown(one.member),
            "job_base": one.planned.key,
            "is_executed": True,
            "created_at": after(one.created),
            "started_at": after(one.started),
            "completed_at": after(one.completed),
        }
