"""Landing files as ingestion writes them: one layout, one schema, each file whole or not there.

The demo organisation knows nothing of the warehouse, so the layout stands here again; a test holds both to each other.
"""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from phoenix_metrics.demo.bulk.plan import Plan

SCHEMA = pa.schema(
    [
        ("repository_id", pa.int64()),
        ("object_id", pa.int64()),
        ("fetched_at", pa.timestamp("us")),
        ("payload", pa.string()),
    ]
)


def has_files(folder: Path) -> bool:
    """Tell whether landing files are in a folder already, by whomever."""
    return any((folder / "landing").rglob("*.parquet"))


def write(folder: Path, plan: Plan, source_object: str, place: int, columns: tuple[object, object, object]) -> Path:
    """Write repositories, objects and payloads as the file at one place in the order of loading; return the file."""
    repository_id, object_id, payload = columns
    now = datetime.fromtimestamp(plan.until, UTC)
    count = len(payload)  # type: ignore[arg-type]
    fetched_at = pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), count)
    table = pa.table([repository_id, object_id, fetched_at, payload], schema=SCHEMA)
    token = hashlib.sha256(f"{plan}/{source_object}/{place}".encode()).hexdigest()[:8]
    target = folder / "landing" / source_object / f"{now:%Y-%m-%d}"
    target.mkdir(parents=True, exist_ok=True)
    return _write_durably(target, f"{now:%Y%m%dT%H%M%S}.{place:06}Z-{token}.parquet", table)


def _write_durably(folder: Path, name: str, table: pa.Table) -> Path:
    temporary = folder / f".tmp-{name}"
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=["repository_id", "fetched_at"])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return folder / name
