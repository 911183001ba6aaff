"""The part of a pass that alerts and the exporter rest on: from landing files to a snapshot, and our own rules."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from phoenix_metrics.alerts.episodes import Condition
from phoenix_metrics.defs.alerts import evaluate_alerts, verdicts
from phoenix_metrics.defs.transform import ALERT_TABLES, MARTS, MODELS
from phoenix_metrics.exporter.page import COLLECTORS
from phoenix_metrics.exporter.subjects import SUBJECTS
from phoenix_metrics.warehouse.marts import build_mart, load_seeds, set_evaluation_clock
from phoenix_metrics.warehouse.refresh import refresh_marts
from phoenix_metrics.warehouse.rules import Rules
from phoenix_metrics.warehouse.schedules import expand_schedules
from phoenix_metrics.warehouse.snapshot import Snapshot, publish
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing


def _needed_by(tables: set[str]) -> set[str]:
    """Return tables and all that they are made of."""
    found = set(tables)
    while more := {table for one in found for table in MODELS[one].upstream if table in MODELS} - found:
        found |= more
    return found


_QUERIES = " ".join((*(collector.query for collector in COLLECTORS), *(subject.query for subject in SUBJECTS)))
_ROOTS = {f"marts.{name}" for name in re.findall(r"\b(?:marts|counters)\.(\w+)", _QUERIES)} | {"marts.alert_conditions"}
_NEEDED = _needed_by(_ROOTS)


@dataclass(frozen=True)
class Judged:
    """What a pass published, what our rules said, and what was not read then."""

    snapshot: Snapshot
    conditions: list[Condition]
    stale: set[str]


def judge(home: Path, rules: Rules, at: datetime) -> Judged:
    """Load what has landed, build the marts as of a moment, evaluate our rules and publish."""
    with writing(home) as connection:
        load_seeds(connection, rules)
        load_landing(connection, home, MODELS)
        expand_schedules(connection)
        set_evaluation_clock(connection, at)
        for _ in refresh_marts(connection, [one for one in MARTS if one.table in _NEEDED], MODELS):
            pass
        conditions, stale = verdicts(connection)
        evaluate_alerts(connection, home)
        for table in ALERT_TABLES:
            if table.startswith("marts."):
                build_mart(connection, MODELS[table], MODELS)
        return Judged(publish(connection, home), conditions, stale)
