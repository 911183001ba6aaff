"""Webhooks and streams: what the spool holds drained into landing at once, and lost deliveries asked for again."""

import fcntl
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.defs.context import visit_organizations
from phoenix_metrics.defs.intake import Measured, Visit, connected, visit_repositories
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.argocd import deliveries as argocd
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.github.deliveries import delivered_items, delivery_payload
from phoenix_metrics.sources.github.redelivery import ask_again
from phoenix_metrics.sources.items import Batch
from phoenix_metrics.warehouse import landing
from phoenix_metrics.webhooks.spool import (
    Delivery,
    adopt_orphans,
    folder,
    read_segment,
    ready_segments,
    remove_segment,
)

SEGMENTS_AT_ONCE = 20  # bounds the memory of one step of the drain
REDELIVER_EVERY = timedelta(hours=1)  # GitHub keeps failed deliveries for three days
SENSOR_SECONDS = 10
DRAINED = {
    "github_deliveries": "Webhook deliveries that were accepted, each with what it says landed beside it.",
    "argocd_notifications": "What Argo CD's notifications told of operations; what its stream told is landed beside.",
}


@dataclass
class Drained:
    """What a drain did: deliveries by event, and those that could not be understood."""

    events: Counter[str] = field(default_factory=Counter)
    error_count: int = 0


def drain(home: Path) -> Drained:
    """Land what the closed segments of the spool hold, then remove them; a kill in between lands them once more.

    A line that is no delivery, or one of Argo CD's that is not as it should be, goes to `spool-set-aside/` with its
    segment's name; nothing holds up the others.
    """
    done = Drained()
    if not folder(home).is_dir():
        return done
    with _alone(home):
        adopt_orphans(home)
        segments = ready_segments(home)
        for start in range(0, len(segments), SEGMENTS_AT_ONCE):
            _drain_segments(home, segments[start : start + SEGMENTS_AT_ONCE], done)
    return done


def _drain_segments(home: Path, segments: list[Path], done: Drained) -> None:
    records: dict[str, list[landing.Record]] = defaultdict(list)
    for path in segments:
        segment = read_segment(path)
        strange = list(segment.malformed)
        for delivery in segment.deliveries:
            if delivery.event not in argocd.EVENTS:
                _add_records(delivery, records, done)
            elif not _add_argocd(delivery, records, done):
                strange.append(
                    json.dumps({**asdict(delivery), "received_at": delivery.received_at.isoformat()}).encode()
                )
        if strange:
            _set_aside(home, path.stem, b"\n".join(strange))
        done.error_count += len(strange)
    _once_each(records["github_repositories"])
    for source_object in landing.OBJECTS:
        if records[source_object]:
            landing.write_batch(home, source_object, records[source_object])
    for path in segments:
        remove_segment(path)


def _add_records(delivery: Delivery, records: dict[str, list[landing.Record]], done: Drained) -> None:
    """Add what a delivery says, and that it came."""
    error, number = None, None
    try:
        items = delivered_items(delivery.event, delivery.payload)
        number = int(delivery.payload["repository"]["id"])
    except (KeyError, TypeError, ValueError, AttributeError) as caught:
        items, error = [], repr(caught)[:200]
        done.error_count += 1
    for item in items:
        record = landing.Record(number, item.object_id, delivery.received_at, item.payload)
        records[item.source_object].append(record)
    told = delivery_payload(
        delivery.event, delivery.payload, delivery.delivery_id, delivery.received_at.isoformat(), error
    )
    records["github_deliveries"].append(landing.Record(number, None, delivery.received_at, told))
    done.events[delivery.event] += 1


def _add_argocd(delivery: Delivery, records: dict[str, list[landing.Record]], done: Drained) -> bool:
    """Add what a delivery of Argo CD's says; returns whether it could be understood."""
    try:
        items = argocd.delivered_items(delivery.event, delivery.payload)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    for item in items:
        records[item.source_object].append(landing.Record(None, None, delivery.received_at, item.payload))
    done.events[delivery.event] += 1
    return True


