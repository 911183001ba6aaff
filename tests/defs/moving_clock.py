"""A clock that a test sets, for whatever runs through the real asset graph: it stands in for `utc_now`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType
from unittest.mock import patch

from phoenix_metrics.defs import intake


class MovingClock:
    """The time as ingestion, evaluation and delivery see it."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def set(self, moment: datetime) -> None:
        self.moment = moment

    def go_on(self, minutes: float) -> None:
        self.moment += timedelta(minutes=minutes)

    def ago(self, minutes: float) -> str:
        """Return a moment before, as GitHub writes it."""
        return f"{self.moment - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def moving(clock: MovingClock, *modules: ModuleType) -> Iterator[MovingClock]:
    """Let `utc_now` say what the clock says: it is bound in many places, and asks the `datetime` of its module.

    Other modules that ask theirs can be named, too.
    """

    class Told(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Moved(datetime, metaclass=Told):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
            return clock.moment.astimezone(tz or UTC)

    with ExitStack() as stack:
        for module in (intake, *modules):
            stack.enter_context(patch.object(module, "datetime", Moved))
        yield clock
