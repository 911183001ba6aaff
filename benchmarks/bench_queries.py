"""How long readers wait: the questions of dashboard and exporter, and the work of a refresh, on a generated history.

    bench_queries.py [--runs-stored N]

Writes N runs with ten jobs each to landing, loads them and builds every mart; times that, a refresh after 1,000 new
runs, and questions to the snapshot (each seven times, median).
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from machine import describe_machine

from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, WORKFLOWS, JOBS = 90, 20, 10
QUESTIONS = {
    "p95 by workflow, 30 days": "select workflow, quantile_cont(duration_seconds, 0.95) from marts.workflow_runs "
    "where day >= date '2026-10-02' and outcome in ('success', 'failure') group by all",
    "success ratio by day, 90 days": "select day, sum(success_count) / sum(success_count + failure_count) "
    "from marts.workflow_daily group by all",
    "time lost by workflow": "select workflow, sum(lost_seconds) from marts.workflow_daily group by all",
    "p95 queue by job, 30 days": "select job_base, quantile_cont(queue_seconds, 0.95) from marts.jobs "
    "where day >= date '2026-10-02' group by all",
    "slowest steps": "select step, quantile_cont(duration_seconds, 0.95) from marts.steps "
    "group by all order by 2 desc limit 20",
    "exporter totals": "from marts.workflow_run_totals",
    "exporter histograms": "from marts.workflow_run_duration_buckets",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs-stored", type=int, default=50_000)
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        home = Path(folder)
        land(home, 1, options.runs_stored)
        print(f"{options.runs_stored:,} runs, {options.runs_stored * JOBS:,} jobs, {WORKFLOWS} workflows, {DAYS} days")
        print(f"{'load':<34}{seconds(lambda: refresh(home, only='load')):>10.2f} s")
        print(f"{'full build of all marts':<34}{seconds(lambda: refresh(home, only='build')):>10.2f} s")
        land(home, options.runs_stored + 1, 1000, days=1)
        print(f"{'refresh after 1,000 new runs':<34}{seconds(lambda: refresh(home)):>10.2f} s")
        reader = SnapshotReader(home)
        for name, query in QUESTIONS.items():
            reader.query(query)
            times = [seconds(lambda query=query: reader.query(query)) for _ in range(7)]
            print(f"{name:<34}{statistics.median(times) * 1000:>10.1f} ms")


def refresh(home: Path, only: str | None = None) -> None:
    """Load what is pending, build, publish."""
    models = load_models()
    with writing(home) as connection:
        if only != "build":
            load_seeds(connection)
            load_landing(connection, home, models)
        if only != "load":
            for model in models.values():
                if model.schema == "marts":
                    build_mart(connection, model, models)
            publish(connection, home)


def land(home: Path, first: int, count: int, days: int = DAYS) -> None:
    """Write runs with their jobs as ingestion would, 1,000 runs a file."""
    dice = random.Random(first)
    repository = {"full_name": "bench/shop", "default_branch": "main", "private": True}
    sync = {"repository": "bench/shop", "repository_id": 1, "state": "ok", "finished_at": NOW.isoformat()}
    write_batch(home, "github_repositories", [Record(1, 1, NOW, json.dumps(repository))])
    write_batch(home, "github_syncs", [Record(1, None, NOW, json.dumps(sync))])
    for start in range(first, first + count, 1000):
        runs = [run(dice, run_id, days) for run_id in range(start, min(start + 1000, first + count))]
        jobs = [job(dice, each, number) for each in runs for number in range(JOBS)]
        write_batch(home, "github_jobs", [Record(1, each["id"], NOW, json.dumps(each)) for each in jobs])
        write_batch(home, "github_runs", [Record(1, each["id"], NOW, json.dumps(each)) for each in runs])


def run(dice: random.Random, run_id: int, days: int) -> dict[str, object]:
    created = NOW - timedelta(seconds=dice.uniform(3600, days * 86400))
    workflow = dice.randrange(WORKFLOWS)
    return {
        "id": run_id,
        "workflow_id": workflow,
        "name": f"workflow {workflow}",
        "path": f".github/workflows/{workflow}.yml",
        "run_attempt": 1,
        "run_number": run_id,
        "event": "push",
        "head_branch": dice.choice(["main", "feature"]),
        "head_sha": f"{run_id:040x}",
        "status": "completed",
        "conclusion": dice.choices(["success", "failure", "cancelled"], [85, 10, 5])[0],
        "created_at": created.isoformat(),
        "run_started_at": created.isoformat(),
        "updated_at": (created + timedelta(seconds=dice.lognormvariate(6, 0.6))).isoformat(),
    }


def job(dice: random.Random, run: dict[str, object], number: int) -> dict[str, object]:
    created = datetime.fromisoformat(str(run["created_at"]))
    started = created + timedelta(seconds=dice.expovariate(1 / 8))
    ended = started + timedelta(seconds=dice.lognormvariate(5, 0.7))
    step = {"number": 1, "name": "test", "status": "completed", "conclusion": "success"}
    return {
        "id": int(str(run["id"])) * 100 + number,
        "run_id": run["id"],
        "run_attempt": 1,
        "name": f"job ({number})",
        "status": "completed",
        "conclusion": run["conclusion"],
        "created_at": created.isoformat(),
        "started_at": started.isoformat(),
        "completed_at": ended.isoformat(),
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "GitHub Actions 1",
        "runner_group_name": "GitHub Actions",
        "steps": [{**step, "started_at": started.isoformat(), "completed_at": ended.isoformat()}],
    }


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
