"""Progress bars on a terminal, nothing elsewhere."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


class TerminalProgress:
    """Shows how many runs have been looked at of those expected so far; silent when standard error is no terminal."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("GitHub runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
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
