"""Messages: alerts and reports told to Slack and webhooks, and how each attempt went written down."""

import fcntl
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.alerts.delivery import Attempt, Post, Target, deliver, posts_of, targets_of
from phoenix_metrics.alerts.messages import FORGOTTEN_AFTER, LABELS, Alert, Delivered, due_messages
from phoenix_metrics.defs.intake import utc_now
from phoenix_metrics.defs.known import naive, rows_of
from phoenix_metrics.defs.transform import MODELS, WRITER_POOL
from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.report.posting import Posting, newest_posting
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

REPORTS = "reports"  # folder of PHOENIX_HOME
REPORT = "report"  # kind of what is told

Rows = Sequence[Mapping[str, Any]]

log = logging.getLogger(__name__)


def tell(settings: Settings, clock: Callable[[], datetime] = utc_now) -> list[Attempt]:
    """Tell every target what is due of alerts, and of the newest report; return the attempts.

    While another process does, there is nothing to do.
    """
    targets = targets_of(settings)
    with _alone(settings.home) as is_alone:
        if not targets or not is_alone:
            return []
        now = clock()
        with writing(settings.home) as connection:
            load_landing(connection, settings.home, MODELS, objects=("alert_deliveries",))
            alerts = rows_of(connection, "alerts_to_tell", {"after": naive(now - FORGOTTEN_AFTER)})
            attempts = rows_of(connection, "alert_attempts", {})

        def record(attempt: Attempt) -> None:
            landing.write_batch(settings.home, "alert_deliveries", [_record(attempt)])

        for target in targets:
            if not any(row["target"] == target.name for row in attempts):
                record(Attempt(target.name, "", "target", "registered", 0, now))
        known = [alert_of(row) for row in alerts]
        due = {target: _due(target, known, attempts, settings, now) for target in targets}
        counts = {(row["target"], row["alert_id"], row["kind"]): row["attempt_count"] for row in _failed(attempts)}
        return deliver(due, record, clock, counts)


def alert_of(row: Mapping[str, Any]) -> Alert:
    """Return a row of marts.alerts as an alert."""
    names = [one.name for one in fields(Alert) if one.name != "labels"]
    labels = {name: row[name] for name in LABELS if row[name] is not None}
    return Alert(**{name: row[name] for name in names}, labels=labels)


def _due(target: Target, alerts: Sequence[Alert], attempts: Rows, settings: Settings, now: datetime) -> list[Post]:
    """Return what is due to a target, a report after the alerts; nothing while it is left alone."""
    mine = [row for row in attempts if row["target"] == target.name]
    newest = max(mine, key=lambda row: row["attempted_at"], default=None)
    if newest is not None and newest["state"] == "failed" and newest["next_at"] and now < newest["next_at"]:
        return []
    known_since = min((row["attempted_at"] for row in mine if row["kind"] == "target"), default=now)
    delivered = [Delivered(row["alert_id"], row["kind"], row["state"], row["attempted_at"]) for row in mine]
    messages = due_messages(alerts, delivered, known_since, now)
    return [*posts_of(target, messages, settings), *_due_report(target, delivered, settings.home / REPORTS, now)]


def _due_report(target: Target, delivered: Iterable[Delivered], folder: Path, now: datetime) -> list[Post]:
    """Return the newest report if it is for a target that was not told of it; one of over a week ago is no news."""
    posting = _newest_posting(folder)
    if posting is None or target.name not in posting.targets or now - posting.made_at > FORGOTTEN_AFTER:
        return []
    settled = {one.alert_id for one in delivered if one.kind == REPORT and one.is_settled}
    key = f"{REPORT}-{posting.week}"
    return [] if posting.week in settled else [Post(posting.week, REPORT, key, posting.body)]


def _newest_posting(folder: Path) -> Posting | None:
    """Return the newest posting; one that cannot be read keeps no alert from being told."""
    try:
        return newest_posting(folder)
    except PhoenixError as error:
        log.warning("%s", error)
        return None


def _failed(attempts: Rows) -> Iterator[Mapping[str, Any]]:
    return (row for row in attempts if row["state"] == "failed")


def _record(attempt: Attempt) -> landing.Record:
    moments = {"attempted_at": attempt.attempted_at, "next_at": attempt.next_at}
    payload = {**asdict(attempt), **{name: moment and moment.isoformat() for name, moment in moments.items()}}
    return landing.Record(None, None, attempt.attempted_at, as_text(payload))


@contextmanager
def _alone(home: Path) -> Iterator[bool]:
    """Say whether no other process is telling; the lock ends with the process."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "alerts.lock").open("w") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


landed_deliveries = dg.AssetSpec(
    ["landing", "alert_deliveries"],
    group_name="landing",
    kinds={"parquet"},
    description="How each attempt to tell of an alert or a report went, as earlier passes wrote it down.",
)


@dg.asset(
    key="alert_messages",
    deps=["snapshot"],
    group_name="alerts",
    kinds={"slack"},
    description="Alerts told to Slack and webhooks, once what they rest on is published.",
    pool=WRITER_POOL,
)
def alert_messages(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Tell what is due; a target that cannot be reached fails nothing and is tried again at a later pass."""
    return told(context, tell(load_settings(os.environ)))


def told(context: dg.AssetExecutionContext, attempts: Sequence[Attempt]) -> dg.MaterializeResult[Any]:
    """Warn of attempts that went wrong, and count all of them."""
    for attempt in attempts:
        if attempt.state != "delivered":
            context.log.warning("%s: %s %s: %s", attempt.target, attempt.kind, attempt.state, attempt.error)
    return dg.MaterializeResult(metadata=dict(Counter(attempt.state for attempt in attempts)))
