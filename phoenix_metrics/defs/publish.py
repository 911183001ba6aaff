"""Publication: a checked copy of the store, swapped in for the readers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from phoenix_metrics.defs.transform import ALERT_TABLES, MARTS, WRITER_POOL, asset_key, check_result, home
from phoenix_metrics.warehouse.checks import check_rule, run_check
from phoenix_metrics.warehouse.marts import unpublished_query
from phoenix_metrics.warehouse.models import load_checks
from phoenix_metrics.warehouse.snapshot import publish
from phoenix_metrics.warehouse.store import writing

RULES = load_checks().values()


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "snapshot",
            deps=[*(asset_key(model.table) for model in MARTS), *map(asset_key, ALERT_TABLES)],
            group_name="snapshot",
            kinds={"duckdb"},
            description="The published copy that readers open; made only after every blocking check passed.",
            freshness_policy=dg.FreshnessPolicy.time_window(
                fail_window=timedelta(hours=1), warn_window=timedelta(minutes=15)
            ),
        )
    ],
    check_specs=[dg.AssetCheckSpec(rule.name, asset="snapshot", description=rule.description) for rule in RULES],
    pool=WRITER_POOL,
)
def snapshot() -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Put the rules of `sql/checks/` to the question and, if they hold, publish the store as it is."""
    with writing(home()) as connection:
        findings = [run_check(connection, check_rule(rule, unpublished_query(connection, rule))) for rule in RULES]
        yield from (check_result(finding) for finding in findings)
        broken = {finding.check.name: finding.broken for finding in findings if not finding.holds}
        if broken:
            raise dg.Failure("not published: rules of sql/checks/ are broken", metadata={"rows that break it": broken})
        published = publish(connection, home())
    yield dg.MaterializeResult(
        metadata={
            "sequence": published.sequence,
            "published at": dg.MetadataValue.timestamp(published.published_at),
            "bytes": published.path.stat().st_size,
        }
    )
