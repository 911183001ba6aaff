"""Alerts: what the rules say of the marts, as episodes that are written down."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from phoenix_metrics.alerts.episodes import Condition, Episode, Silence, evaluate
from phoenix_metrics.alerts.messages import LABELS
from phoenix_metrics.defs.known import rows_of
from phoenix_metrics.defs.transform import (
    ALERT_TABLES,
    MODELS,
    WRITER_POOL,
    asset_key,
    check_result,
    check_specs_of,
    home,
    spec_of,
)
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.checks import checks_of, run_check
from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

GROUP = "alerts"
_MOMENTS = tuple(one.name for one in fields(Episode) if one.name.endswith(("_at", "_since", "_until")))


def evaluate_alerts(
    connection: duckdb.DuckDBPyConnection, home: Path, silences: Sequence[Silence] = ()
) -> list[Episode]:
    """Evaluate the rules as of the marts' moment; write down, and load, each episode that begins, goes on or ends.

    The file is what counts: a crash after it leaves the next pass to load it, one before it leaves nothing.
    """
    [(moment,)] = connection.execute("select max(evaluated_at) from seeds.evaluation_clock").fetchall()
    if moment is None:
        return []
    newest = [episode_of(row) for row in rows_of(connection, "alert_episodes", {})]
    conditions, stale = verdicts(connection)
    at = moment.replace(tzinfo=UTC)
    episodes = evaluate(newest, conditions, at, stale=stale, silences=silences)
    if episodes:
        records = [landing.Record(None, None, at, as_text(payload_of(episode))) for episode in episodes]
        landing.write_batch(home, "alert_events", records)
        load_landing(connection, home, MODELS, objects=("alert_events",))
    return episodes


def verdicts(connection: duckdb.DuckDBPyConnection) -> tuple[list[Condition], set[str]]:
    """Return what the rules say as of the marts' moment, and what is not read then, as conditions name it."""
    return [condition_of(row) for row in _table(connection, "marts.alert_conditions")], _stale(connection)


def silences_of(settings: Settings) -> list[Silence]:
    """Return the silences that were set."""
    return [Silence(one.rule, one.subject, one.until, one.reason) for one in settings.silences]


def condition_of(row: Mapping[str, Any]) -> Condition:
    """Return a row of marts.alert_conditions as a condition."""
    return Condition(
        **{name: row[name] for name in ("rule", "subject", "is_breached", "threshold", "value", "sample_count")},
        hold=timedelta(seconds=row["for_seconds"]),
        keep=timedelta(seconds=row["keep_seconds"]),
        **{name: row[name] for name in ("rests_on", "team", "note", "evidence_urls")},
        labels={name: row[name] for name in LABELS if row[name] is not None},
    )


def episode_of(row: Mapping[str, Any]) -> Episode:
    """Return a row of staging.alert_events as an episode."""
    seen = condition_of({**row, "is_breached": True, "for_seconds": 0})
    names = [one.name for one in fields(Episode) if one.name != "seen"]
    return Episode(seen=seen, **{name: row[name] for name in names})


def payload_of(episode: Episode) -> dict[str, Any]:
    """Return an episode as it is landed."""
    seen = episode.seen
    moments = {name: getattr(episode, name) for name in _MOMENTS}
    return {
        "alert_id": episode.alert_id,
        "state": episode.state,
        **{name: getattr(seen, name) for name in ("rule", "subject", "value", "threshold", "sample_count")},
        "keep_seconds": seen.keep.total_seconds(),
        **{name: getattr(seen, name) for name in ("rests_on", "team", "note", "evidence_urls")},
        **seen.labels,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "silence_reason": episode.silence_reason,
        "is_frozen": episode.is_frozen,
    }


def _stale(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return what is not read at the moment, as conditions name it.

    One that refuses us for good is stale by itself: what rests on its whole source would stand still for ever with it.
    """
    stale = [row for row in _table(connection, "marts.source_freshness") if row["is_stale"]]
    return {f"{row['source']} {row['subject']}" for row in stale} | {
        row["source"] for row in stale if not row["is_refused"]
    }


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"from {name}")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@dg.multi_asset(
    name="alerts",
    specs=[
        dg.AssetSpec(
            ["landing", "alert_events"],
            deps=[asset_key("marts.alert_conditions"), asset_key("marts.source_freshness")],
            group_name=GROUP,
            kinds={"parquet"},
            description="Episodes of alerts, as each evaluation left those that were open.",
        ),
        *(spec_of(MODELS[table], group=GROUP) for table in ALERT_TABLES),
    ],
    check_specs=[spec for table in ALERT_TABLES for spec in check_specs_of(MODELS[table])],
    pool=WRITER_POOL,
)
def alerts() -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Evaluate the rules, and bring the table of alerts up to date."""
    with writing(home()) as connection:
        episodes = evaluate_alerts(connection, home(), silences_of(load_settings(os.environ)))
        built = {
            table: build_mart(connection, MODELS[table], MODELS) for table in ALERT_TABLES if table.startswith("marts.")
        }
        findings = [run_check(connection, check) for table in ALERT_TABLES for check in checks_of(MODELS[table])]
    counts = Counter[str](episode.state for episode in episodes)
    yield dg.MaterializeResult(asset_key=["landing", "alert_events"], metadata={"episodes": len(episodes), **counts})
    for table in ALERT_TABLES:
        metadata = {"dagster/row_count": built[table].row_count} if table in built else {}
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=metadata)
    yield from (check_result(finding) for finding in findings)
