"""Functions of ours that models may call: what SQL cannot say, registered with the connection of the writer."""

import hashlib
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from phoenix_metrics.warehouse import change_points
from phoenix_metrics.warehouse.models import Model

_EXECUTIONS = "struct(created_at timestamp, execution_id bigint, run_id bigint, seconds double)[]"
_CHANGES = (
    "struct(position bigint, since bigint, until bigint, before_seconds double, after_seconds double, "
    "ratio double, ratio_low double, ratio_high double, p_value double)[]"
)
_SOURCES = {"change_points": (Path(change_points.__file__), Path(__file__))}


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a connection call `change_points(executions)`: changes of level of executions, a list in their order."""
    connection.create_function("change_points", _change_points, [_EXECUTIONS], _CHANGES, type=PythonUDFType.ARROW)


def fingerprint(model: Model) -> str:
    """Return a text that changes when a function that a model calls does; empty for a model that calls none."""
    sources = [path for name, paths in _SOURCES.items() if f"{name}(" in model.query for path in paths]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest() if sources else ""


def _change_points(executions: Any) -> Any:
    series = executions.combine_chunks()
    flat, offsets = series.flatten(), series.offsets.to_numpy()
    seconds = flat.field("seconds").to_numpy(zero_copy_only=False)
    moments = flat.field("created_at").cast(pa.int64()).to_numpy(zero_copy_only=False) // 1_000_000
    found = [
        [asdict(change) for change in change_points.find_changes(seconds[start:end], moments[start:end])]
        for start, end in pairwise((offsets - offsets[0]).tolist())
    ]
    fields = pa.struct([(name, pa.float64() if name not in _POSITIONS else pa.int64()) for name in _NAMES])
    return pa.array(found, type=pa.list_(fields))


_POSITIONS = ("position", "since", "until")
_NAMES = tuple(change_points.Change.__dataclass_fields__)
