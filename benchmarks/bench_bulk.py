"""How fast histories are written at once, how large they are, and how long the warehouse takes to load and build them.

    bench_bulk.py [--runs N] [--repositories R] [--days D] [--steps] [--processes P] [--out FOLDER] [--only-write]

Writes N runs with their jobs to FOLDER (a temporary one otherwise), then loads them and builds every mart in a process
of its own. Memory is the largest resident size of one process; processor time is that of all of them together.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from machine import describe_machine

from phoenix_metrics.demo.bulk.generator import generate
from phoenix_metrics.demo.bulk.plan import Plan, midnight
from phoenix_metrics.warehouse.marts import load_seeds
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.refresh import refresh_marts
from phoenix_metrics.warehouse.snapshot import publish
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

UNTIL = midnight(datetime(2026, 11, 1, tzinfo=UTC))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--repositories", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="kept; otherwise a temporary folder is made and removed")
    parser.add_argument("--only-write", action="store_true")
    options = parser.parse_args()
    plan = Plan(options.runs, UNTIL, options.repositories, options.days, with_steps=options.steps)
    home = options.out or Path(tempfile.mkdtemp(prefix="phoenix-bench-"))
    print(f"{describe_machine()}\nload average at the start: {os.getloadavg()[0]:.1f}")
    try:
        write(home, plan, options.processes)
        if not options.only_write:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                pool.submit(load_and_build, home).result()
    finally:
        if options.out is None:
            shutil.rmtree(home)


def write(home: Path, plan: Plan, processes: int) -> None:
    started, jobs = time.perf_counter(), 0
    for part in generate(home, plan, processes=processes):
        jobs += part.jobs
    seconds = time.perf_counter() - started
    mine, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = mine.ru_utime + mine.ru_stime + others.ru_utime + others.ru_stime
    size = size_of(home / "landing")
    show("runs, jobs", f"{plan.runs:,}, {jobs:,}")
    show("written in", f"{seconds:,.1f} s, {plan.runs / seconds:,.0f} runs/s")
    show("processor time", f"{busy:,.1f} s, {plan.runs / busy:,.0f} runs/s of one core")
    show("memory of a process", f"{max(mine.ru_maxrss, others.ru_maxrss) / 1024:,.0f} MiB")
    show("landing, for 1 M runs", f"{size / plan.runs * 1_000_000 / 2**20:,.0f} MiB")


def load_and_build(home: Path) -> None:
    """Load, build, publish; in a process of its own, whose memory is its alone."""
    models = load_models()
    with writing(home) as connection:
        connection.execute("set enable_progress_bar = false")  # shown where DuckDB takes a process for a prompt
        load_seeds(connection)
        timed("loaded in", lambda: load_landing(connection, home, models))
        marts = [model for model in models.values() if model.schema == "marts"]
        timed("all marts built in", lambda: list(refresh_marts(connection, marts, models)))
        timed("published in", lambda: publish(connection, home))
    show("store", f"{(home / 'store.duckdb').stat().st_size / 2**20:,.0f} MiB")
    show("memory of the loader", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def timed(title: str, action: Callable[[], object]) -> None:
    started, busy = time.perf_counter(), time.process_time()
    action()
    show(title, f"{time.perf_counter() - started:,.1f} s, {time.process_time() - busy:,.1f} s of processor time")


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet"))


def show(title: str, figure: str) -> None:
    print(f"{title:<26}{figure}", flush=True)


if __name__ == "__main__":
    main()
