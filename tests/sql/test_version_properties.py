"""What holds for any series of versions: forward, back and again are told as a second reading of the rule has it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Row, fill

MODELS = load_models()
EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "30"))
START = datetime(2026, 1, 1)  # noqa: DTZ001  # as the store has it
LOOK_BACK = timedelta(days=90)
KINDS = ("full",) * 6 + ("partial", "self_heal", "dry_run")


@dataclass(frozen=True)
class Operation:
    """One operation of an application with one service."""

    version: str
    kind: str
    status: str
    is_live: bool
    started_at: datetime
    incarnation: int


@dataclass
class Position:
    """A version while it was live; `first` is the position where it appeared first, as far as anybody looks back."""

    version: str
    first: int
    since: datetime
    until: datetime | None = None
    brought_by: list[int] = field(default_factory=list)


@st.composite
def operations(draw: st.DrawFn) -> list[Operation]:
    """Return a series: mostly days apart, sometimes months; some fail, before or after their workload was applied."""
    found, at, incarnation = [], START, 0
    for _ in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([timedelta(hours=1)] * 6 + [timedelta(days=50), timedelta(days=100)]))
        incarnation += draw(st.sampled_from([0] * 9 + [1]))
        kind, status = draw(st.sampled_from(KINDS)), draw(st.sampled_from(["succeeded"] * 5 + ["failed", "error"]))
        is_live = kind != "dry_run" and (status == "succeeded" or (status == "failed" and draw(st.booleans())))
        found.append(Operation(draw(st.sampled_from("ABCD")), kind, status, is_live, at, incarnation))
    return found


def told(series: Sequence[Operation]) -> list[tuple[str, int | None, int | None]]:
    """Return of each operation where it went, how many versions it undid, and which one undid it, by their numbers."""
    changes: list[tuple[str, int | None]] = []
    undone_by: dict[int, int] = {}
    track: list[Position] = []
    last_live: Operation | None = None
    for number, one in enumerate(series):
        current = track[-1] if track else None
        change, count = _change(one, current, last_live, track)
        if change == "rollback":
            undone = _undone(one.version, track)
            count = len({position.version for position in undone})
            for position in undone:
                for brought in position.brought_by:
                    undone_by.setdefault(brought, number)
        changes.append((change, count))
        if not one.is_live:
            continue
        if current is None or current.version != one.version:
            if current is not None:
                current.until = one.started_at
            first = _first(one.version, one.started_at, track)
            track.append(Position(one.version, len(track) if first is None else first, one.started_at))
        track[-1].brought_by.append(number)
        last_live = one
    return [(change, count, undone_by.get(number)) for number, (change, count) in enumerate(changes)]


def _change(
    one: Operation, current: Position | None, before: Operation | None, track: list[Position]
) -> tuple[str, int | None]:
    if one.kind == "dry_run" or not (one.is_live or (one.kind == "full" and one.status in ("failed", "error"))):
        return "none", None
    if current is None or before is None:
        return "first", None
    if current.version == one.version:
        return ("resync" if one.kind == "full" else "none"), None
    first = _first(one.version, one.started_at, track)
    if not one.is_live or first is None or first >= current.first:
        return "forward", None
    return ("recreated" if before.incarnation != one.incarnation else "rollback"), None


def _first(version: str, at: datetime, track: list[Position]) -> int | None:
    """Return where a version that comes again appeared first, None where it is new or nobody looks back so far."""
    earlier = [position for position in track if position.version == version]
    if not earlier:
        return None
    until = earlier[-1].until
    assert until is not None
    return earlier[-1].first if at <= until + LOOK_BACK else None


def _undone(version: str, track: list[Position]) -> list[Position]:
    """Return what was live since the version was, later than it and no later than what is live now."""
    last = max(place for place, position in enumerate(track) if position.version == version)
    first, newest = track[last].first, track[-1].first
    return [position for position in track[last + 1 :] if first < position.first <= newest]


def rows_of(series: Sequence[Operation]) -> tuple[list[Row], list[Row]]:
    """Return operations and images as the marts upstream have them."""
    rows = [
        {
            "deployment_id": f"{number:02}", "instance": "argocd", "namespace": "argocd", "application": "api",
            "uid": str(one.incarnation), "started_at": one.started_at, "finished_at": one.started_at, "kind": one.kind,
            "status": one.status, "is_live": one.is_live, "revision": f"r{number}", "is_revision_resolved": True,
            "is_local": False, "is_app_of_apps": False, "trigger": "auto_sync", "is_explicit_rollback": False,
            "is_rollback_shape": False, "is_health_confirmed": False,
        }
        for number, one in enumerate(series)
    ]  # fmt: skip
    images = [
        {"deployment_id": f"{number:02}", "service": "api", "version": one.version, "image_source": "sync_result"}
        for number, one in enumerate(series)
    ]
    return rows, images


@given(series=operations())
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_direction_is_told_by_first_appearance(open_store: OpenStore, series: list[Operation]) -> None:
    """Of any series each operation goes where the rule says, undoes what it says, and each way back is one rollback."""
    rows, images = rows_of(series)
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(connection, {"marts.operations": rows, "marts.deployment_images": images})
        for table in ("marts.service_deployments", "marts.rollbacks"):
            build_mart(connection, MODELS[table], MODELS)
        found = connection.execute(
            "select change, rolled_back_count, cast(rolled_back_by_deployment_id as integer) "
            "from marts.service_deployments order by deployment_id"
        ).fetchall()
        incidents = connection.execute("select deployment_id from marts.rollbacks order by 1").fetchall()
    expected = told(series)
    assert found == expected
    assert [int(row[0]) for row in incidents] == [
        number for number, (change, *_) in enumerate(expected) if change == "rollback"
    ]
