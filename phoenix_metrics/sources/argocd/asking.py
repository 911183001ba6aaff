"""Many questions of one kind, side by side: one that is refused is no reason not to ask the others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from phoenix_metrics.errors import AccessError, ConnectionFailedError, CredentialError, SourceError
from phoenix_metrics.settings.tables import ArgoCDServer
from phoenix_metrics.sources.argocd.client import ArgoCDClient
from phoenix_metrics.sources.github.in_order import in_order

WORKERS = 4  # an Argo CD server answers each of these by a call to Kubernetes, Redis or Git
GIVE_UP_AFTER = 3  # failures in a row, after which the server and not the subject is to blame

T = TypeVar("T")
R = TypeVar("R")


def worker_pool() -> ThreadPoolExecutor:
    """Return the threads that ask one server."""
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="argocd")


@dataclass(frozen=True)
class Reader:
    """What asks one server: its client, the threads to ask with, and what is configured of it."""

    client: ArgoCDClient
    pool: ThreadPoolExecutor
    server: ArgoCDServer

    def each(self, ask: Callable[[T], R], subjects: Iterable[T]) -> Iterator[tuple[T, R | SourceError]]:
        """Yield each subject with its answer, or the error it was refused with.

        Raises CredentialError for a token that is refused, ConnectionFailedError where the server keeps failing.
        """
        failures = 0
        for subject, answer in in_order(self.pool, partial(_answered, ask), subjects):
            failures = failures + 1 if isinstance(answer, ConnectionFailedError) else 0
            if isinstance(answer, ConnectionFailedError) and failures >= GIVE_UP_AFTER:
                raise answer
            yield subject, answer


def _answered(ask: Callable[[T], R], subject: T) -> tuple[T, R | SourceError]:
    try:
        return subject, ask(subject)
    except AccessError as error:
        return subject, error
    except CredentialError:
        raise
    except SourceError as error:
        return subject, error
