"""What many tests stand on: a small GitHub, settings for it, and one pass from its payloads to a snapshot."""

import atexit
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from phoenix_metrics.defs.polling import Pass, Poll, sync_github
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.warehouse.checks import check_rule, checks_of, run_check
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import load_checks, load_models
from phoenix_metrics.warehouse.rules import NO_RULES, Rules
from phoenix_metrics.warehouse.schedules import expand_schedules
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.github_server import GitHub, serving

MODELS = load_models()


@atexit.register
def _end_with_the_summary() -> None:
    """Keep DuckDB 2.0's bindings from listing their own leaked references after pytest's last line."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A running GitHub with one empty repository."""
    with serving(GitHub()) as server:
        yield server


@pytest.fixture
def settings(github: GitHub, tmp_path: Path) -> Settings:
    """Settings that measure that repository from 2026 on."""
    return settings_for(github, tmp_path / "home")


def settings_for(github: GitHub, home: Path, **changes: str) -> Settings:
    """Return settings that measure a GitHub's repository into a home."""
    environ = {
        "PHOENIX_HOME": str(home),
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
    }
    return load_settings({**environ, **changes})


def broken_promises(home: Path) -> dict[str, int]:
    """Return what a published snapshot breaks of what models promise, and of the rules across tables, with how often.

    One row for each key, nothing NULL or unknown that must not be.
    """
    checks = [check_rule(rule) for rule in load_checks().values()]
    checks += [check for model in MODELS.values() for check in checks_of(model)]
    assert checks
    with duckdb.connect(str(SnapshotReader(home).current().path), read_only=True) as connection:
        findings = [run_check(connection, check) for check in checks]
    return {
        f"{finding.check.table} {finding.check.name} {part}": count
        for finding in findings
        for part, count in finding.broken.items()
    }


def publish_landing(home: Path, rules: Rules = NO_RULES) -> None:
    """Load what is in landing, build every mart and publish, without Dagster."""
    with writing(home) as connection:
        load_seeds(connection, rules)
        load_landing(connection, home, MODELS)
        expand_schedules(connection)
        for model in MODELS.values():
            if model.schema == "marts":
                build_mart(connection, model, MODELS)
        publish(connection, home)


@pytest.fixture
def one_pass() -> Callable[..., list[Pass]]:
    """Ingest and publish once; returns how each repository went."""

    def run(settings: Settings, **options: bool) -> list[Pass]:
        passes = sync_github(settings, Poll(**options))
        publish_landing(settings.home)
        return passes

    return run


def read(home: Path, query: str) -> pa.Table:
    """Return the answer of the published snapshot."""
    reader = SnapshotReader(home)
    try:
        return reader.query(query)
    finally:
        reader.close()


def rows(home: Path, query: str) -> list[dict[str, object]]:
    """Return the answer of the published snapshot as dictionaries."""
    return read(home, query).to_pylist()


CLOCK_COLUMNS = {  # they say when we looked, which differs between two homes that hold the same history
    "marts.data_health": {"last_success_at", "last_attempt_at", "request_count", "rate_limit_remaining"},
    "marts.workflows": {"first_seen_at"},
    "marts.source_freshness": {"as_of", "last_attempt_at", "last_success_at", "silent_seconds", "rate_limit_remaining"},
    "marts.sources": {"last_success_at", "silent_seconds", "rate_limit_remaining"},
    "marts.alert_conditions": {"as_of", "value", "note"},
    "marts.alert_rules": {"as_of"},
}


def all_marts(home: Path) -> dict[str, list[str]]:
    """Return every row of every mart, sorted, less the columns that say when we looked."""
    found = {}
    for model in MODELS.values():
        if model.schema == "marts":
            columns = [c.name for c in model.columns if c.name not in CLOCK_COLUMNS.get(model.table, set())]
            table = read(home, f"select {', '.join(columns)} from {model.table}")
            found[model.table] = sorted(str(row) for row in table.to_pylist())
    return found
