"""Homes in which the story is published, whole and in parts."""

from pathlib import Path

import pytest

from phoenix_metrics.report.digest import make_digest
from phoenix_metrics.report.document import Digest
from phoenix_metrics.settings import load_settings
from tests.report.story import NOW, Run, deliveries, publish, story


@pytest.fixture(scope="session")
def runs() -> list[Run]:
    """Return the runs of the story."""
    return story()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, runs: list[Run]) -> Path:
    """Return a home in which the whole story is published."""
    path = tmp_path_factory.mktemp("report")
    publish(path, runs, deliveries(runs))
    return path


@pytest.fixture(scope="session")
def digest(home: Path) -> Digest:
    """Return its digest."""
    return digest_of(home)


def digest_of(home: Path, days: int = 7, **environ: str) -> Digest:
    """Return the digest of a home as of the story's end."""
    return make_digest(load_settings({"PHOENIX_HOME": str(home), **environ}), days, NOW)
