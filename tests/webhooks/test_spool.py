"""The spool when its folder cannot be written: refusals while it lasts, nothing lost, and on it goes."""

import time
from pathlib import Path

import pytest

from phoenix_metrics.webhooks.spool import ROTATE_SECONDS, Spool, adopt_orphans, folder, read_segment, ready_segments


def test_a_segment_that_cannot_be_closed_ends_nothing(tmp_path: Path) -> None:
    """What it holds is kept, deliveries are refused while the folder is away, and accepted once it is back."""
    spool, away = Spool(tmp_path), tmp_path / "away"
    spool.append("1", "ping", b"{}")[0].result(5)
    folder(tmp_path).rename(away)
    time.sleep(2 * ROTATE_SECONDS)  # it is time to close the segment, whose name is not there
    with pytest.raises(OSError, match="No such file"):
        spool.append("2", "ping", b"{}")[0].result(5)
    away.rename(folder(tmp_path))
    spool.append("3", "ping", b"{}")[0].result(5)
    spool.close()
    assert adopt_orphans(tmp_path) == 1
    kept = [one.delivery_id for path in ready_segments(tmp_path) for one in read_segment(path).deliveries]
    assert kept == ["1", "3"]
