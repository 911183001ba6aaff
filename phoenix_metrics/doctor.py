"""The doctor: looks at everything a right number depends on and says what to do."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from rich.console import Console
from rich.table import Table

from phoenix_metrics.alerts.delivery import targets_of
from phoenix_metrics.alerts.listing import newest_attempts
from phoenix_metrics.errors import NoSnapshotError, SettingsError, SourceError, WarehouseError
from phoenix_metrics.probes import Lack, lacks_of_owner, lacks_of_repository
from phoenix_metrics.settings import Settings
from phoenix_metrics.settings.login import LOOPBACK, VARIABLE
from phoenix_metrics.settings.tables import ArgoCDServer
from phoenix_metrics.sources.argocd.client import connect
from phoenix_metrics.sources.argocd.sync_totals import fetch_sync_totals
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.github.organizations import discover
from phoenix_metrics.warehouse.snapshot import SnapshotReader

STALE = timedelta(minutes=15)  # three passes of the schedule
CLOCK_SKEW = timedelta(seconds=30)
LITTLE_SPACE = 2 * 1024**3
REPOSITORIES_TRIED = 5
GAPS_SHOWN = 10

_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]look[/]", "problem": "[bold red]wrong[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ok, warning or problem, what was found, and what to do about it."""

    subject: str
    state: str
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at sources, budget, clock, disk, data, alerts and who may see all that."""
    now = datetime.now(UTC)
    return [
        *_sources(settings),
        *_disk(settings),
        *_snapshot(settings),
        *_alerts(settings, now),
        *_access(settings),
    ]


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
            "set PHOENIX_GITHUB_REPOSITORIES or PHOENIX_ARGOCD_URL, or run `phoenix up --demo`",
        )
        return
    if settings.has_github:
        yield from _github(settings)
    for server in settings.argocd_servers:
        yield from _argocd(server)


def _github(settings: Settings) -> Iterator[Finding]:
    if settings.github_token is None and settings.github_app_id is None:
        yield Finding(
            "token",
            "warning",
            "none: GitHub allows 60 requests an hour",
            "set PHOENIX_GITHUB_TOKEN, PHOENIX_GITHUB_TOKEN_FILE or a GitHub App",
        )
    connections = Connections(settings.model_copy(update={"github_reserve_ratio": 0.0}))  # the reserve is for people
    looked_at = [
        *(_try(name, partial(_readable, connections, name)) for name in settings.github_repositories),
        *(_try(name, partial(_visible, connections, settings, name)) for name in settings.github_organizations),
    ]
    yield from looked_at
    yield from _permissions(connections, settings, [finding.subject for finding in looked_at if finding.state == "ok"])
    for client in connections.clients():
        yield from _budget(client.governor, settings)
        yield from _clock(client)


def _argocd(server: ArgoCDServer) -> Iterator[Finding]:
    """Say of an Argo CD server what version it has, how much the token shows, and how its clock goes."""
    subject = f"argocd {server.name}"
    if server.token is None:
        yield Finding(
            subject, "warning", "no token", f"set {server.setting('token')}; its role needs applications, get"
        )
    try:
        with closing(connect(server)) as client:
            version = client.version()
            listed = client.applications(fields=("metadata.name",), selector=server.selector, projects=server.projects)
            count = sum(1 for _ in listed)
            skew = client.clock_skew
        for _ in fetch_sync_totals(server, {}, ()):
            pass
    except (SettingsError, SourceError) as error:
        yield Finding(subject, "problem", str(error))
        return
    advice = "" if count else "the token's role needs applications, get; or selector and projects leave out all"
    yield Finding(subject, "ok" if count else "warning", f"{version}, {count:,} applications visible", advice)
    if skew is not None:
        yield _skew(f"clock of {subject}", skew)


def _try(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except SourceError as error:
        return Finding(subject, "problem", str(error))


def _readable(connections: Connections, name: str) -> str:
    client = connections.client_for(name)
    client.get(f"/repos/{name}")
    runs = client.page(f"/repos/{name}/actions/runs", "workflow_runs", per_page=1)
    return f"readable, {runs.total_count:,} runs at GitHub"


def _visible(connections: Connections, settings: Settings, organization: str) -> str:
    found = discover(
        connections.client_for(organization),
        organization,
        include=settings.github_include,
        exclude=settings.github_exclude,
        with_archived=settings.github_archived,
    )
    reasons = Counter(one.excluded for one in found)
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=str) if reason)
    return f"{reasons[None]:,} repositories to measure" + (f"; left out: {left_out}" if left_out else "")


def _permissions(connections: Connections, settings: Settings, visible: Sequence[str]) -> Iterator[Finding]:
    """Say what the token may not read of what is fetched; tried on a few repositories, for all mostly have the same."""
    repositories = [name for name in visible if "/" in name][:REPOSITORIES_TRIED]
    owners = {name.partition("/")[0].lower(): name.partition("/")[0] for name in visible}
    lacks: list[Lack] = []
    try:
        for organization in [name for name in visible if "/" not in name]:
            client = connections.client_for(organization)
            listed = client.items(f"/orgs/{organization}/repos", None, sort="pushed", per_page=1)
            repositories += [repository["full_name"] for repository in islice(listed, 1)]
        for name in dict.fromkeys(repositories):
            lacks += lacks_of_repository(connections.client_for(name), settings, name)
        for owner in owners.values():
            lacks += lacks_of_owner(connections.client_for(owner), settings, owner)
    except SourceError as error:
        yield Finding("permissions", "warning", str(error))
    yield from (Finding(lack.subject, "warning", str(lack)) for lack in lacks)
    if lacks:
        advice = "grant it, or leave out what needs it with PHOENIX_GITHUB_CONTEXT; everything else is measured"
        yield Finding("permissions", "warning", "not all that is fetched can be read, see above", advice)
    elif visible:
        yield Finding(
            "permissions", "ok", f"all that is fetched can be read, tried on {len(repositories)} repositories"
        )


def _budget(budget: Governor, settings: Settings) -> Iterator[Finding]:
    if budget.limit is None or budget.remaining is None:
        return
    reserve = budget.limit * settings.github_reserve_ratio
    state = "ok" if budget.remaining > reserve else "warning"
    resets = f", refills at {budget.resets_at:%H:%M} UTC" if budget.resets_at else ""
    yield Finding("budget", state, f"{budget.remaining:,} of {budget.limit:,} requests left this hour{resets}")


def _clock(client: GitHubClient) -> Iterator[Finding]:
    if client.server_time is None or client.answered_at is None:
        return
    yield _skew("clock", client.answered_at - client.server_time)


def _skew(subject: str, skew: timedelta) -> Finding:
    state = "ok" if abs(skew) < CLOCK_SKEW else "problem"
    advice = "" if state == "ok" else "set this machine's clock by NTP; ages and alerts are wrong until then"
    return Finding(subject, state, f"{abs(skew.total_seconds()):.0f} s from the server's", advice)


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
        unruled = _unruled(reader)
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
    if unruled:
        yield _without_rule(unruled)
    gaps = [row for row in health if str(row["source"]).startswith(("github_", "argocd_"))]
    for row in health:
        if row not in gaps:
            yield _health(row)
    yield from (_gap(row) for row in gaps[:GAPS_SHOWN])
    if len(gaps) > GAPS_SHOWN:
        rest = f"{len(gaps) - GAPS_SHOWN:,} more gaps in what goes with the runs"
        yield Finding("gaps", "warning", rest, '`phoenix sql "from marts.data_health"` lists them')


def _alerts(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Say where alerts are told, how that went last, and which silences are over."""
    newest = newest_attempts(settings.home)
    for target in targets_of(settings):
        attempt = newest.get(target.name)
        told = (
            "nothing was to be told yet"
            if attempt is None
            else f"{attempt['state']} {attempt['attempted_at']:%Y-%m-%d %H:%M} UTC"
        )
        if attempt is None or attempt["state"] == "delivered":
            yield Finding("alerts", "ok", f"{target.name}: {told}")
        else:
            advice = "`phoenix alerts --test` tries it; a message that was refused is not sent again"
            yield Finding("alerts", "warning", f"{target.name}: {told}: {attempt['error']}", advice)
    for silence in settings.silences:
        if silence.until <= now:
            over = f"silence of {silence.rule} {silence.subject} ended {silence.until:%Y-%m-%d %H:%M} UTC"
            yield Finding("alerts", "warning", over, "take it out of phoenix.toml")


