"""Requests side by side, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

WORKERS = 4  # GitHub limits the summed response time, not the connections: more workers would not be faster

T = TypeVar("T")
R = TypeVar("R")


def worker_pool() -> ThreadPoolExecutor:
    """Return the threads that read details, shared by all repositories of a credential."""
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="github")


def in_order(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield function(item) in order, with a few items under way and never all of them.

    When one fails, those not begun are cancelled and its error is raised.
    """
    under_way: deque[Future[R]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) >= 4 * WORKERS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
