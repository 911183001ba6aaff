"""Progress bars on a terminal, nothing elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

_kept: list[TextIO] = []


@contextmanager
def keep_terminal() -> Iterator[None]:
    """Keep the terminal in reach of progress bars while Dagster sends standard error to its logs."""
    if not sys.stderr.isatty():
        yield
        return
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal:
        _kept.append(terminal)
        try:
            yield
        finally:
            _kept.remove(terminal)


class TerminalProgress:
    """Shows how many runs have been looked at of those expected so far; silent where there is no terminal."""

    def __init__(self, title: str = "GitHub runs") -> None:
        columns = (SpinnerColumn(), TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        file = _kept[-1] if _kept else sys.stderr
        self._bars = Progress(*columns, console=Console(file=file), disable=not file.isatty(), transient=True)
        self._task = self._bars.add_task("runs", total=0)
        self._expected = 0

    def __enter__(self) -> "TerminalProgress":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def expect(self, count: int) -> None:
        """Expect so many more runs."""
        self._expected += count
        self._bars.update(self._task, total=self._expected)

    def advance(self, count: int) -> None:
        """Take note that so many runs are done."""
        self._bars.advance(self._task, count)
