"""Episodes of alerts, and what was told of them, written to landing as the pipeline does; truth as plain values."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from phoenix_metrics.alerts.episodes import Condition, Episode
from phoenix_metrics.defs.alerts import payload_of
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLACK, HOOK = "slack hooks.slack.com 0a1b2c3d", "webhook alerts.example.com 4e5f6a7b"
FAILING = Condition(
    rule="CICDPipelineFailureRate",
    subject="acme/shop CI",
    is_breached=True,
    threshold=0.1,
    value=8 / 24,
    sample_count=24,
    rests_on="github acme/shop",
    team="payments",
    note="8 of 24 runs of the last day failed",
    evidence_urls="https://github.com/acme/shop/actions/runs/1000 https://github.com/acme/shop/actions/runs/1003",
    labels={"repository": "acme/shop", "workflow": "CI"},
)
ROLLBACK = Condition(
    rule="CICDRollback",
    subject="api production",
    is_breached=True,
    threshold=0,
    value=1,
    sample_count=1,
    rests_on="argocd argocd",
    note="argocd from b to a",
    labels={"service": "api", "environment": "production"},
)
QUEUE = Condition(
    rule="CICDQueueLong",
    subject="acme/tools ubuntu-latest",
    is_breached=True,
    threshold=0.05,
    value=0.2,
    sample_count=40,
    rests_on="github acme/tools",
    note="8 of 40 jobs waited over 10 minutes",
    labels={"repository": "acme/tools", "runner": "ubuntu-latest"},
)
STALE = Condition(
    rule="CICDSourceStale",
    subject="github",
    is_breached=True,
    threshold=1800,
    value=4000,
    sample_count=2,
    note="1 of 2 repositories are silent",
    labels={"source": "github"},
)


def episodes(now: datetime) -> list[Episode]:
    """Return one of each kind: two fire, of which one stands still; one each is pending, silenced and over."""
    return [
        _episode(FAILING, "firing", now - 2 * HOUR, now, fired_at=now - 90 * MINUTE, due_at=now - 90 * MINUTE),
        _episode(ROLLBACK, "firing", now - HOUR, now, fired_at=now - HOUR, due_at=now - HOUR, is_frozen=True),
        _episode(QUEUE, "pending", now - 10 * MINUTE, now),
        _episode(
            STALE,
            "firing",
            now - 3 * HOUR,
            now,
            fired_at=now - 2 * HOUR,
            silenced_until=now + DAY,
            silence_reason="moving house",
        ),
        _episode(
            QUEUE,
            "resolved",
            now - 5 * DAY,
            now - 4 * DAY,
            fired_at=now - 5 * DAY + HOUR,
            due_at=now - 5 * DAY + HOUR,
            cleared_since=now - 4 * DAY - HOUR,
            ended_at=now - 4 * DAY,
        ),
    ]


def write_alerts(home: Path, found: list[Episode]) -> None:
    """Write down episodes as an evaluation does."""
    records = [Record(None, None, one.updated_at, as_text(payload_of(one))) for one in found]
    write_batch(home, "alert_events", records)


def write_messages(home: Path, now: datetime, found: list[Episode]) -> None:
    """Write down that Slack took what fires, that another target takes nothing yet, and refused what is over."""
    first, over = found[0], found[-1]
    told = [
        _message(SLACK, first, "opened", "delivered", now - 89 * MINUTE),
        _message(HOOK, first, "opened", "failed", now - 80 * MINUTE, count=4, error="HTTP 503: later"),
        _message(SLACK, over, "opened", "delivered", now - 5 * DAY + HOUR),
        _message(SLACK, over, "resolved", "delivered", now - 4 * DAY),
        _message(HOOK, over, "opened", "refused", now - 5 * DAY + HOUR, error="HTTP 400: what is this"),
    ]
    write_batch(home, "alert_deliveries", told)


def _episode(seen: Condition, state: Any, started_at: datetime, updated_at: datetime, **told: Any) -> Episode:
    return Episode(state, seen, started_at=started_at, held_since=started_at, updated_at=updated_at, **told)


def _message(
    target: str, episode: Episode, kind: str, state: str, at: datetime, *, count: int = 1, error: str | None = None
) -> Record:
    payload = {
        "target": target,
        "alert_id": episode.alert_id,
        "kind": kind,
        "state": state,
        "attempt_count": count,
        "attempted_at": at.isoformat(),
        "next_at": (at + HOUR).isoformat() if state == "failed" else None,
        "error": error,
    }
    return Record(None, None, at, as_text(payload))
