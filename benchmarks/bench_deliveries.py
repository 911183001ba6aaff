"""How long the marts of deliveries take to build, by the number of operations that Argo CD has had.

    bench_deliveries.py [--applications 500] [--operations 20,200]

Writes to staging what so many operations of each application would have left, one in ten failed and one in twenty gone
back, each with an image; a tenth of the applications has a Rollout. Then every mart that reads of it is built, twice.
"""

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
from machine import describe_machine

from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import Model, load_models
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing

ROWS = {
    "argocd_applications": """
        select 'argocd' as instance, 'argocd' as namespace, format('app-{}-production', app) as application,
            'u' || app as uid, 'default' as project, true as is_automated, false as is_app_of_apps,
            timestamp '2026-11-01' as fetched_at
        from range({applications}) as applications (app)
    """,
    "argocd_operations": """
        select 'argocd' as instance, 'u' || app as uid, started_at, printf('%040x', number) as revision_key,
            'f' as source_fingerprint, 'argocd' as namespace, format('app-{}-production', app) as application,
            case when number % 10 = 7 then 'Failed' else 'Succeeded' end as phase,
            started_at + interval 5 seconds as finished_at, 0 as retry_count, 0 as resource_count, true as is_automated,
            'poll' as seen_by, started_at as first_seen_at, started_at + interval 5 minutes as fetched_at
        from told
    """,
    "argocd_operation_images": """
        select 'argocd' as instance, 'u' || app as uid, started_at, printf('%040x', number) as revision_key,
            format('ghcr.io/acme/app-{}:1.{}.0', app, number - case when number % 20 = 19 then 2 else 0 end) as image,
            case when number % 10 = 7 then 'sync_failed' else 'sync_result' end as image_source,
            'argocd' as namespace, format('app-{}-production', app) as application, started_at as fetched_at
        from told
    """,
    "argocd_health": """
        select 'argocd' as instance, 'u' || app as uid, 'Healthy' as health_status,
            started_at + interval 2 minutes as since, 'argocd' as namespace,
            format('app-{}-production', app) as application, 'status' as source,
            started_at + interval 1 hour as confirmed_at
        from told
        where number % 10 <> 7
    """,
    "argocd_rollouts": """
        select 'argocd' as instance, 'r' || app as rollout_uid, number as rollout_revision,
            case when number % 20 = 18 then 'aborted' else '' end as abort_key, 'app-' || app as rollout,
            format('app-{}-production', app) as application, 'argocd' as application_namespace,
            number % 20 = 18 as is_aborted, started_at + interval 9 minutes as aborted_at,
            'h' || number as current_hash, 'h' || (number - 1) as stable_hash, false as is_paused,
            format('ghcr.io/acme/app-{}:1.{}.0', app, number) as images,
            started_at + interval 1 minute as started_at, started_at + interval 10 minutes as fetched_at
        from told
        where app % 10 = 0 and number % 10 <> 7
    """,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applications", type=int, default=500)
    parser.add_argument("--operations", default="20,200", help="of each application, several numbers to compare")
    options = parser.parse_args()
    print(describe_machine())
    for operations in map(int, options.operations.split(",")):
        measure(options.applications, operations)


def measure(applications: int, operations: int) -> None:
    """Build the marts over so many operations and print what took longest."""
    models = load_models()
    marts = [model for model in models.values() if model.schema == "marts" and reads_argocd(model, models)]
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder, writing(Path(folder)) as connection:
        load_landing(connection, Path(folder), models)
        load_seeds(connection)
        for model in models.values():
            if model.schema == "marts":
                build_mart(connection, model, models)
        write_staging(connection, applications, operations)
        for _ in range(2):
            seconds = {model.name: timed(connection, model, models) for model in marts}
        [(memory,)] = connection.execute("select sum(memory_usage_bytes) from duckdb_memory()").fetchall()
    slowest = sorted(seconds.items(), key=lambda found: -found[1])[:5]
    print(
        f"{applications * operations:>9,} operations: {sum(seconds.values()):6.1f} s for {len(marts)} marts, "
        f"{memory / 2**20:,.0f} MB kept; " + ", ".join(f"{name} {took:.1f}" for name, took in slowest)
    )


def reads_argocd(model: Model, models: dict[str, Model]) -> bool:
    """Whether a mart reads any of ROWS, itself or through others."""
    return any(
        table.removeprefix("staging.") in ROWS or (table.startswith("marts.") and reads_argocd(models[table], models))
        for table in model.upstream
    )


def write_staging(connection: duckdb.DuckDBPyConnection, applications: int, operations: int) -> None:
    """Fill the staging tables, an operation of each application every two hours."""
    connection.execute(
        "create temp view told as select app, number, "
        f"timestamp '2026-11-01' - to_hours(2 * ({operations} - number)) + to_seconds(app % 3600) as started_at "
        f"from range({applications}) as a (app), range({operations}) as n (number)"
    )
    for table, query in ROWS.items():
        filled = query.replace("{applications}", str(applications))
        connection.execute(f"insert into staging.{table} by name {filled}")


def timed(connection: duckdb.DuckDBPyConnection, model: Model, models: dict[str, Model]) -> float:
    started = time.perf_counter()
    build_mart(connection, model, models)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
