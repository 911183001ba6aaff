"""How often a repository is polled."""

from datetime import UTC, datetime, timedelta

import pytest

from phoenix_metrics.sources.github.tiers import is_due, pause_after

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "quiet", "pause"),
    [
        ("ok", timedelta(minutes=3), timedelta(0)),
        ("ok", timedelta(days=2), timedelta(hours=1)),
        ("ok", timedelta(days=14), timedelta(hours=6)),
        ("ok", None, timedelta(hours=6)),
        ("partial", timedelta(days=400), timedelta(0)),
        ("failed", None, timedelta(0)),
        ("gone", timedelta(minutes=3), timedelta(hours=1)),
        ("no_access", None, timedelta(hours=1)),
    ],
)
def test_the_pause_grows_with_the_quiet(state: str, quiet: timedelta | None, pause: timedelta) -> None:
    """Busy repositories at every tick, quiet ones hourly and then every six hours; what was cut short at once."""
    assert pause_after(state, NOW - quiet if quiet is not None else None, NOW) == pause


def test_a_tick_that_comes_a_little_early_counts() -> None:
    """A schedule fires within seconds of its minute, so a poll due in under a minute is made now."""
    quiet = NOW - timedelta(days=3)
    assert is_due(NOW, NOW - timedelta(minutes=59, seconds=5), "ok", quiet)
    assert not is_due(NOW, NOW - timedelta(minutes=58), "ok", quiet)