def _access(settings: Settings) -> Iterator[Finding]:
    """Say whether the dashboard asks who somebody is, where anybody but this machine may reach it."""
    try:
        login = settings.login
    except SettingsError as error:
        yield Finding("login", "problem", str(error))
        return
    if login is not None:
        people = f"{len(settings.dashboard_allow):,} addresses and domains may log in to the dashboard"
        yield Finding("login", "ok", people)
    elif settings.bind not in LOOPBACK:
        found = f"none, and the services listen on {settings.bind}"
        yield Finding("login", "warning", found, f"set {VARIABLE}, or let only a proxy with a login reach them")


def _unruled(reader: SnapshotReader) -> list[str]:
    """Return the applications whose environment or service nothing tells; none in a snapshot of an older version."""
    tables = reader.query("select table_name from information_schema.tables where table_schema = 'marts'").to_pylist()
    if {"table_name": "applications"} not in tables:
        return []
    query = (
        "select instance || ' ' || application as name from marts.applications "
        "where (environment_rule = 'none' or not has_service) and state = 'seen' and not is_app_of_apps order by name"
    )
    return [str(row["name"]) for row in reader.query(query).to_pylist()]


def _without_rule(names: Sequence[str]) -> Finding:
    shown = ", ".join(names[:GAPS_SHOWN]) + (", …" if len(names) > GAPS_SHOWN else "")
    advice = "label them with their environment, or name a rule in phoenix.toml; README says how"
    return Finding("rules", "warning", f"{len(names):,} applications match no rule: {shown}", advice)


def _gap(row: Mapping[str, object]) -> Finding:
    """Return what goes with the runs and is not here: a gap that is known, no problem."""
    part = str(row["source"]).removeprefix("github_").replace("_", " ")
    return Finding(f"gap {row['subject']}", "warning", f"{part}: {row['note'] or row['state']}")


def _health(row: dict[str, object]) -> Finding:
    subject = f"{row['source']} {row['subject']}"
    if row["state"] != "ok":
        return Finding(subject, "problem", str(row["note"] or row["state"]))
    if row["missing_count"]:
        return Finding(
            subject, "warning", f"{row['missing_count']} things known to be missing", "run `phoenix sync` again"
        )
    if row["source"] == "argocd":
        return Finding(subject, "ok", str(row["note"] or "read to the end"))
    return Finding(
        subject, "ok", f"{row['run_count']:,} runs, complete since {row['complete_since'] or 'the beginning'}"
    )
