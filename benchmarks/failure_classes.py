"""Why things failed: the classes of the recordings, and how often the classes of the demo organisation are right.

    failure_classes.py [--seeds 20] [--days 10] [--read 30]

Of the recordings (skipped where they are not here) it prints each class with its share, and with `--read` a sample of
failures beside their class, to be read by people. Of the demo organisation it compares the class of every job that
failed with what its cause implies, seed by seed; nothing is collected, its payloads are loaded as they are.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.moment import visible_attempts, visible_jobs
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.payloads import job_payload, run_payload
from phoenix_metrics.demo.truth.story import tables
from phoenix_metrics.demo.universe import DAY, FOUNDED
from phoenix_metrics.demo.world import World
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.store import writing
from tests.demo.failures import job_classes
from tests.recorded.landed import RECORDINGS, build, land_aoe, land_onnx, land_ozone

MARTS = ["marts.jobs", "marts.run_failures"]
AS_OF = (FOUNDED + 660) * DAY
SEED = 2026  # of the sample to read
Land = Callable[[Path], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="histories of the demo organisation")
    parser.add_argument("--days", type=int, default=10, help="how long each of them is")
    parser.add_argument("--read", type=int, default=0, help="failures of the recordings to print for reading")
    asked = parser.parse_args()
    if RECORDINGS.is_dir():
        for name, land in {"Ozone": land_ozone, "ONNX": land_onnx, "AOE": land_aoe}.items():
            print_recording(name, land, asked.read if name != "AOE" else 0)
    if asked.seeds:
        print_demo(range(1, asked.seeds + 1), asked.days)


@contextmanager
def stored(land: Land) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a store with the marts of what is landed in it."""
    with tempfile.TemporaryDirectory(prefix="phoenix-failures-") as folder:
        land(Path(folder))
        with writing(Path(folder)) as connection:
            build(connection, Path(folder), MARTS)
            yield connection


def print_recording(name: str, land: Land, count: int) -> None:
    with stored(land) as connection:
        table = "marts.job_failures" if name != "AOE" else "marts.run_failures"
        unit = "jobs" if name != "AOE" else "attempts without jobs"
        print(f"\n{name}: {unit}\n\n| class | failed | cancelled | share |\n|---|---|---|---|")
        query = (
            f"select failure_class, count(*) filter (where outcome = 'failure'), "
            f"count(*) filter (where outcome = 'cancelled'), count(*) / sum(count(*)) over () from {table} "
            "group by failure_class order by count(*) desc, failure_class"
        )
        for failure_class, failed, cancelled, share in connection.execute(query).fetchall():
            print(f"| {failure_class} | {failed:,} | {cancelled:,} | {share:.1%} |")
        if count:
            print_sample(connection, count)


def print_sample(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    query = (
        "select job_id, outcome, job, failed_step, stopped_after_seconds, failure_class, rule from marts.job_failures "
        "order by job_id"
    )
    print("\n| job | how | job's name | step | seconds | class | rule |\n|---|---|---|---|---|---|---|")
    for row in random.Random(SEED).sample(connection.execute(query).fetchall(), count):
        print("| " + " | ".join("" if value is None else str(value) for value in row) + " |")


def print_demo(seeds: range, days: int) -> None:
    right, found_all, expected_all = 0, 0, 0
    wrong: Counter[tuple[str | None, str | None]] = Counter()
    by_class: Counter[str] = Counter()
    for seed in seeds:
        expected, found = demo(seed, days)
        right += sum(found.get(job) == name for job, name in expected.items())
        found_all, expected_all = found_all + len(found), expected_all + len(expected)
        by_class.update(expected.values())
        pairs = ((expected.get(job), found.get(job)) for job in expected.keys() | found.keys())
        wrong.update(pair for pair in pairs if pair[0] != pair[1])
    print(f"\nDemo organisation, {len(seeds)} histories of {days} days: {expected_all:,} failures")
    print(f"precision {right / found_all:.4f}, recall {right / expected_all:.4f}")
    print(", ".join(f"{name} {count:,}" for name, count in by_class.most_common()))
    for (truth, shown), count in wrong.most_common():
        print(f"  {truth} was called {shown}: {count}")


def demo(seed: int, days: int) -> tuple[dict[int, str], dict[int, str]]:
    """Return the classes that the causes imply, and those that the marts give, by job."""
    organization = Organization(seed, days)
    world = organization.worlds[0]
    living = LivingCluster(world.universe, world, days)
    with stored(lambda home: land_demo(home, world)) as connection:
        query = "select job_id, failure_class from marts.jobs where failure_class is not null"
        found = dict(connection.execute(query).fetchall())
    return job_classes(tables([world], living, AS_OF)), found


def land_demo(home: Path, world: World) -> None:
    """Land what the API would tell of runs and jobs at the end."""
    place, repository_id = Place("http://demo", world.repository), 1
    runs, jobs = [], []
    for run in world.runs(AS_OF):
        runs.append(run_payload(place, run, 1, AS_OF))
        for attempt in visible_attempts(run, AS_OF):
            jobs += [job_payload(place, run, attempt.number, job, AS_OF) for job in visible_jobs(attempt, AS_OF)]
    repository = [{"id": repository_id, "full_name": world.repository.full_name, "default_branch": "main"}]
    for name, payloads in (("github_repositories", repository), ("github_runs", runs), ("github_jobs", jobs)):
        write_batch(home, name, [_record(repository_id, payload) for payload in payloads])


def _record(repository_id: int, payload: dict[str, Any]) -> Record:
    return Record(repository_id, payload["id"], datetime.fromtimestamp(AS_OF, UTC), as_text(payload))


if __name__ == "__main__":
    main()
