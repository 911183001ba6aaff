"""The doctor: looks at everything a right number depends on and says what to do."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from rich.console import Console
from rich.table import Table

from phoenix_metrics.errors import NoSnapshotError, SourceError, WarehouseError
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.budget import Budget
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.warehouse.snapshot import SnapshotReader

STALE = timedelta(minutes=15)  # three passes of the schedule
CLOCK_SKEW = timedelta(seconds=30)
LITTLE_SPACE = 2 * 1024**3

_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]look[/]", "problem": "[bold red]wrong[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ok, warning or problem, what was found, and what to do about it."""

    subject: str
    state: str
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at sources, budget, clock, disk and data."""
    return [*_sources(settings), *_disk(settings), *_snapshot(settings)]


def show(findings: list[Finding]) -> int:
    """Print the findings; return the exit code, 1 if there is a problem."""
    table = Table(show_edge=False, pad_edge=False, show_header=False)
    for finding in findings:
        text = finding.found + (f"\n[dim]{finding.advice}[/]" if finding.advice else "")
        table.add_row(_MARKS[finding.state], finding.subject, text)
    Console(highlight=False).print(table)
    return int(any(finding.state == "problem" for finding in findings))


def _sources(settings: Settings) -> Iterator[Finding]:
    if not settings.has_sources:
        yield Finding(
            "sources",
            "problem",
            "nothing to measure is configured",
            "set PHOENIX_GITHUB_REPOSITORIES, or run `phoenix up --demo`",
        )
        return
    if settings.github_token is None:
        yield Finding(
            "token",
            "warning",
            "none: GitHub allows 60 requests an hour",
            "set PHOENIX_GITHUB_TOKEN or PHOENIX_GITHUB_TOKEN_FILE",
        )
    client = GitHubClient(settings.github_api_url, settings.github_token, Budget(0))
    for name in settings.github_repositories:
        yield _try(name, partial(_readable, client, name))
    for name in settings.github_organizations:
        yield _try(name, partial(_visible, client, name))
    yield from _budget(client.budget, settings)
    yield from _clock(client)


def _try(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except SourceError as error:
        return Finding(subject, "problem", str(error))


def _readable(client: GitHubClient, name: str) -> str:
    client.get(f"/repos/{name}")
    runs = client.page(f"/repos/{name}/actions/runs", "workflow_runs", per_page=1)
    return f"readable, {runs.total_count:,} runs at GitHub"


def _visible(client: GitHubClient, organization: str) -> str:
    return f"{sum(1 for _ in client.items(f'/orgs/{organization}/repos', None)):,} repositories visible"


def _budget(budget: Budget, settings: Settings) -> Iterator[Finding]:
    if budget.limit is None or budget.remaining is None:
        return
    reserve = budget.limit * settings.github_reserve_ratio
    state = "ok" if budget.remaining > reserve else "warning"
    resets = f", refills at {budget.resets_at:%H:%M} UTC" if budget.resets_at else ""
    yield Finding("budget", state, f"{budget.remaining:,} of {budget.limit:,} requests left this hour{resets}")


def _clock(client: GitHubClient) -> Iterator[Finding]:
    if client.server_time is None or client.answered_at is None:
        return
    skew = client.answered_at - client.server_time
    state = "ok" if abs(skew) < CLOCK_SKEW else "problem"
    advice = "" if state == "ok" else "set this machine's clock by NTP; ages and alerts are wrong until then"
    yield Finding("clock", state, f"{abs(skew.total_seconds()):.0f} s from the server's", advice)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        yield Finding("disk", "problem", f"{folder} cannot be written", "set PHOENIX_HOME to a folder that can")
        return
    free = shutil.disk_usage(folder).free
    state = "ok" if free > LITTLE_SPACE else "problem"
    yield Finding(
        "disk",
        state,
        f"{free / 1024**3:.1f} GiB free below {settings.home}",
        "" if state == "ok" else "free some space",
    )


def _snapshot(settings: Settings) -> Iterator[Finding]:
    reader = SnapshotReader(settings.home)
    try:
        age = datetime.now(UTC) - reader.current().published_at
        health = reader.query("from marts.data_health order by source, subject").to_pylist()
    except NoSnapshotError:
        yield Finding("snapshot", "problem", "nothing is published yet", "run `phoenix sync`")
        return
    except WarehouseError as error:
        yield Finding("snapshot", "problem", str(error))
        return
    finally:
        reader.close()
    stale = age > STALE
    minutes = f"published {age.total_seconds() / 60:.0f} minutes ago"
    yield Finding("snapshot", "warning" if stale else "ok", minutes, "is `phoenix up` running?" if stale else "")
    for row in health:
        yield _health(row)


def _health(row: dict[str, object]) -> Finding:
    subject = f"{row['source']} {row['subject']}"
    if row["state"] != "ok":
        return Finding(subject, "problem", str(row["note"] or row["state"]))
    if row["missing_count"]:
        return Finding(
            subject, "warning", f"{row['missing_count']} things known to be missing", "run `phoenix sync` again"
        )
    return Finding(
        subject, "ok", f"{row['run_count']:,} runs, complete since {row['complete_since'] or 'the beginning'}"
    )
