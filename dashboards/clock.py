"""The one place where the dashboard reads the clock: to say how old its data is."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
