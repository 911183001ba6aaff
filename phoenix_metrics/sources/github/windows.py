"""Windows of run creation time: which stretches of a history are read, and which are missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)  # GitHub's resolution of `created`; both ends of a range are included


@dataclass(frozen=True, order=True)
class Window:
    """A stretch of time from `start` to `end`, both seconds included, UTC."""

    start: datetime
    end: datetime

    @property
    def filter(self) -> str:
        """The window as GitHub's `created` parameter."""
        return f"{_iso(self.start)}..{_iso(self.end)}"

    @property
    def open_filter(self) -> str:
        """The window as GitHub's `created` parameter, without an end."""
        return f">={_iso(self.start)}"

    def split(self, count: int) -> list["Window"]:
        """Cut the window into at most `count` windows without gap or overlap, oldest first; a second is not cut."""
        seconds = int((self.end - self.start) / SECOND) + 1
        step = max(-(-seconds // max(count, 1)), 1) * SECOND
        starts = [self.start + step * i for i in range(-(-seconds * SECOND // step))]
        return [Window(start, min(start + step - SECOND, self.end)) for start in starts]


def merged(windows: Iterable[Window]) -> list[Window]:
    """Return the same time as windows that neither touch nor overlap, oldest first."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.start <= result[-1].end + SECOND:
            result[-1] = Window(result[-1].start, max(result[-1].end, window.end))
        else:
            result.append(window)
    return result


def missing(wanted: Window, read: Iterable[Window]) -> list[Window]:
    """Return the stretches of `wanted` that no window of `read` covers, oldest first."""
    gaps, start = [], wanted.start
    for window in merged(read):
        if window.start > wanted.end:
            break
        if window.start > start:
            gaps.append(Window(start, window.start - SECOND))
        start = max(start, window.end + SECOND)
    if start <= wanted.end:
        gaps.append(Window(start, wanted.end))
    return gaps


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
