"""What the exporter does when a snapshot is missing, new or damaged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.warehouse.snapshot import publish as publish_store
from phoenix_metrics.warehouse.store import writing
from tests.exporter.landed import Attempt, ago, publish
from tests.exporter.truth import Samples, parsed, sample

READABLE = sample("phoenix_snapshot_readable")


def figures(page: Page) -> Samples:
    """Return the samples that come from a snapshot's marts."""
    return {series: value for series, value in parsed(page.render()[0]).items() if "snapshot" not in series[0]}


def damage(home: Path, content: bytes) -> Path:
    """Let CURRENT name a file that is no snapshot."""
    broken = home / "snapshots" / "00000099.duckdb"
    broken.write_bytes(content)
    (home / "snapshots" / "CURRENT").write_text(broken.name)
    return broken


def test_before_the_first_publication_there_is_only_its_own_health(
    tmp_path: Path, page_of: Callable[..., Page], caplog: pytest.LogCaptureFixture
) -> None:
    """The page says that nothing is readable; the log says once what to do."""
    page = page_of(tmp_path)
    for _ in range(3):
        assert parsed(page.render()[0]) == {READABLE: 0}
    assert not page.is_ready()
    assert [record.message for record in caplog.records if "phoenix sync" in record.message] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_new_snapshot_is_noticed_at_the_next_scrape(home: Path, page_of: Callable[..., Page]) -> None:
    """Without a new one the very same text is given out; with one it is written anew."""
    publish(home, [Attempt(1, ago(minutes=10))])
    page = page_of(home)
    first, _ = page.render()
    assert page.render()[0] is first
    publish(home, [Attempt(2, ago(minutes=5))])
    second, _ = page.render()
    assert second != first
    assert figures(page) == figures(page_of(home))


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000], ids=["empty", "garbage"])
def test_a_damaged_snapshot_leaves_the_last_good_figures(
    home: Path, page_of: Callable[..., Page], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The figures stay and are called old, the log names the file once, and the next good snapshot heals it."""
    publish(home, [Attempt(1, ago(minutes=10))])
    page = page_of(home)
    before = figures(page)
    broken = damage(home, content)
    for _ in range(3):
        assert figures(page) == before
        assert parsed(page.render()[0])[READABLE] == 0
    assert page.is_ready()
    assert len(caplog.messages) == 1
    assert str(broken) in caplog.text
    publish(home, [Attempt(2, ago(minutes=5))])
    assert parsed(page.render()[0])[READABLE] == 1
    assert figures(page) != before


def test_a_snapshot_without_our_tables_leaves_the_last_good_figures(home: Path, page_of: Callable[..., Page]) -> None:
    """A snapshot of another version, which lacks a mart, is not read in part."""
    publish(home, [Attempt(1, ago(minutes=10))])
    page = page_of(home)
    before = figures(page)
    with writing(home) as connection:
        connection.execute("drop table marts.workflow_windows")
        publish_store(connection, home)
    assert figures(page) == before
    assert parsed(page.render()[0])[READABLE] == 0


def test_a_home_that_is_emptied_leaves_the_last_good_figures(home: Path, page_of: Callable[..., Page]) -> None:
    """Without CURRENT nothing is readable, and what was read is still served."""
    publish(home, [Attempt(1, ago(minutes=10))])
    page = page_of(home)
    before = figures(page)
    (home / "snapshots" / "CURRENT").unlink()
    assert figures(page) == before
    assert parsed(page.render()[0])[READABLE] == 0