def _once_each(repositories: list[landing.Record]) -> None:
    """Keep the newest description of each repository."""
    newest = {record.repository_id: record for record in sorted(repositories, key=lambda record: record.fetched_at)}
    repositories[:] = newest.values()


def _set_aside(home: Path, name: str, lines: bytes) -> None:
    target = home / "spool-set-aside"
    target.mkdir(exist_ok=True)
    (target / f"{name}.jsonl").write_bytes(lines + b"\n")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one drain at a time go on; the lock ends with the process."""
    with (folder(home) / "drain.lock").open("w") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        yield


@dg.multi_asset(
    name="deliveries",
    specs=[
        dg.AssetSpec(["landing", name], group_name="landing", kinds={"parquet"}, description=description)
        for name, description in DRAINED.items()
    ],
)
def deliveries(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Drain the spool."""
    done = drain(load_settings(os.environ).home)
    if done.error_count:
        context.log.warning("%d deliveries could not be understood", done.error_count)
    ours = sum(count for event, count in done.events.items() if event in argocd.EVENTS)
    counts = {"github_deliveries": done.events.total() - ours, "argocd_notifications": ours}
    for name in DRAINED:
        metadata = {"deliveries": counts[name], "errors": done.error_count}
        yield dg.MaterializeResult(asset_key=["landing", name], metadata=metadata)


@dg.asset(
    key=["landing", "github_redeliveries"],
    deps=[["landing", "github_syncs"]],
    group_name="landing",
    kinds={"api"},
    description="Deliveries that failed and were asked for again; GitHub never tries twice by itself.",
)
def github_redeliveries() -> dg.MaterializeResult[Any]:
    """Ask for failed deliveries again, where webhooks are used."""
    settings = load_settings(os.environ)
    count = 0
    if settings.webhook_secret is not None:
        with connected(settings) as connections:
            count = redeliver(settings, connections)
    return dg.MaterializeResult(metadata={"asked for again": count})


def redeliver(settings: Settings, connections: Connections) -> int:
    """Ask for failed deliveries to the settings' repositories and organisations again, hourly; return how many."""
    asked = Counter[str]()
    named = {name.lower() for name in settings.github_repositories}

    def of_repository(client: GitHubClient, repository: Measured, _: Visit) -> Iterator[Batch]:
        if repository.full_name.lower() in named:
            asked["again"] += ask_again(client, f"{repository.path}/hooks")
        yield []

    def of_organization(client: GitHubClient, organization: str, _: Visit) -> Iterator[Batch]:
        if organization in settings.github_organizations:
            asked["again"] += ask_again(client, f"/orgs/{organization}/hooks")
        yield []

    client_for = connections.client_for
    visit_repositories(settings.home, client_for, "redelivery", REDELIVER_EVERY, of_repository)
    visit_organizations(settings, client_for, "organization_redelivery", REDELIVER_EVERY, of_organization)
    return asked["again"]


drain_spool = dg.define_asset_job(
    "drain_spool",
    selection=dg.AssetSelection.assets(*(["landing", name] for name in DRAINED))
    | dg.AssetSelection.groups("staging", "seeds", "marts", "alerts", "snapshot"),
    description="Lands what webhooks and streams told, and brings staging, marts and snapshot up to date with it.",
)


@dg.sensor(
    job=drain_spool,
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Drains the spool as soon as a segment of it is closed.",
)
def spool_filled(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a drain where there is something to drain and none is under way."""
    home = load_settings(os.environ).home
    adopt_orphans(home)
    segments = ready_segments(home)
    if not segments:
        return dg.SkipReason("the spool is empty")
    unfinished = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    if context.instance.get_runs(dg.RunsFilter(job_name="drain_spool", statuses=unfinished), limit=1):
        return dg.SkipReason("a drain is under way")
    return dg.RunRequest(run_key=segments[-1].stem)
