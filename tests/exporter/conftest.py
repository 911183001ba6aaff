"""A home with known repositories, and pages over homes."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.exporter.page import LIMIT, Page
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.exporter.landed import NOW, ago, land_repositories


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home whose repositories are known for a month; nothing is published."""
    land_repositories(tmp_path, ago(days=30))
    return tmp_path


@pytest.fixture
def page_of() -> Iterator[Callable[..., Page]]:
    """Make pages over homes, looked at ten minutes from NOW unless said."""
    readers = []

    def make(
        home: Path,
        clock: Callable[[], datetime] = lambda: NOW + timedelta(minutes=10),
        limit: int = LIMIT,
        otel_names: bool = False,
        is_pushed: bool = False,
    ) -> Page:
        readers.append(SnapshotReader(home))
        return Page(readers[-1], clock, limit=limit, otel_names=otel_names, is_pushed=is_pushed)

    yield make
    for reader in readers:
        reader.close()
