"""Seconds since 1970 as GitHub writes them."""

from datetime import UTC, datetime

from phoenix_metrics.demo.universe import DAY, FOUNDED


def written(at: int) -> str:
    """Return a moment as in 2026-01-31T09:30:00Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FOUNDED_AT = written(FOUNDED * DAY)
