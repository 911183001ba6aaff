"""Ingestion from Argo CD: one pass over each configured server, written to landing files; nothing else is touched."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.defs.intake import land, utc_now
from phoenix_metrics.defs.known import ask_together, naive
from phoenix_metrics.errors import AccessError, SettingsError, SourceError
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.settings.tables import ArgoCDServer
from phoenix_metrics.sources.argocd.applications import Place
from phoenix_metrics.sources.argocd.asking import Reader, worker_pool
from phoenix_metrics.sources.argocd.client import connect
from phoenix_metrics.sources.argocd.known import Known, KnownApplication, KnownTrees
from phoenix_metrics.sources.argocd.passes import Outcome, ServerPass
from phoenix_metrics.sources.argocd.rollouts import ENDED
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from phoenix_metrics.webhooks.watched import watched_since

SERVERS_AT_ONCE = 4
EVENTS_REMEMBERED = timedelta(hours=3)  # Kubernetes keeps them for one
REVISION_ASKED_AGAIN = timedelta(days=1)  # after Argo CD could not tell of it

LANDED = {
    "argocd_applications": "Argo CD applications, each time they say something new.",
    "argocd_events": "Kubernetes events of applications.",
    "argocd_rollouts": "Argo Rollouts, each time they say something new.",
    "argocd_replica_sets": "ReplicaSets of Argo Rollouts with their images.",
    "argocd_analysis_runs": "AnalysisRuns of Argo Rollouts, each time they say something new.",
    "argocd_revisions": "Commits that applications were synced to.",
    "argocd_sightings": "Applications that were found, missed, deleted or forbidden.",
    "argocd_sync_totals": "Argo CD's own counts of finished operations, where its metrics are configured.",
    "argocd_syncs": "How each pass over an Argo CD server ended.",
}
Clock = Callable[[], datetime]


@dataclass
class Pass:
    """How one pass over a server went: ok, partial, failed or no_access, with a reason, and how many rows it landed."""

    server: ArgoCDServer
    started_at: datetime
    state: str = "ok"
    note: str | None = None
    outcome: Outcome = field(default_factory=Outcome)
    request_count: int = 0
    clock_skew: timedelta | None = None
    landed: Counter[str] = field(default_factory=Counter)


def sync_argocd(settings: Settings, clock: Clock = utc_now, sleep: Callable[[float], None] = time.sleep) -> list[Pass]:
    """Bring every configured Argo CD server up to date in landing, side by side; one that fails stops no other."""
    known = {server.name: ask_argocd(settings.home, server.name, clock()) for server in settings.argocd_servers}

    def sync(server: ArgoCDServer) -> Pass:
        done = _pass(settings.home, server, known[server.name], clock, sleep)
        followed_since = watched_since(settings.home, server.name)
        landing.write_batch(settings.home, "argocd_syncs", [_record(done, followed_since, clock())])
        return done

    with ThreadPoolExecutor(SERVERS_AT_ONCE, thread_name_prefix="server") as servers:
        return list(servers.map(sync, settings.argocd_servers))


def _pass(home: Path, server: ArgoCDServer, known: Known, clock: Clock, sleep: Callable[[float], None]) -> Pass:
    done = Pass(server, clock(), outcome=Outcome(swept_at=known.swept_at, events_read_to=known.events_read_to))
    try:
        client = connect(server, sleep, clock)
    except SettingsError as error:
        done.state, done.note = "failed", str(error)
        return done
    with closing(client), worker_pool() as pool:
        steps = ServerPass(Reader(client, pool, server), known, clock)
        done.outcome = steps.outcome
        try:
            for batch in steps.fetch_batches():
                done.landed += land(home, None, batch, clock())
        except SourceError as error:
            done.state, done.note = "no_access" if isinstance(error, AccessError) else "failed", str(error)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            done.state, done.note = "failed", f"{server.url}: Argo CD's answer is not as documented ({error!r})"
        else:
            _say_refusals(done)
        done.request_count, done.clock_skew = client.request_count, client.clock_skew
    return done


def _say_refusals(done: Pass) -> None:
    """Call a pass partial where single questions were refused, and say of each kind the last reason."""
    refused = done.outcome.found.refused
    if refused:
        reasons = "; ".join(f"{subject}: {error}" for subject, error in sorted(refused.items()))
        done.state, done.note = "partial", f"{done.outcome.found.refused_count} refused: {reasons}"


def _record(done: Pass, followed_since: datetime | None, now: datetime) -> landing.Record:
    outcome = done.outcome
    told = {
        "instance": done.server.name,
        "url": done.server.url,
        "version": outcome.version,
        "state": done.state,
        "note": done.note,
        "started_at": done.started_at.isoformat(),
        "finished_at": now.isoformat(),
        "is_sweep": outcome.is_sweep,
        "application_count": len(outcome.found.seen),
        "changed_count": outcome.found.changed_count,
        "request_count": done.request_count,
        "refused_count": outcome.found.refused_count,
        "clock_skew_seconds": done.clock_skew.total_seconds() if done.clock_skew is not None else None,
        "watched_since": _iso(followed_since),
        "swept_at": _iso(outcome.swept_at),
        "events_read_to": _iso(outcome.events_read_to),
    }
    return landing.Record(None, None, now, as_text(told))


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def ask_argocd(home: Path, instance: str, now: datetime) -> Known:
    """Return what is stored of a server, as a pass begins at `now`."""
    server = {"instance": instance}
    rows = ask_together(
        home,
        {
            "argocd_server": server,
            "argocd_applications": server,
            "argocd_events": {**server, "since": naive(now - EVENTS_REMEMBERED)},
            "argocd_revisions": {"since": naive(now - REVISION_ASKED_AGAIN)},
            "argocd_rollouts": server,
            "argocd_replica_sets": server,
            "argocd_analysis_runs": server,
            "argocd_sync_totals": server,
        },
    )
    applications = (_known_application(row) for row in rows["argocd_applications"])
    totals = rows["argocd_sync_totals"]
    return Known(
        **rows["argocd_server"][0],
        applications={one.place.key: one for one in applications},
        event_uids=frozenset(row["event_uid"] for row in rows["argocd_events"]),
        revisions=frozenset((row["repo_url"], row["revision"]) for row in rows["argocd_revisions"]),
        trees=_known_trees(rows),
        sync_totals={
            (row["namespace"], row["application"], row["phase"], row["is_dry_run"]): row["total"] for row in totals
        },
    )


def _known_application(row: dict[str, Any]) -> KnownApplication:
    place = Place(row.pop("namespace"), row.pop("application"), row.pop("project"))
    return KnownApplication(place, **row)


def _known_trees(rows: dict[str, list[dict[str, Any]]]) -> KnownTrees:
    rollouts, runs = rows["argocd_rollouts"], rows["argocd_analysis_runs"]
    digests = {row["rollout_uid"]: row["digest"] for row in rollouts}
    return KnownTrees(
        digests=digests | {row["analysis_run_uid"]: row["digest"] for row in runs},
        revisions={row["replica_set_uid"]: str(row["rollout_revision"]) for row in rows["argocd_replica_sets"]},
        ended_runs=frozenset(row["analysis_run_uid"] for row in runs if row["phase"] in ENDED),
        read=frozenset((row["application_namespace"], row["application"]) for row in rollouts),
        running=frozenset((row["application_namespace"], row["application"]) for row in runs if not row["is_ended"]),
    )


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["landing", name], group_name="landing", kinds={"parquet"}, description=description)
        for name, description in LANDED.items()
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "every_source_answered",
            asset=["landing", "argocd_syncs"],
            description="Every Argo CD server was read to the end. Does not block: what was read is published.",
        )
    ],
    name="argocd",
)
def argocd(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Fetch what is new or changed on the Argo CD servers and write it to landing."""
    passes = sync_argocd(load_settings(os.environ))
    landed: Counter[str] = sum((done.landed for done in passes), Counter())
    failed = {f"argocd {done.server.name}": done.note for done in passes if done.state not in ("ok", "partial")}
    for done in passes:
        if done.state != "ok":
            context.log.warning("argocd %s: %s", done.server.name, done.note)
    for name in LANDED:
        if name != "argocd_syncs":
            yield dg.MaterializeResult(asset_key=["landing", name], metadata={"rows": landed[name]})
    yield dg.MaterializeResult(
        asset_key=["landing", "argocd_syncs"],
        metadata=_metadata(passes),
        check_results=[
            dg.AssetCheckResult(
                passed=not failed,
                check_name="every_source_answered",
                metadata={"failed": failed},
                severity=dg.AssetCheckSeverity.ERROR,
            )
        ],
    )


def _metadata(passes: list[Pass]) -> dict[str, int]:
    founds = [done.outcome.found for done in passes]
    return {
        "servers": len(passes),
        "applications": sum(len(found.seen) for found in founds),
        "changed": sum(found.changed_count for found in founds),
        "refused": sum(found.refused_count for found in founds),
        "requests": sum(done.request_count for done in passes),
    }
