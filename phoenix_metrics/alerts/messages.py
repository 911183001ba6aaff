"""Messages: what is to be told of alerts to one target, and the words, links and bodies for it.

An episode is told once when it fires, again every 24 hours while it does, and once when it is resolved. What came and
went while a target could not be reached is told in one message. What is silenced is not told, and due when the silence
ends while it still fires; that something is over is told wherever it was told that it began.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from phoenix_metrics import words
from phoenix_metrics.slack import MOST_LETTERS, escaped, link

REMIND_EVERY = timedelta(hours=24)
FORGOTTEN_AFTER = timedelta(days=7)  # what ended longer ago is no news, should a target come back after so long
LABELS = ("repository", "workflow", "runner", "service", "environment", "scope", "budget", "source")
NEVER = "0001-01-01T00:00:00Z"  # how Alertmanager writes that something has not ended

Kind = Literal["opened", "reminder", "resolved", "test"]


@dataclass(frozen=True)
class Alert:
    """A row of marts.alerts, with the times in UTC."""

    alert_id: str
    rule: str
    subject: str
    state: str
    value: float | None
    threshold: float | None
    sample_count: int | None
    started_at: datetime
    fired_at: datetime
    ended_at: datetime | None = None
    due_at: datetime | None = None
    silenced_until: datetime | None = None
    is_frozen: bool = False
    severity: str | None = None
    unit: str | None = None
    note: str | None = None
    evidence_urls: str | None = None
    team: str | None = None
    meaning: str | None = None
    runbook: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivered:
    """How the newest attempt to tell a target of one thing went."""

    alert_id: str
    kind: str
    state: str
    attempted_at: datetime

    @property
    def is_settled(self) -> bool:
        """Whether it is told, or refused for good."""
        return self.state in ("delivered", "refused")


@dataclass(frozen=True)
class Message:
    """One thing to tell: an alert, and what happened to it. The key is the same however often it is tried."""

    alert: Alert
    kind: Kind
    key: str


def due_messages(
    alerts: Iterable[Alert], delivered: Iterable[Delivered], known_since: datetime, at: datetime
) -> list[Message]:
    """Return what is due to a target at a moment, oldest first, given what it was told and since when it is known.

    What ended before a target was known is not told there.
    """
    told = {(one.alert_id, one.kind): one for one in delivered}
    found = [_due(alert, told, known_since, at) for alert in alerts if alert.due_at is not None]
    return sorted((one for one in found if one), key=lambda one: (one.alert.fired_at, one.alert.alert_id))


def _due(
    alert: Alert, told: Mapping[tuple[str, str], Delivered], known_since: datetime, at: datetime
) -> Message | None:
    opened = told.get((alert.alert_id, "opened"))
    if alert.state == "firing":
        return _of_firing(alert, opened, told.get((alert.alert_id, "reminder")), at)
    resolved = told.get((alert.alert_id, "resolved"))
    if alert.ended_at is None or (resolved and resolved.is_settled) or at - alert.ended_at > FORGOTTEN_AFTER:
        return None
    was_told = opened is not None and opened.state == "delivered"
    was_refused = opened is not None and opened.state == "refused"
    was_missed = not was_refused and alert.silenced_until is None and alert.ended_at >= known_since
    return Message(alert, "resolved", f"{alert.alert_id}-resolved") if was_told or was_missed else None


def _of_firing(alert: Alert, opened: Delivered | None, reminder: Delivered | None, at: datetime) -> Message | None:
    if opened is None or not opened.is_settled:
        return Message(alert, "opened", f"{alert.alert_id}-opened")
    if opened.state == "refused":
        return None
    last = reminder.attempted_at if reminder and reminder.is_settled else opened.attempted_at
    if at - last < REMIND_EVERY:
        return None
    return Message(alert, "reminder", f"{alert.alert_id}-reminder-{(at - alert.fired_at) // REMIND_EVERY}")


def trial_message(at: datetime) -> Message:
    """Return a message that says nothing but that it came."""
    stamp = f"{at:%Y%m%dT%H%M%S}"
    alert = Alert(
        alert_id=f"test-{stamp}",
        rule="PhoenixTest",
        subject="a test",
        state="resolved",
        value=None,
        threshold=None,
        sample_count=None,
        started_at=at,
        fired_at=at,
        ended_at=at,
        severity="none",
        note="a test of `phoenix alerts --test`: alerts of Phoenix Metrics will come here",
    )
    return Message(alert, "test", f"test-{stamp}")


# Words ---------------------------------------------------------------------------------------------------------------


def headline(message: Message) -> str:
    """Return one line: what happened, to what, and the figure in words."""
    alert = message.alert
    begins = {"opened": "", "reminder": "still: ", "resolved": "resolved: ", "test": "test: "}[message.kind]
    return f"{begins}{alert.rule}: {words.alert_subject(alert.subject)}" + (f": {alert.note}" if alert.note else "")


def facts(message: Message) -> Iterator[tuple[str, str]]:
    """Yield what there is to know: the figure with its limit and samples, since when, and until when."""
    alert = message.alert
    if alert.threshold is not None:
        limit = f" (limit {words.amount(alert.threshold, alert.unit)})"
        yield "Value", ("none" if alert.value is None else words.amount(alert.value, alert.unit)) + limit
    if alert.sample_count is not None:
        yield "n", f"{alert.sample_count:,}"
    yield "Since", f"{alert.started_at:%Y-%m-%d %H:%M} UTC"
    if alert.ended_at is not None:
        yield "Until", f"{alert.ended_at:%Y-%m-%d %H:%M} UTC"
    if alert.is_frozen:
        yield "Stands still", "what it rests on is not read at the moment"


def page_of(alert: Alert, dashboard: str) -> str:
    """Return the address of the dashboard's page about what an alert is about."""
    labels = alert.labels
    if "workflow" in labels:
        chosen = {"repository": labels["repository"], "workflow": labels["workflow"], "branch": "All branches"}
        return f"{dashboard}/workflow?{urlencode(chosen)}"
    if "service" in labels:
        return f"{dashboard}/deliveries?{urlencode({name: labels[name] for name in ('environment', 'service')})}"
    return f"{dashboard}/?{urlencode({'repository': labels['repository']})}" if "repository" in labels else dashboard


