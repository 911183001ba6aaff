"""Landing files written at once: as many runs as were asked for, told like the demo organisation's own."""

import json
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phoenix_metrics.demo import payloads
from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.bulk import landing as bulk_landing
from phoenix_metrics.demo.bulk.generator import generate
from phoenix_metrics.demo.bulk.plan import Plan
from phoenix_metrics.demo.repositories import PLATFORM
from phoenix_metrics.demo.runs import Run
from phoenix_metrics.demo.universe import DAY, Universe
from phoenix_metrics.demo.workflows import HABITS
from phoenix_metrics.demo.world import World
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.sources.github import payloads as kept
from phoenix_metrics.warehouse import landing
from tests.conftest import broken_promises, publish_landing, rows

UNTIL = 20_758 * DAY  # 2026-11-01
PLAN = Plan(runs=2_000, until=UNTIL, repositories=3, days=84, with_steps=True, part_size=700)


@dataclass(frozen=True)
class History:
    """A home with a plan's history published, and the payloads that it was made from."""

    home: Path
    job_count: int
    landed: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Two thousand runs, written, loaded and published."""
    home = tmp_path_factory.mktemp("bulk")
    parts = list(generate(home, PLAN, processes=1))
    assert [part.runs for part in parts] == [700, 700, 600]
    publish_landing(home)
    landed = {name: [json.loads(text) for text in texts(home, name)] for name in landing.OBJECTS}
    return History(home, sum(part.jobs for part in parts), landed)


def texts(home: Path, source_object: str) -> list[str]:
    """Return the payloads of one source object in the order in which they are loaded."""
    files = [file for file in landing.list_files(home) if landing.object_of(file) == source_object]
    return [text for file in files for text in pq.read_table(home / "landing" / file)["payload"].to_pylist()]


def test_counts_are_what_was_asked_for(history: History) -> None:
    """Every run is there with all its jobs; the data's health says detailed, ended and complete."""
    runs = rows(
        history.home,
        "select repository, count(*) as n, count(distinct run_id) as ids from marts.workflow_runs group by all",
    )
    assert {row["n"] for row in runs} <= set(range(664, 670))
    assert sum(int(str(row["n"])) for row in runs) == sum(int(str(row["ids"])) for row in runs) == PLAN.runs
    jobs = rows(history.home, "select count(*) as n, count(distinct job_id) as ids from marts.jobs")
    assert jobs == [{"n": history.job_count, "ids": history.job_count}]
    health = rows(
        history.home,
        "select source, state, sum(run_count) as runs, sum(detailed_count) as detailed, sum(open_count) as open, "
        "sum(missing_count) as missing, sum(bulk_count + undetailed_count) as lacking, count(*) as subjects "
        "from marts.data_health group by all",
    )
    whole = {"runs": PLAN.runs, "detailed": PLAN.runs, "open": 0, "missing": 0, "lacking": 0, "subjects": 3}
    assert health == [{"source": "github", "state": "ok", **whole}]


def test_what_the_models_promise_holds(history: History) -> None:
    """One row for each key, nothing NULL or unknown that must not be, and the cross-table rules."""
    assert broken_promises(history.home) == {}


def test_runs_are_numbered_without_gaps(history: History) -> None:
    """The runs of each workflow count from one, also where a repository's runs lie in several files."""
    numbered = rows(
        history.home,
        "select repository, workflow_id, count(*) as n, max(run_number) as last, count(distinct run_number) as numbers "
        "from marts.workflow_runs group by all",
    )
    assert len(numbered) == 9
    assert all(row["n"] == row["last"] == row["numbers"] for row in numbered)


def test_carried_over_jobs_are_recognised(history: History) -> None:
    """What a re-run lists again, with the times and the runner it had, counts once; the rest counts each time."""
    seen: set[tuple[object, ...]] = set()
    carried = []
    for job in sorted(history.landed["github_jobs"], key=lambda job: job["run_attempt"]):
        execution = (job["run_id"], job["name"], job["started_at"], job["completed_at"], job["runner_id"])
        if job["runner_id"] is not None and execution in seen:
            carried.append(job["id"])
        seen.add(execution)
    found = rows(
        history.home, "select job_id from marts.jobs where is_carried_over and conclusion = 'success' order by 1"
    )
    assert [row["job_id"] for row in found] == sorted(carried)
    assert len(carried) > 100


