"""Transformation: landing files into staging, staging into marts, each with the checks its model promises."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from phoenix_metrics.defs.intake import utc_now
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.checks import Finding, checks_of, run_check
from phoenix_metrics.warehouse.marts import load_seeds, set_evaluation_clock
from phoenix_metrics.warehouse.models import Model, load_models, seed_files
from phoenix_metrics.warehouse.refresh import refresh_marts
from phoenix_metrics.warehouse.rules import rules_of
from phoenix_metrics.warehouse.schedules import expand_schedules
from phoenix_metrics.warehouse.staging import load_landing, unpublished
from phoenix_metrics.warehouse.store import writing

WRITER_POOL = "duckdb_writer"

MODELS = load_models()
ALERT_TABLES = (
    "staging.alert_events",
    "marts.alerts",
    "marts.alert_deliveries",
)  # made after the marts, from what the rules say of them
STAGING = [model for model in MODELS.values() if model.schema == "staging" and model.table not in ALERT_TABLES]
MARTS = [model for model in MODELS.values() if model.schema == "marts" and model.table not in ALERT_TABLES]


def home() -> Path:
    """Return where the store is."""
    return load_settings(os.environ).home


def asset_key(table: str) -> dg.AssetKey:
    """Return the asset that stands for a table: `marts.jobs` is `marts/jobs`."""
    return dg.AssetKey(table.split("."))


def spec_of(model: Model, group: str | None = None) -> dg.AssetSpec:
    """Return the asset that a model is: built from the tables that its query reads, described by its header."""
    columns = [dg.TableColumn(column.name, description=column.comment) for column in model.columns]
    return dg.AssetSpec(
        asset_key(model.table),
        deps=[asset_key(table) for table in model.upstream],
        group_name=group or model.schema,
        kinds={"duckdb", "sql"},
        description=f"{model.description} {model.notes}".strip(),
        metadata={"dagster/column_schema": dg.TableSchema(columns), "grain": ", ".join(model.grain)},
    )


def check_specs_of(model: Model) -> list[dg.AssetCheckSpec]:
    """Return the checks that a model's grain and tags stand for."""
    return [
        dg.AssetCheckSpec(
            check.name, asset=asset_key(model.table), description=check.description, blocking=check.is_blocking
        )
        for check in checks_of(model)
    ]


def check_result(finding: Finding) -> dg.AssetCheckResult:
    """Return a finding as Dagster records it."""
    severity = dg.AssetCheckSeverity.ERROR if finding.check.is_blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=asset_key(finding.check.table),
        check_name=finding.check.name,
        passed=finding.holds,
        severity=severity,
        metadata={"rows that break it": finding.broken},
    )


@dg.multi_asset(
    name="staging",
    specs=[
        *(spec_of(model) for model in STAGING),
        dg.AssetSpec(
            ["staging", "landing_files"],
            deps=sorted({asset_key(table) for model in STAGING for table in model.upstream}),
            group_name="staging",
            kinds={"duckdb"},
            description="Landing files that are loaded, or set aside because they cannot be read, with the reason.",
        ),
        *(
            dg.AssetSpec(
                asset_key(table), group_name="seeds", kinds={"csv"}, description=f"Facts of the world from {path.name}."
            )
            for table, path in seed_files().items()
        ),
    ],
    check_specs=[spec for model in STAGING for spec in check_specs_of(model)],
    pool=WRITER_POOL,
)
def staging(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Merge all landing files not loaded yet, in the same transactions that record them."""
    with writing(home()) as connection:
        load_seeds(connection, rules_of(load_settings(os.environ)))
        loaded = load_landing(connection, home(), MODELS)
        expand_schedules(connection)
        set_evaluation_clock(connection, utc_now())
        findings = [
            run_check(connection, check, scope=unpublished(model)) for model in STAGING for check in checks_of(model)
        ]
    for file, reason in loaded.set_aside.items():
        context.log.warning("landing file %s was set aside: %s", file, reason)
    for model in STAGING:
        yield dg.MaterializeResult(
            asset_key=asset_key(model.table), metadata={"changed rows": loaded.changed_rows.get(model.table, 0)}
        )
    yield dg.MaterializeResult(
        asset_key=["staging", "landing_files"],
        metadata={"loaded": loaded.file_count, "set aside": len(loaded.set_aside)},
    )
    for table in seed_files():
        yield dg.MaterializeResult(asset_key=asset_key(table))
    yield from (check_result(finding) for finding in findings)


@dg.multi_asset(
    name="marts",
    specs=[spec_of(model) for model in MARTS],
    check_specs=[spec for model in MARTS for spec in check_specs_of(model)],
    pool=WRITER_POOL,
    can_subset=True,
)
def marts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Bring the marts up to date, upstream first: in one step, because Dagster books one longer than a mart takes."""
    selected = [model for model in MARTS if asset_key(model.table) in context.selected_asset_keys]
    with writing(home()) as connection:
        for refreshed in refresh_marts(connection, selected, MODELS):
            yield dg.MaterializeResult(
                asset_key=asset_key(refreshed.model.table),
                metadata={"dagster/row_count": refreshed.row_count, "seconds": round(refreshed.seconds, 3)},
            )
            yield from (
                check_result(finding)
                for finding in refreshed.findings
                if _key(finding) in context.selected_asset_check_keys
            )


def _key(finding: Finding) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(finding.check.table), finding.check.name)
