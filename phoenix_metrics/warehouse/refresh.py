"""All marts brought up to date: those that do not depend on each other side by side, each with what it promises."""

import graphlib
import os
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue

import duckdb

from phoenix_metrics.warehouse.checks import Finding, checks_of, run_check
from phoenix_metrics.warehouse.marts import Shared, build_mart
from phoenix_metrics.warehouse.models import Model
from phoenix_metrics.warehouse.store import cursor_of

AT_ONCE = min(os.cpu_count() or 1, 4)  # most marts are small, and planning their queries keeps one processor busy


@dataclass(frozen=True)
class Refreshed:
    """A mart that is up to date: its rows, how what it promises was kept, and how long both took."""

    model: Model
    row_count: int
    findings: list[Finding]
    seconds: float


def refresh_marts(
    connection: duckdb.DuckDBPyConnection, marts: Sequence[Model], models: Mapping[str, Model]
) -> Generator[Refreshed, None, None]:
    """Bring marts up to date with the tables they read; yield each with its checks when it is, upstream first.

    What fails stops the rest and is raised; each mart is then as it was before or up to date. Nothing else may write
    through `connection` meanwhile.
    """
    wanted = {model.table: model for model in marts}
    order = graphlib.TopologicalSorter({table: set(model.upstream) & set(wanted) for table, model in wanted.items()})
    order.prepare()
    shared = Shared()
    with ExitStack() as stack:
        cursors = [stack.enter_context(cursor_of(connection)) for _ in range(AT_ONCE)]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="marts"))
        free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        for cursor in cursors:
            free.put(cursor)
        running: set[Future[Refreshed]] = set()
        try:
            while order.is_active():
                running |= {pool.submit(_refresh, free, wanted[table], models, shared) for table in order.get_ready()}
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for refreshed in [future.result() for future in done]:
                    order.done(refreshed.model.table)
                    yield refreshed
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _stop(cursors, running)
            raise


def _stop(cursors: Sequence[duckdb.DuckDBPyConnection], running: set[Future[Refreshed]]) -> None:
    """Interrupt what runs, again and again: a cursor between two statements does not notice."""
    while under_way := [future for future in running if not future.done()]:
        for cursor in cursors:
            cursor.interrupt()
        wait(under_way, timeout=0.1)


def _refresh(
    free: SimpleQueue[duckdb.DuckDBPyConnection], model: Model, models: Mapping[str, Model], shared: Shared
) -> Refreshed:
    started = time.perf_counter()
    cursor = free.get()
    try:
        built = build_mart(cursor, model, models, shared=shared)
        findings = [run_check(cursor, check, scope=built.changed) for check in checks_of(model)]
    finally:
        free.put(cursor)
    return Refreshed(model, built.row_count, findings, time.perf_counter() - started)
