"""The generator: parts in as many processes as there are cores, then the records that everything was read."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from phoenix_metrics.demo.bulk import landing, payloads, repositories
from phoenix_metrics.demo.bulk.attempts import Attempts, attempts
from phoenix_metrics.demo.bulk.calendar import Calendar
from phoenix_metrics.demo.bulk.payloads import Landed
from phoenix_metrics.demo.bulk.plan import Plan
from phoenix_metrics.demo.bulk.triggers import outline, triggers
from phoenix_metrics.demo.workflows import WORKFLOWS

_AHEAD = 2  # parts that wait for each process
_Task = tuple[Path, Plan, int, np.ndarray]


@dataclass(frozen=True)
class Written:
    """What one part came to."""

    runs: int
    jobs: int


def generate(folder: Path, plan: Plan, *, processes: int | None = None) -> Iterator[Written]:
    """Write a plan's landing files below a folder, and yield what each part came to.

    The payloads are the same however many processes write them. Raises FileExistsError when the folder has landing
    files already, and OSError when it cannot be written.
    """
    if landing.has_files(folder):
        raise FileExistsError(f"{folder}: has landing files already; name another folder")
    _write_rows(folder, plan, "github_repositories", 0, repositories.repositories(plan))
    _write_rows(folder, plan, "github_workflows", 1, repositories.workflows(plan))
    yield from _write_parts(folder, plan, processes or os.cpu_count() or 1)
    _write_rows(folder, plan, "github_windows", plan.parts + 2, repositories.windows(plan))
    _write_rows(folder, plan, "github_syncs", plan.parts + 3, repositories.syncs(plan))


def _write_parts(folder: Path, plan: Plan, processes: int) -> Iterator[Written]:
    tasks = ((folder, plan, part, earlier) for part, earlier in enumerate(_earlier(plan)))
    if processes == 1 or plan.parts == 1:
        yield from (_write_part(*task) for task in tasks)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _depend_on_parent) as pool:
        try:
            yield from _in_turn(pool, tasks, processes * _AHEAD)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _in_turn(pool: ProcessPoolExecutor, tasks: Iterator[_Task], ahead: int) -> Iterator[Written]:
    waiting: deque[Future[Written]] = deque()
    for task in tasks:
        waiting.append(pool.submit(_write_part, *task))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    yield from (future.result() for future in waiting)


def _depend_on_parent() -> None:
    """Leave Ctrl-C to the process that a person started, and end when that one does, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_memory_pool(pa.system_memory_pool())  # keeps what was freed; Arrow's own gives it back and asks again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _earlier(plan: Plan) -> Iterator[np.ndarray]:
    """Yield for each part how many runs of each workflow its first repository had in the parts before."""
    calendar = _calendar(plan)
    counted = np.zeros((plan.repositories, len(WORKFLOWS)), np.int64)
    for part in range(plan.parts):
        begun = outline(plan, calendar, part)
        repository = plan.repository_of(begun.place)
        yield counted[repository[0]].copy()
        np.add.at(counted, (repository, begun.workflow), begun.runs)


def _write_part(folder: Path, plan: Plan, part: int, earlier: np.ndarray) -> Written:
    calendar = _calendar(plan)
    begun = outline(plan, calendar, part)
    dice, runs_begun = begun.dice, triggers(plan, calendar, begun, earlier)
    about = payloads.facts(dice, runs_begun, plan.first_run)
    made = [
        each
        for index, workflow in enumerate(WORKFLOWS)
        for each in attempts(calendar, dice, workflow, runs_begun, np.flatnonzero(runs_begun.workflow == index))
    ]
    jobs = [job for each in made for job in payloads.jobs(about, each, dice, with_steps=plan.with_steps)]
    runs = [payloads.runs(about, each) for each in made]
    _write(folder, plan, "github_jobs", part + 2, Landed.joined(jobs))
    _write(folder, plan, "github_runs", part + 2, Landed.joined(runs))
    _write(folder, plan, "github_run_details", part + 2, _details(about, made))
    return Written(plan.size(part), sum(len(job.object_id) for job in jobs))


def _details(about: payloads.Facts, made: list[Attempts]) -> Landed:
    size = len(about.run_ids)
    latest, updated_at, count = (np.zeros(size, np.int64) for _ in range(3))
    for each in made:  # later attempts come later
        latest[each.rows], updated_at[each.rows] = each.number, each.settled_at
        count[each.rows] += payloads.job_counts(each)
    return payloads.details(about, np.arange(size), latest, updated_at, count)


@lru_cache(maxsize=1)
def _calendar(plan: Plan) -> Calendar:
    return Calendar(plan)


def _write(folder: Path, plan: Plan, source_object: str, place: int, landed: Landed) -> None:
    columns = pa.array(landed.repository_id), pa.array(landed.object_id), landed.payload
    landing.write(folder, plan, source_object, place, columns)


def _write_rows(folder: Path, plan: Plan, source_object: str, place: int, rows: Iterator[repositories.Row]) -> None:
    repository_id, object_id, payload = zip(*rows, strict=True)
    columns = pa.array(repository_id, pa.int64()), pa.array(object_id, pa.int64()), pa.array(payload, pa.string())
    landing.write(folder, plan, source_object, place, columns)