def test_superseded_runs_are_cancelled(history: History) -> None:
    """A cancelled run ends when a newer push on its branch has come, unless a job hung."""
    pushed = {(run["head_branch"], run["repository"]["id"], run["created_at"]) for run in history.landed["github_runs"]}
    cancelled = [run for run in history.landed["github_runs"] if run["conclusion"] == "cancelled"]
    followed = [
        run
        for run in cancelled
        if any(
            branch == run["head_branch"]
            and repository == run["repository"]["id"]
            and run["created_at"] < at <= run["updated_at"]
            for branch, repository, at in pushed
        )
    ]
    assert len(cancelled) > 20
    assert len(followed) >= len(cancelled) - 3  # a pull request cut where a file ends lacks its next push


@lru_cache
def world_runs() -> list[Run]:
    """All runs of the demo organisation on the same days."""
    world = World(Universe(PLAN.seed), PLAN.days, BreakageLog())
    return [run for day in range(UNTIL // DAY - PLAN.days, UNTIL // DAY) for run in world.day(day)]


def test_runs_end_and_are_run_again_as_in_the_world(history: History) -> None:
    """The shares of events, of conclusions, of re-runs and of jobs listed are near those of the demo organisation."""
    expected, found = Counter[str](), Counter[str]()
    for run in world_runs():
        expected[run.trigger.event] += 1
        expected[run.trigger.workflow.name] += 1
        expected[f"attempts {len(run.attempts)}"] += 1
        expected[run.attempts[-1].conclusion] += 1
        expected["first " + run.attempts[0].conclusion] += 1
        expected["weekend"] += run.trigger.at // DAY % 7 in (2, 3)
        expected["before ten"] += run.trigger.at % DAY < 36_000
    for row in rows(
        history.home,
        "select runs.*, attempts.conclusion as first from marts.workflow_runs as runs inner join marts.run_attempts "
        "as attempts on attempts.run_id = runs.run_id and attempts.run_attempt = 1",
    ):
        found[str(row["event"])] += 1
        found[str(row["workflow"])] += 1
        found[f"attempts {row['run_attempt']}"] += 1
        found[str(row["conclusion"])] += 1
        found[f"first {row['first']}"] += 1
        found["weekend"] += row["created_at"].weekday() >= 5  # type: ignore[attr-defined]
        found["before ten"] += row["created_at"].hour < 10  # type: ignore[attr-defined]
    shares = {name: (expected[name] / len(world_runs()), found[name] / PLAN.runs) for name in sorted(expected | found)}
    assert {name: pair for name, pair in shares.items() if abs(pair[0] - pair[1]) > 0.035} == {}
    jobs = sum(len(attempt.jobs) for run in world_runs() for attempt in run.attempts) / len(world_runs())
    assert history.job_count / PLAN.runs == pytest.approx(jobs, rel=0.04)


def test_jobs_last_and_fail_as_in_the_world(history: History) -> None:
    """The median and the spread of every job, its wait and its failures are near those of the demo organisation."""
    found = {
        row["job"]: row
        for row in rows(
            history.home,
            "select job, median(duration_seconds) as median, quantile_cont(duration_seconds, 0.9) as p90, "
            "median(queue_seconds) as queue, avg(case outcome when 'failure' then 1.0 else 0 end) as failed "
            "from marts.jobs where is_executed and outcome in ('success', 'failure') group by job",
        )
    }
    executed: dict[str, list[tuple[int, int, bool]]] = {name: [] for name in HABITS}
    for run in world_runs():
        for attempt in run.attempts:
            for job in attempt.jobs:
                if job.created_at >= attempt.started_at <= job.started_at and job.conclusion in ("success", "failure"):
                    spent = job.completed_at - job.started_at
                    executed[job.name].append((spent, job.started_at - job.created_at, job.conclusion == "failure"))
    assert set(found) == set(executed)
    for name, jobs in executed.items():
        lasted, waited, failed = zip(*jobs, strict=True)
        if len(jobs) > 60:
            assert found[name]["median"] == pytest.approx(statistics.median(lasted), rel=0.08), name
            assert found[name]["p90"] == pytest.approx(statistics.quantiles(lasted, n=10)[-1], rel=0.12), name
            assert found[name]["queue"] == pytest.approx(statistics.median(waited), abs=1), name
            assert found[name]["failed"] == pytest.approx(statistics.mean(failed), abs=0.04), name


def test_components_drift_together(history: History) -> None:
    """The jobs of one component are slow in the same runs."""
    related = rows(
        history.home,
        "select corr(ln(unit.duration_seconds), ln(built.duration_seconds)) as r from marts.jobs as unit "
        "inner join marts.jobs as built using (run_id, run_attempt) where unit.job = 'lint (backend)' "
        "and built.job = 'test (unit)' and unit.outcome = 'success' and built.outcome = 'success'",
    )
    assert 0.25 < float(str(related[0]["r"])) < 0.65  # (0.10² + 0.06²) / (0.10² + 0.06² + 0.13²) is 0.45


def test_steps_fill_their_jobs(history: History) -> None:
    """Steps follow each other from the job's start to its end, and a failed job has one failed step."""
    for job in history.landed["github_jobs"]:
        steps = job["steps"]
        assert bool(steps) == (job["runner_id"] is not None)
        if steps:
            assert (steps[0]["started_at"], steps[-1]["completed_at"]) == (job["started_at"], job["completed_at"])
            assert all(one["completed_at"] == other["started_at"] for one, other in pairwise(steps))
            failed = [step["conclusion"] for step in steps].count(job["conclusion"])
            assert failed == 1 or job["conclusion"] in ("success", "cancelled")
            assert failed <= 1 or job["conclusion"] == "success"


def test_payloads_are_those_that_ingestion_keeps(history: History) -> None:
    """Each payload has the fields of what the demo organisation's own answers become, of the same types."""
    place, now = Place("https://api.github.com", PLATFORM), UNTIL
    runs, jobs = [], []
    for run in world_runs()[::8]:
        runs.append(kept.run_payload(payloads.run_payload(place, run, 1, now)))
        attempt = run.attempts[0]
        jobs += [kept.job_payload(payloads.job_payload(place, run, 1, job, now)) for job in attempt.jobs]
    assert shapes(history.landed["github_runs"]) == shapes(map(json.loads, runs))
    assert shapes(history.landed["github_jobs"][::5]) == shapes(map(json.loads, jobs))
    workflow = kept.workflow_payload(payloads.workflow_payload(place, world_runs()[0].trigger.workflow))
    assert shapes(history.landed["github_workflows"]) == shapes([json.loads(workflow)])
    for name in ("github_runs", "github_jobs", "github_run_details", "github_workflows", "github_repositories"):
        text = texts(history.home, name)[0]
        assert text == kept.as_text(json.loads(text)), "compact, with sorted keys"


def shapes(objects: Any) -> dict[str, set[str]]:
    """Return every path in some JSON objects with the types found there."""
    found: dict[str, set[str]] = {}
    for each in objects:
        for path, kind in walk("", each):
            found.setdefault(path, set()).add(kind)
    return found


def walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the paths below a value with their types."""
    yield path, type(value).__name__
    if isinstance(value, dict):
        for key, child in value.items():
            yield from walk(f"{path}.{key}", child)
    elif isinstance(value, list):
        for child in value:
            yield from walk(f"{path}[]", child)


def test_files_lie_where_the_warehouse_looks(history: History, tmp_path: Path) -> None:
    """Schema, compression and layout are those of the warehouse's own files; the order is that of a pass."""
    own = landing.write_batch(tmp_path, "github_runs", [])
    assert bulk_landing.SCHEMA == landing.SCHEMA
    files = landing.list_files(history.home)
    assert [landing.object_of(file) for file in files[:2]] == ["github_repositories", "github_workflows"]
    assert landing.object_of(files[-1]) == "github_syncs"
    assert len(files) == len(list((history.home / "landing").rglob("*"))) - 14  # seven objects, each with one day
    for file in files:
        written = pq.ParquetFile(history.home / "landing" / file)
        assert written.schema_arrow == pq.ParquetFile(own).schema_arrow
        assert written.metadata.row_group(0).column(3).compression == "ZSTD"
        assert len(Path(file).name) == len(own.name)


def test_the_same_seed_tells_the_same(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads are equal to the byte however many processes write them; another seed tells another history."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # Streamlit's tests leave an app there
    list(generate(tmp_path / "again", PLAN, processes=2))
    files = landing.list_files(history.home)
    assert landing.list_files(tmp_path / "again") == files
    for file in files:
        again = pq.read_table(tmp_path / "again" / "landing" / file)
        assert again.equals(pq.read_table(history.home / "landing" / file))
    list(generate(tmp_path / "other", Plan(runs=50, until=UNTIL, repositories=2, seed=8), processes=1))
    list(generate(tmp_path / "third", Plan(runs=50, until=UNTIL, repositories=2, seed=9), processes=1))
    assert texts(tmp_path / "other", "github_runs") != texts(tmp_path / "third", "github_runs")


def test_a_later_plan_takes_other_ids(tmp_path: Path) -> None:
    """A history can be continued: runs, and so their jobs, are others than those generated before."""
    first = Plan(runs=60, until=UNTIL, repositories=2)
    second = replace(first, until=UNTIL + DAY, days=1, first_run=first.runs)
    found = []
    for number, plan in enumerate((first, second)):
        list(generate(tmp_path / str(number), plan, processes=1))
        payloads = (json.loads(text) for text in texts(tmp_path / str(number), "github_jobs"))
        found.append({(job["run_id"], job["id"]) for job in payloads})
    runs, jobs = ([{pair[place] for pair in pairs} for pairs in found] for place in (0, 1))
    assert [len(ids) for ids in runs] == [60, 60]
    assert not runs[0] & runs[1]
    assert not jobs[0] & jobs[1]


@pytest.mark.parametrize(("days", "runs", "repositories"), [(1, 40, 40), (2, 300, 1), (400, 300, 7)])
def test_everything_has_ended_when_the_days_have(tmp_path: Path, days: int, runs: int, repositories: int) -> None:
    """Nothing lies after the plan's days, nor more than a week before them, however few they are."""
    plan = Plan(runs=runs, until=UNTIL, repositories=repositories, days=days)
    list(generate(tmp_path, plan, processes=1))
    found = [json.loads(text) for text in texts(tmp_path, "github_runs")]
    assert len({run["id"] for run in found}) == runs
    assert {run["repository"]["id"] for run in found} <= {
        row["id"] for row in map(json.loads, texts(tmp_path, "github_repositories"))
    }
    window = json.loads(texts(tmp_path, "github_windows")[0])
    assert window["window_start"] <= min(run["created_at"] for run in found)
    assert max(run["updated_at"] for run in found) <= window["window_end"]


def phoenix(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "phoenix_metrics.cli", *arguments]


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    """The command says what it wrote; a folder with landing files is refused in one line; so is a plan of nothing."""
    command = phoenix("demo", "--bulk", str(tmp_path / "new"), "--runs", "30", "--repositories", "2", "--days", "10")
    first, second = (
        subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False) for _ in range(2)
    )
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("30 runs and ")
    assert second.returncode == 1
    assert second.stderr == f"phoenix: {tmp_path / 'new'}: has landing files already; name another folder\n"
    with pytest.raises(ValueError, match="at least one day"):
        Plan(runs=1, until=UNTIL, repositories=2)


def test_a_killed_generator_leaves_whole_files(tmp_path: Path) -> None:
    """What is there under its name can be read, nobody goes on writing, and nothing claims that all was read."""
    command = phoenix("demo", "--bulk", str(tmp_path), "--runs", "2000000", "--repositories", "1")
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: any("github_jobs" in file for file in landing.list_files(tmp_path)))
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        assert process.stdout.read() == b"", "its processes hold the other end until they have ended, too"
    files = landing.list_files(tmp_path)
    assert {landing.object_of(file) for file in files} >= {"github_repositories", "github_workflows", "github_jobs"}
    assert "github_syncs" not in {landing.object_of(file) for file in files}
    assert all(isinstance(pq.read_table(tmp_path / "landing" / file), pa.Table) for file in files)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait at most a minute for something to become so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
