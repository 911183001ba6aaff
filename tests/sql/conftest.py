"""An empty store with every table in place, built once and copied for whoever wants to fill it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import duckdb
import pytest

from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import store_path, writing

OpenStore = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a store whose tables have their columns and no rows, and whose marts count as never built."""
    home = tmp_path_factory.mktemp("empty")
    models = load_models()
    with writing(home) as connection:
        load_landing(connection, home, models)
        load_seeds(connection)
        for model in models.values():
            if model.schema == "marts":
                build_mart(connection, model, models)
        connection.execute("delete from meta.models where model like 'marts.%'")
    return store_path(home)


@pytest.fixture(scope="session")
def open_store(empty_store: Path) -> OpenStore:
    """Open the store of a home, which starts out as a copy of the empty one."""

    @contextmanager
    def open_copy(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        if not store_path(home).exists():
            shutil.copyfile(empty_store, store_path(home))
        with writing(home) as connection:
            yield connection

    return open_copy
