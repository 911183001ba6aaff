"""What `phoenix alerts` prints: the alerts, the silences, and whether a message that is sent at once arrives."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from phoenix_metrics import words
from phoenix_metrics.alerts.delivery import Attempt, Post, Target, deliver, posts_of, targets_of
from phoenix_metrics.alerts.messages import trial_message
from phoenix_metrics.errors import SettingsError, WarehouseError
from phoenix_metrics.settings import Settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader

WIDE = 120  # letters of a terminal that has room for notes, too
_MARKS = {
    "firing": "[bold red]firing[/]",
    "pending": "[yellow]pending[/]",
    "silenced": "[dim]silenced[/]",
    "resolved": "[green]resolved[/]",
}
_ALERTS = """
    select state, rule, subject, value, threshold, unit, sample_count, started_at, ended_at, is_frozen, note
    from marts.alerts
    order by ended_at is not null, state = 'pending', coalesce(ended_at, started_at) desc, rule, subject
    limit $limit
"""
_NEWEST = """
    select * from marts.alert_deliveries qualify row_number() over (partition by target order by attempted_at desc) = 1
"""


def show_alerts(home: Path, limit: int) -> None:
    """Print the alerts of the snapshot, open ones first. Raises NoSnapshotError before the first publication."""
    reader = SnapshotReader(home)
    try:
        rows = reader.query(_ALERTS, {"limit": limit}).to_pylist() if _has(reader, "alerts") else []
        published_at = reader.current().published_at
    finally:
        reader.close()
    console = Console(highlight=False)
    if rows:
        table = Table(show_edge=False, pad_edge=False)
        for name in ("state", "rule", "subject", "value", "limit", "n", "since, UTC", "until"):
            table.add_column(name, overflow="fold")  # a name that is cut off names nothing
        if console.width >= WIDE:
            table.add_column("note")
        for row in rows:
            table.add_row(*_cells(row)[: len(table.columns)])
        console.print(table)
    else:
        console.print(words.NO_ALERT_EVER)
    console.print(f"[dim]as of the snapshot of {published_at:%Y-%m-%d %H:%M} UTC[/]")


def show_silences(settings: Settings, now: datetime) -> None:
    """Print the silences that hold, and warn of those that are over."""
    console = Console(highlight=False)
    for one in settings.silences:
        what = escape(f"{one.rule} {one.subject}" + (f" ({one.reason})" if one.reason else ""))
        if one.until > now:
            console.print(f"silenced until {one.until:%Y-%m-%d %H:%M} UTC: {what}", soft_wrap=True)
        else:
            over = f"[yellow]a silence ended {one.until:%Y-%m-%d %H:%M} UTC[/]; take it out of phoenix.toml: {what}"
            console.print(over, soft_wrap=True)


def show_test(settings: Settings, clock: Callable[[], datetime]) -> int:
    """Send a test message to every target and print how that went; return the exit code.

    Nothing is written down. Raises SettingsError where there is no target.
    """
    targets = targets_of(settings)
    if not targets:
        raise SettingsError("PHOENIX_SLACK_WEBHOOK: not set, nor PHOENIX_ALERT_WEBHOOKS; say where alerts are told")
    message = trial_message(clock())
    return _show_sent({target: posts_of(target, [message], settings) for target in targets}, clock)


def show_posted(settings: Settings, post: Post, clock: Callable[[], datetime]) -> int:
    """Send something to Slack at once and print how that went; return the exit code.

    Nothing is written down. Raises SettingsError where Slack's address is not known.
    """
    targets = [target for target in targets_of(settings) if target.kind == "slack"]
    if not targets:
        raise SettingsError("PHOENIX_SLACK_WEBHOOK: not set; say where in Slack to post")
    return _show_sent({target: [post] for target in targets}, clock)


def _show_sent(due: Mapping[Target, Sequence[Post]], clock: Callable[[], datetime]) -> int:
    def forget(_: Attempt) -> None:
        """Leave no trace: who asks for it sees how it goes."""

    attempts = deliver(due, forget, clock)
    for attempt in attempts:
        mark = "[green]arrived[/]" if attempt.state == "delivered" else f"[bold red]{attempt.state}[/]"
        said = f": {escape(attempt.error)}" if attempt.error else ""
        Console(highlight=False).print(f"{mark} {escape(attempt.target)}{said}", soft_wrap=True)
    return int(any(attempt.state != "delivered" for attempt in attempts))


def newest_attempts(home: Path) -> dict[str, dict[str, Any]]:
    """Return the newest attempt to tell each target, as the snapshot has it; none where nothing is published."""
    reader = SnapshotReader(home)
    try:
        rows = reader.query(_NEWEST).to_pylist() if _has(reader, "alert_deliveries") else []
    except WarehouseError:
        return {}
    finally:
        reader.close()
    return {row["target"]: row for row in rows}


def _has(reader: SnapshotReader, table: str) -> bool:
    """Whether the snapshot has a mart; one of an older version does not."""
    query = "select 1 from information_schema.tables where table_schema = 'marts' and table_name = $table"
    return bool(reader.query(query, {"table": table}).num_rows)


def _cells(row: Mapping[str, Any]) -> list[str]:
    figures = [words.amount(row[name], row["unit"]) for name in ("value", "threshold")]
    state = _MARKS[row["state"]] + (f" [dim]({words.STANDS_STILL})[/]" if row["is_frozen"] else "")
    until = f"{row['ended_at']:%m-%d %H:%M}" if row["ended_at"] else ""
    count = "" if row["sample_count"] is None else f"{row['sample_count']:,}"
    names = [escape(str(row[name] or "")) for name in ("rule", "subject")]
    return [state, *names, *figures, count, f"{row['started_at']:%m-%d %H:%M}", until, escape(row["note"] or "")]
