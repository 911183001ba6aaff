"""High-water marks: what keeps a counter from falling."""


class HighWater:
    """Remembers the highest value that each series has shown.

    Prometheus takes a counter that falls from 5000 to 4999 for one that began anew and adds 4999 to its increase. The
    store can lower a count, for instance when an attempt turns out to have ended earlier than GitHub first said and so
    becomes a late one. The mark lives as long as the process.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[object, ...], float] = {}

    def raised(self, series: tuple[object, ...], value: float) -> float:
        """Return the value, or the highest one the series has shown if that is higher."""
        mark = max(value, self._marks.get(series, value))
        self._marks[series] = mark
        return mark
