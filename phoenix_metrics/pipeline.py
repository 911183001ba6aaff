"""One pass of the asset graph in this process: what `phoenix sync` and `phoenix backfill` run."""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import DBAPIError

from phoenix_metrics.defs.transform import WRITER_POOL
from phoenix_metrics.errors import PhoenixError, WarehouseError
from phoenix_metrics.progress import keep_terminal
from phoenix_metrics.settings import CHECKOUT, Settings
from phoenix_metrics.warehouse.landing import write_error


@dataclass(frozen=True)
class Report:
    """What a pass did: what was fetched, sources that failed with the reason, files set aside, what was published.

    Applications are those seen at the Argo CD servers, and those of them that said something new.
    """

    run_count: int = 0
    job_count: int = 0
    application_count: int = 0
    changed_count: int = 0
    failed_sources: Mapping[str, str] = field(default_factory=dict)
    set_aside_count: int = 0
    snapshot_sequence: int = 0


def prepare_dagster_home(settings: Settings) -> Path:
    """Give Dagster a home below PHOENIX_HOME with our dagster.yaml, and let one run at a time write to the store.

    An explicit DAGSTER_HOME is left as it is.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster")
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists() or home.is_relative_to(settings.home):
            shutil.copyfile(CHECKOUT / "dagster_home" / "dagster.yaml", home / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home)
        with dg.DagsterInstance.get() as instance:
            instance.event_log_storage.set_concurrency_slots(WRITER_POOL, 1)
    except (OSError, DBAPIError, sqlite3.Error) as error:
        raise write_error(settings.home, error) from error
    return home


def run_sync(settings: Settings, *, since: str | None = None, reconcile: bool = False) -> Report:
    """Ingest, transform, check and publish once.

    A source that fails is reported and does not stop the rest. Raises the PhoenixError that stopped the pass, or
    WarehouseError naming the check that kept the data from being published; readers then keep the snapshot they have.
    """
    from phoenix_metrics.definitions import defs  # noqa: PLC0415  # the graph is costly to load

    prepare_dagster_home(settings)
    config = {"everything": True, "reconcile": reconcile, **({"since": since} if since else {})}
    run_config = {
        "ops": {"github": {"config": config}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    try:
        with keep_terminal(), dg.DagsterInstance.get() as instance:
            job = defs().resolve_job_def("sync")
            result = job.execute_in_process(run_config=run_config, instance=instance, raise_on_error=False)
    except (OSError, DBAPIError, sqlite3.Error) as error:
        raise write_error(settings.home, error) from error
    if not result.success:
        raise _cause(result)
    return _report(result)


def _cause(result: dg.ExecuteInProcessResult) -> PhoenixError:
    """Return what stopped a run: the checks that blocked, or else the first failed step's error."""
    broken = [
        f"{check.asset_key.to_user_string().replace('/', '.')} {check.check_name}"
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.check_name != "every_source_answered" and check.severity.value == "ERROR"
    ]
    if broken:
        return WarehouseError(f"not published: the check {', '.join(broken)} failed; Dagster's page counts the rows")
    error = next((event.step_failure_data.error for event in result.all_events if event.is_step_failure), None)
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return WarehouseError("not published: the run failed; Dagster's page says why")
    text = error.message.strip().splitlines()[0]
    return PhoenixError(text.removeprefix(f"phoenix_metrics.errors.{error.cls_name}: "))


def _report(result: dg.ExecuteInProcessResult) -> Report:
    failed: dict[str, str] = {}
    for check in result.get_asset_check_evaluations():
        if check.check_name == "every_source_answered":
            said = check.metadata["failed"].value
            failed |= said if isinstance(said, dict) else {}
    metadata = {m.asset_key.to_user_string(): m.metadata for m in _materializations(result)}
    return Report(
        run_count=int(str(metadata["landing/github_syncs"]["runs"].value)),
        job_count=int(str(metadata["landing/github_syncs"]["jobs"].value)),
        application_count=int(str(metadata["landing/argocd_syncs"]["applications"].value)),
        changed_count=int(str(metadata["landing/argocd_syncs"]["changed"].value)),
        failed_sources=failed,
        set_aside_count=int(str(metadata["staging/landing_files"]["set aside"].value)),
        snapshot_sequence=int(str(metadata["snapshot"]["sequence"].value)),
    )


def _materializations(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [
        event.step_materialization_data.materialization for event in result.all_events if event.is_step_materialization
    ]
