"""How long readers wait: the questions of dashboard and exporter, and the work of a refresh, on a generated history.

    bench_queries.py [--runs-stored N] [--days N] [--repositories N] [--without-steps] [--home DIR]

Writes N runs with their jobs and steps to landing, week after week, and a day more; loads them and builds every mart;
times that and each of the slowest, a refresh after 1,000 more runs of the last day, and questions to the snapshot (each
seven times, median). Memory is the largest resident size; DuckDB takes what it is given, so it is held to 3 GB. To
see whether a refresh grows with history, have ten times the runs on ten times the days. What was built stays where
--home says, an empty folder, for a dashboard to open.
"""

import argparse
import contextlib
import os
import resource
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from machine import describe_machine

from phoenix_metrics.demo.bulk.generator import generate
from phoenix_metrics.demo.bulk.plan import Plan, midnight
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.warehouse.checks import Finding, check_rule, checks_of, run_check
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.marts import load_seeds, unpublished_query
from phoenix_metrics.warehouse.models import Model, load_checks, load_models
from phoenix_metrics.warehouse.refresh import refresh_marts
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.staging import load_landing, unpublished
from phoenix_metrics.warehouse.store import writing

UNTIL = midnight(datetime(2026, 11, 5, tzinfo=UTC))  # a Thursday, a full day of work
NEWS, SPARE = 1_000, 4
RUN_OF = {  # what each landing file has that names the run
    "github_runs": "object_id",
    "github_run_details": "object_id",
    "github_jobs": "cast(payload ->> 'run_id' as bigint)",
}
SLOWEST, MEMORY = 10, "3000MB"
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
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--repositories", type=int, default=7)
    parser.add_argument("--without-steps", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    plan = Plan(
        options.runs_stored,
        UNTIL,
        options.repositories,
        options.days,
        with_steps=not options.without_steps,
        part_size=NEWS,
    )
    print(f"{describe_machine()}\nload average at the start: {os.getloadavg()[0]:.1f}")
    with contextlib.ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phoenix-bench-")))
        home.mkdir(parents=True, exist_ok=True)
        news = land(home, plan)
        show("load", Stopwatch(lambda: refresh(home, only="load")))
        built: dict[str, float] = {}
        show("full build of all marts", Stopwatch(lambda: built.update(refresh(home, only="build"))))
        show_slowest(built)
        print(f"{'store':<34}{(home / 'store.duckdb').stat().st_size / 2**20:>10,.0f} MiB")
        for source, records in news.items():
            write_batch(home, source, records)
        show("refresh after 1,000 new runs", Stopwatch(lambda: built.update(refresh(home))))
        show_slowest(built)
        print(f"{'memory so far':<34}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10,.0f} MiB")
        reader = SnapshotReader(home)
        for name, query in QUESTIONS.items():
            reader.query(query)
            times = [Stopwatch(lambda query=query: reader.query(query)).seconds for _ in range(7)]
            print(f"{name:<34}{statistics.median(times) * 1000:>10.1f} ms")


class Stopwatch:
    """What an action took: seconds on the wall and of processor time."""

    def __init__(self, action: Callable[[], object]) -> None:
        started, busy = time.perf_counter(), time.process_time()
        action()
        self.seconds, self.busy = time.perf_counter() - started, time.process_time() - busy


def refresh(home: Path, only: str | None = None) -> dict[str, float]:
    """Load what is pending, build, check and publish, as the assets do; return the seconds that each took."""
    models, seconds = load_models(), {}
    with writing(home) as connection:
        connection.execute("set enable_progress_bar = false")  # shown where DuckDB takes a process for a prompt
        connection.execute(f"set memory_limit = '{MEMORY}'")
        if only != "build":
            load_seeds(connection)
            seconds["load"] = Stopwatch(lambda: load_landing(connection, home, models)).seconds
            for model in models.values():
                if model.schema == "staging":
                    scope = unpublished(model)
                    hold(model, [run_check(connection, one, scope=scope) for one in checks_of(model)])
        if only != "load":
            marts = [model for model in models.values() if model.schema == "marts"]
            for one in refresh_marts(connection, marts, models):
                hold(one.model, one.findings)
                seconds[one.model.table] = one.seconds
            for rule in load_checks().values():
                seconds[f"checks {rule.name}"] = Stopwatch(lambda rule=rule: examine(connection, rule)).seconds
            seconds["publish"] = Stopwatch(lambda: publish(connection, home)).seconds
    return seconds


def examine(connection: duckdb.DuckDBPyConnection, rule: Model) -> None:
    """Put a rule across tables to the question."""
    run_check(connection, check_rule(rule, unpublished_query(connection, rule)))


def hold(model: Model, findings: Sequence[Finding]) -> None:
    """Stop where a table breaks what it promises; generated histories break nothing."""
    broken = [finding for finding in findings if finding.check.is_blocking and not finding.holds]
    if broken:
        raise SystemExit(f"{model.table}: {broken}")


def land(home: Path, plan: Plan) -> dict[str, list[Record]]:
    """Write a history as passes leave it, week after week, and a day more; return the news of that day."""
    jobs = sum(written_of_week(home, week) for week in weeks_of(plan))
    print(f"{plan.runs:,} runs, {jobs:,} jobs, {plan.repositories} repositories, {plan.days} days", flush=True)
    today = max(plan.runs // plan.days, plan.repositories)
    for source, records in last_day(plan, today, plan.runs).items():
        write_batch(home, source, records)
    return last_day(plan, max(NEWS, plan.repositories), plan.runs + SPARE * today)


def weeks_of(plan: Plan) -> Iterator[Plan]:
    """Divide a history into weeks, each with a seed of its own: its ids rise from one to the next, as GitHub's do."""
    count = -(-plan.days // 7)
    for week in range(count):
        first, after = (plan.runs * each // count for each in (week, week + 1))
        days = min(7, plan.days - 7 * (count - 1 - week))
        until = plan.until - 7 * DAY * (count - 1 - week)
        yield replace(plan, runs=after - first, until=until, days=days, first_run=first, seed=plan.seed + week)


def written_of_week(home: Path, week: Plan) -> int:
    """Write a week's landing files beside those of the others; return how many jobs it has."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        jobs = sum(part.jobs for part in generate(Path(folder), week))
        for file in Path(folder).glob("landing/*/*/*.parquet"):
            target = home / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    return jobs


def last_day(plan: Plan, runs: int, first_run: int) -> dict[str, list[Record]]:
    """Return runs of the day after a plan's, with their jobs, and nothing of a pass that would end that day.

    The generator begins stories a week earlier that would not end in time, so it is asked for more.
    """
    midnight = datetime.fromtimestamp(plan.until, UTC)
    asked = replace(plan, until=plan.until + DAY, days=1, runs=SPARE * runs, first_run=first_run, seed=first_run)
    with tempfile.TemporaryDirectory(prefix="phoenix-day-") as folder, duckdb.connect() as connection:
        deque(generate(Path(folder), asked), maxlen=0)
        connection.execute(
            "create table runs as select distinct object_id "
            f"from read_parquet('{folder}/landing/github_runs/*/*.parquet') "
            "where starts_with(payload ->> 'created_at', ?) order by all limit ?",
            [str(midnight.date()), runs],
        )
        found = {}
        for source, run_id in RUN_OF.items():
            rows = connection.execute(
                f"select repository_id, object_id, payload from read_parquet('{folder}/landing/{source}/*/*.parquet') "
                f"where {run_id} in (from runs)"
            ).fetchall()
            found[source] = [Record(row[0], row[1], midnight + timedelta(hours=20), row[2]) for row in rows]
    return found


def show_slowest(seconds: Mapping[str, float]) -> None:
    """Print what took the longest; marts are built side by side, so their seconds overlap."""
    for name in sorted(seconds, key=lambda name: -seconds[name])[:SLOWEST]:
        print(f"  {name:<32}{seconds[name]:>10.2f} s", flush=True)


def show(title: str, watch: Stopwatch) -> None:
    print(f"{title:<34}{watch.seconds:>10.2f} s  {watch.busy:>10.2f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
