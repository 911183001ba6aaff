"""Landing files: the immutable archive of what the sources said.

A file holds one fetched batch of one source object, as Parquet (zstd), in
`landing/<object>/<day>/<stamp>-<random>.parquet`.
Columns: repository_id (BIGINT), object_id (BIGINT), fetched_at (TIMESTAMP, UTC), payload (VARCHAR, JSON).
"""

import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from phoenix_metrics.errors import DiskFullError, WarehouseError

OBJECTS = (  # in the order in which one batch is written: what a claim rests on stands before it
    "github_repositories",
    "github_workflows",
    "github_jobs",
    "github_runs",
    "github_run_details",
    "github_gone_runs",
    "github_releases",
    "github_pull_requests",
    "github_commit_checks",
    "github_annotations",
    "github_branch_rules",
    "github_workflow_files",
    "github_billing_usage",
    "github_runners",
    "github_hosted_runners",
    "github_runner_groups",
    "test_reports",
    "github_artifacts",
    "github_deployments",
    "github_deployment_statuses",
    "github_deliveries",
    "argocd_applications",
    "argocd_notifications",
    "argocd_events",
    "argocd_rollouts",
    "argocd_replica_sets",
    "argocd_analysis_runs",
    "argocd_revisions",
    "argocd_sightings",
    "argocd_sync_totals",
    "github_windows",
    "github_budgets",
    "github_syncs",
    "github_visits",
    "argocd_syncs",
    "alert_events",
    "alert_deliveries",
)
NO_SPACE = 1 << 20  # with less free than this, whatever failed to write failed for that
SCHEMA = pa.schema(
    [
        ("repository_id", pa.int64()),
        ("object_id", pa.int64()),
        ("fetched_at", pa.timestamp("us")),
        ("payload", pa.string()),
    ]
)


@dataclass(frozen=True)
class Record:
    """One source object as it was fetched: its ids, when, and its payload as JSON text."""

    repository_id: int | None
    object_id: int | None
    fetched_at: datetime
    payload: str


def write_batch(home: Path, source_object: str, records: Sequence[Record]) -> Path:
    """Write one batch durably and return its file; a crash leaves either the whole file or none.

    Raises DiskFullError when there is no space left and WarehouseError when the folder cannot be written.
    """
    now = datetime.now(UTC)
    folder = home / "landing" / source_object / f"{now:%Y-%m-%d}"
    name = f"{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(4)}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_durably(folder, name, _table(records))
    except OSError as error:
        raise write_error(home, error) from error
    return folder / name


def list_files(home: Path) -> list[str]:
    """Return all landing files, oldest first, as paths below `landing/`."""
    root = home / "landing"
    found = [
        (file, f"{source_object}/{day}/{file}")
        for source_object in _names(root)
        for day in _names(root / source_object)
        for file in _names(root / source_object / day)
        if file.endswith(".parquet") and not file.startswith(".")
    ]
    return [name for _, name in sorted(found)]


def _names(folder: Path) -> list[str]:
    """Return what is in a folder, nothing where it is none or has gone."""
    try:
        return os.listdir(folder)  # noqa: PTH208  # Path takes many times as long, and there may be tens of thousands
    except (NotADirectoryError, FileNotFoundError):
        return []


def object_of(file: str) -> str:
    """Return the source object that a path below `landing/` holds."""
    return file.partition("/")[0]


def set_aside(home: Path, file: str) -> Path:
    """Move an unreadable file out of the way, to `landing-set-aside/`; moved back, it is loaded again."""
    target = home / "landing-set-aside" / file
    target.parent.mkdir(parents=True, exist_ok=True)
    (home / "landing" / file).replace(target)
    return target


def write_error(home: Path, error: Exception) -> WarehouseError:
    """Turn an error of writing below PHOENIX_HOME into one line that says what to do."""
    is_full = home.exists() and shutil.disk_usage(home).free < NO_SPACE
    if is_full or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return DiskFullError(
            f"{home}: no space left on the disk; free some and run again, nothing that was stored is lost"
        )
    return WarehouseError(f"{home}: cannot write: {str(error).splitlines()[0]}")


def _table(records: Sequence[Record]) -> pa.Table:
    columns = {
        "repository_id": [record.repository_id for record in records],
        "object_id": [record.object_id for record in records],
        "fetched_at": [record.fetched_at.astimezone(UTC).replace(tzinfo=None) for record in records],
        "payload": [record.payload for record in records],
    }
    return pa.table(columns, schema=SCHEMA)


def _write_durably(folder: Path, name: str, table: pa.Table) -> None:
    temporary = folder / f".tmp-{name}"
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def sync_file(path: Path) -> None:
    """Make a file that somebody else wrote survive a power failure."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
