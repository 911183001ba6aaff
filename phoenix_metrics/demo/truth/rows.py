"""Rows of the truth, and how they are written: CSV in UTF-8 with a header, sorted, what is unknown left empty."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = dict[str, object]


class TruthError(Exception):
    """The truth cannot be written; the text is one line that says why."""


def write(folder: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """Write each table as `<name>.csv`. Raises TruthError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            _write(folder / f"{name}.csv", COLUMNS[name], rows)
    except OSError as error:
        raise TruthError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _write(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(sorted([[_text(row[column]) for column in columns] for row in rows]))


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


_JOB = ("repository", "run_id", "run_attempt", "job_id", "job")
_OPERATION = ("application", "started_at")

COLUMNS: dict[str, tuple[str, ...]] = {
    "runs": (
        *("repository", "run_id", "workflow", "event", "branch", "head_sha", "created_at", "attempt_count", "status"),
        *("conclusion", "outcome", "first_outcome", "is_flaky", "duration_seconds", "billed_minutes"),
    ),
    "attempts": (
        *("repository", "run_id", "run_attempt", "actor", "started_at", "completed_at", "status", "conclusion"),
        *("outcome", "duration_seconds", "is_duration_fallback", "queue_seconds", "billed_minutes"),
    ),
    "jobs": (
        *(*_JOB, "status", "conclusion", "outcome", "is_carried_over", "started_at", "completed_at"),
        *("queue_seconds", "duration_seconds"),
    ),
    "costs": (*_JOB, "billed_minutes", "usd_per_minute", "cost_usd"),
    "flakes": (*_JOB, "workflow", "head_sha", "kind", "completed_at", "passed_in_attempt"),
    "failure_causes": (*_JOB, "conclusion", "cause"),
    "deployments": (
        *(*_OPERATION, "finished_at", "status", "kind", "trigger", "initiated_by", "attempt_count", "revision"),
        *("version_before", "version", "change", "is_deployment", "is_live", "healthy_at"),
    ),
    "service_deployments": (
        *(*_OPERATION, "environment", "service", "status", "version_before", "version", "change", "failure"),
        *("failed_at", "restored_at"),
    ),
    "rollbacks": (
        *(*_OPERATION, "environment", "services", "kind", "cause", "version_count", "failed_at", "restored_at"),
    ),
    "lead_times": (
        *("service", "environment", "sha", "pull_request", "committed_at", "merged_at", "built_at", "started_at"),
        *("deployed_at", "healthy_at", "lead_time_seconds"),
    ),
}