def runs_of(alert: Alert) -> list[str]:
    """Return the pages of the runs or jobs that show it."""
    return (alert.evidence_urls or "").split()


# Bodies --------------------------------------------------------------------------------------------------------------


def slack_body(message: Message, dashboard: str, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return what an incoming webhook of Slack's takes: a line for notifications, and blocks."""
    alert = message.alert
    mark = {"resolved": ":large_green_circle:", "test": ":white_circle:"}.get(message.kind, ":red_circle:")
    line = f"{mark} *{escaped(headline(message))}*"
    owner = owners.get(alert.team or "") if message.kind in ("opened", "reminder") else None
    pages = [link(page_of(alert, dashboard), "dashboard")]
    pages += [link(url, f"run {number}") for number, url in enumerate(runs_of(alert), 1)]
    said = [*pages, *([escaped(alert.runbook)] if alert.runbook else []), *([owner] if owner else [])]
    body = [line, *([escaped(alert.meaning)] if alert.meaning else [])]
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{escaped(text)}"} for name, text in facts(message)]
    return {
        "text": escaped(headline(message)),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(body)[:MOST_LETTERS]}, "fields": fields},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(said)[:2000]}]},
        ],
    }


def webhook_body(message: Message, dashboard: str, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return the body that Alertmanager's webhooks have (version 4), with one alert."""
    alert = message.alert
    own = {
        "subject" if name == "budget" else name: value for name, value in alert.labels.items()
    }  # as Prometheus has it
    labels = {"alertname": alert.rule, "severity": alert.severity or "warning", **own}
    labels |= {"team": alert.team} if alert.team else {}
    annotations = {
        "summary": headline(message),
        "description": alert.meaning,
        "value": None if alert.value is None else words.amount(alert.value, alert.unit),
        "threshold": None if alert.threshold is None else words.amount(alert.threshold, alert.unit),
        "sample_count": None if alert.sample_count is None else str(alert.sample_count),
        "runs": alert.evidence_urls,
        "runbook": alert.runbook,
        "owner": owners.get(alert.team or ""),
        "subject": alert.subject,
        "alert_id": alert.alert_id,
        "kind": message.kind,
    }
    status = "resolved" if alert.ended_at else "firing"
    written = {name: text for name, text in annotations.items() if text is not None}
    key = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{key}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "phoenix",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": written,
        "externalURL": dashboard,
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": written,
                "startsAt": _iso(alert.fired_at),
                "endsAt": _iso(alert.ended_at) if alert.ended_at else NEVER,
                "generatorURL": page_of(alert, dashboard),
                "fingerprint": hashlib.sha256(key.encode()).hexdigest()[:16],
            }
        ],
    }


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
