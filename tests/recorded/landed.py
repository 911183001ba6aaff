"""Recordings as landing files, without a server between: for questions to what is stored, not to how it is fetched.

The tables of comma-separated values have fewer fields than GitHub's answers; what they lack stays NULL.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import Model, load_models
from phoenix_metrics.warehouse.staging import load_landing

RECORDINGS = CHECKOUT.parent / "shared" / "data" / "github_actions"
OZONE = "apache/ozone"
AOE = "AOE-HQ/e2e"
READ_AT = datetime(2026, 8, 1, tzinfo=UTC)
Json = dict[str, Any]


def build(connection: duckdb.DuckDBPyConnection, home: Path, tables: list[str]) -> None:
    """Load the landing files of a home and build some marts with all that they are built from."""
    models = load_models()
    load_seeds(connection)
    assert not load_landing(connection, home, models).set_aside
    wanted = set(_upstream(models, tables))
    for table, model in models.items():
        if table in wanted and model.schema == "marts":
            build_mart(connection, model, models)


def _upstream(models: dict[str, Model], tables: list[str]) -> Iterator[str]:
    for table in tables:
        yield table
        yield from _upstream(models, [name for name in models[table].upstream if name in models])


def land_ozone(home: Path, *conclusions: str) -> None:
    """Land the runs of Apache Ozone and their jobs, all or those that ended so; the last months' have steps."""
    folder = RECORDINGS / "apache_ozone"
    steps = {row["job_id"]: row["steps"] for row in _lines(folder / "job_steps.jsonl.gz")}
    _land_repository(home, OZONE)
    _land(home, "github_runs", _number(OZONE), list(_lines(folder / "runs.jsonl.gz")))
    jobs = (job for job in _lines(folder / "jobs.jsonl.gz") if not conclusions or job["conclusion"] in conclusions)
    _land(home, "github_jobs", _number(OZONE), [{**job, "steps": steps.get(job["id"], [])} for job in jobs])


def land_onnx(home: Path, *conclusions: str) -> None:
    """Land the runs and jobs of three repositories around ONNX; neither attempts nor runners nor steps are known."""
    folder = RECORDINGS / "onnx_build_durations"
    repositories: dict[str, list[Json]] = {}
    for row in _table(folder / "runs.csv.gz"):
        run = {"id": int(row["run_id"]), "name": row["workflow"], "workflow_id": _number(row["workflow"])}
        kept = ("event", "status", "created_at", "updated_at", "head_sha")
        run |= {"conclusion": row["conclusion"] or None, "run_started_at": row["created_at"]}
        repositories.setdefault(row["repo"], []).append({**run, **{key: row[key] for key in kept}})
    for name, runs in repositories.items():
        _land_repository(home, name)
        _land(home, "github_runs", _number(name), runs)
    jobs: dict[str, list[Json]] = {}
    for row in _table(folder / "jobs.csv.gz"):
        if conclusions and row["conclusion"] not in conclusions:
            continue
        job = {"id": int(row["job_id"]), "run_id": int(row["run_id"]), "name": row["job_name"], "status": row["status"]}
        job |= {"started_at": row["started_at"], "completed_at": row["completed_at"] or None}
        jobs.setdefault(row["repo"], []).append({**job, "conclusion": row["conclusion"] or None})
    for name, listed in jobs.items():
        _land(home, "github_jobs", _number(name), listed)


def land_aoe(home: Path) -> None:
    """Land the attempts of AOE's end-to-end runs; their jobs are not known."""
    attempts = []
    for row in _table(RECORDINGS / "aoe_e2e" / "runs.csv.gz"):
        attempt = {"id": int(row["run_id"]), "run_attempt": int(row["run_attempt"]), "status": "completed"}
        attempt |= {"name": row["workflow"], "workflow_id": _number(row["workflow"]), "event": row["event"]}
        attempt |= {"created_at": row["started_at"], "run_started_at": row["started_at"], "head_sha": row["sha"]}
        attempts.append({**attempt, "updated_at": row["completed_at"], "conclusion": row["conclusion"]})
    _land_repository(home, AOE)
    _land(home, "github_runs", _number(AOE), attempts)


def _land_repository(home: Path, name: str) -> None:
    _land(home, "github_repositories", _number(name), [{"id": _number(name), "full_name": name}])


def _land(home: Path, source_object: str, repository_id: int, payloads: list[Json]) -> None:
    write_batch(home, source_object, [Record(repository_id, one["id"], READ_AT, as_text(one)) for one in payloads])


def _number(name: str) -> int:
    """Return a number that stands for a name wherever it is met."""
    return zlib.crc32(name.encode())


def _lines(path: Path) -> Iterator[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
