"""What reached which environment, how long that took, and what did not hold."""

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Listing,
    Range,
    Remark,
    Section,
    Sentence,
    Table,
    cell,
    code,
    name,
    paragraph,
    remark,
    rest,
    said,
)
from phoenix_metrics.report.figures import VERDICTS, interval
from phoenix_metrics.words import FEW, LEAD_TIME_GAPS, ROLLBACKS, counted, in_order_of_delivery

SHOWN = 6

_CONFIDENCE = {"explicit": "told outright", "high": "certain", "medium": "likely", "low": "perhaps"}

_ENVIRONMENTS = """
    with compared as (
        select * from marts.period_comparisons where scope = 'environment' and days = $days
    ),

    delivered as (
        select
            environment,
            count(*) filter (where is_decided) as deployment_count,
            count(*) filter (where not is_decided) as undecided_count,
            count(*) filter (where is_change_failure) as failure_count,
            count(lead_time_seconds) as lead_time_count,
            quantile_cont(lead_time_seconds, 0.5) as lead_time_p50,
            count(recovery_seconds) as recovery_count,
            quantile_cont(recovery_seconds, 0.5) as recovery_p50,
            count(*) filter (where is_change_failure and restored_at is null) as unrecovered_count
        from marts.deliveries
        where day >= $deliveries_start and day < $deliveries_end
        group by environment
    ),

    rolled_back as (
        select environment, count(*) as rollback_count
        from marts.rollbacks
        where day >= $deliveries_start and day < $deliveries_end
        group by environment
    )

    select
        coalesce(delivered.environment, rolled_back.environment) as environment,
        delivered.* exclude (environment),
        coalesce(rolled_back.rollback_count, 0) as rollback_count,
        pace.value as per_week,
        pace.previous_value as previous_per_week,
        pace.verdict as pace_verdict,
        held.value as failure_ratio,
        held.value_low,
        held.value_high,
        held.verdict
    from delivered
    full join rolled_back on rolled_back.environment = delivered.environment
    left join (select * from compared where figure = 'deployments_per_week') as pace
        on pace.environment = delivered.environment
    left join (select * from compared where figure = 'change_failure_ratio') as held
        on held.environment = delivered.environment
"""
_GAPS = """
    select lead_time_gap, count(*) as deployment_count, sum(count(*)) over () as all_count
    from marts.deliveries
    where is_unattributed and day >= $deliveries_start and day < $deliveries_end
    group by lead_time_gap
    order by deployment_count desc, lead_time_gap
"""
_ROLLBACKS = """
    select *, count(*) over () as rollback_count
    from marts.rollbacks
    where day >= $deliveries_start and day < $deliveries_end
    order by started_at desc, rollback_id
    limit $limit
"""
_KNOWN = """
    select
        (select count(*) from marts.deliveries) as delivery_count,
        (select max(started_at) from marts.deliveries where day < $deliveries_end) as newest_at,
        (select count(*) from marts.data_health where source = 'argocd') as server_count
"""


def section(book: Book) -> Section:
    """Return deliveries by environment, and what went back."""
    found = environments(book)
    blocks = [*_table(found), *_gaps(book), *_rolled_back(book), _remark(book)] if found else _nothing(book)
    return Section("deliveries", "Deliveries", tuple(blocks))


def environments(book: Book) -> list[Row]:
    """Return what was delivered to each environment, production first."""
    rows = {row["environment"]: row for row in book.ask(_ENVIRONMENTS)}
    return [rows[environment] for environment in reversed(in_order_of_delivery(rows))]


def _nothing(book: Book) -> list[Block]:
    known = book.ask_one(_KNOWN)
    if known["delivery_count"]:
        newest = words.moment(known["newest_at"])
        return [paragraph(f"No deployment began from {book.deliveries}; the newest one began on {newest}.")]
    if known["server_count"]:
        return [paragraph("Argo CD is read, but no deployment of any application is known yet.")]
    return [
        paragraph(
            "How delivery goes cannot be said: no Argo CD is read, and no workflow tells GitHub of deployments. ",
            code("PHOENIX_ARGOCD_URL"),
            " names a server.",
        )
    ]


def _table(found: list[Row]) -> list[Block]:
    columns = (
        Column("Environment"),
        Column("Deployments", is_number=True),
        Column("A week", is_number=True),
        Column("Change failure ratio", is_number=True),
        Column("Lead time, median", is_number=True),
        Column("Recovery, median", is_number=True),
        Column("Rollbacks", is_number=True),
    )
    rows = tuple(_row(row) for row in found)
    return [Table("Deliveries by environment", columns, rows, shows_title=False)]


def _row(row: Row) -> tuple[Cell, ...]:
    undecided, unrecovered = row["undecided_count"], row["unrecovered_count"]
    return (
        cell(name(row["environment"])),
        cell(words.count(row["deployment_count"]), f"and {undecided} undecided" if undecided else ""),
        cell(words.rate(row["per_week"]), _pace(row)),
        cell(words.ratio(row["failure_ratio"]), _held(row), mark=_range(row)),
        cell(words.duration(row["lead_time_p50"]), _sample(row["lead_time_count"])),
        cell(
            words.duration(row["recovery_p50"]),
            said(_sample(row["recovery_count"]), f", {unrecovered} not recovered" if unrecovered else ""),
        ),
        cell(words.count(row["rollback_count"])),
    )


def _pace(row: Row) -> str:
    """Say how often it was before, and whether that changed."""
    if row["pace_verdict"] is None:
        return ""
    return f"after {words.rate(row['previous_per_week'])}, {VERDICTS[row['pace_verdict']][0]}"


def _held(row: Row) -> Sentence:
    """Say what the change failure ratio rests on, and whether it changed."""
    if row["failure_ratio"] is None:
        return ()
    verdict = VERDICTS[row["verdict"]][0] if row["verdict"] in ("better", "worse") else ""
    counts = f", {words.count(row['failure_count'])} of {words.count(row['deployment_count'])}"
    return said(interval(row["value_low"], row["value_high"], words.ratio), counts, f", {verdict}" if verdict else "")


def _range(row: Row) -> Range | None:
    known = row["failure_ratio"] is not None
    return Range(row["value_low"], row["failure_ratio"], row["value_high"]) if known else None


def _sample(count: int | None) -> Sentence:
    few = f", fewer than {FEW}" if 0 < (count or 0) < FEW else ""
    return said(f"n{words.NBSP}={words.NBSP}{words.count(count or 0)}{few}")


def _gaps(book: Book) -> list[Block]:
    found = book.ask(_GAPS)
    if not found:
        return []
    reasons = [f"{words.count(row['deployment_count'])} ({LEAD_TIME_GAPS[row['lead_time_gap']]})" for row in found]
    return [paragraph(f"New versions without a lead time: {'; '.join(reasons)}.")]


def _rolled_back(book: Book) -> list[Block]:
    found = book.ask(_ROLLBACKS, limit=SHOWN)
    if not found:
        return [paragraph("Nothing went back.")]
    listing = Listing(tuple(_went_back(row) for row in found))
    return [listing, *rest(found[0]["rollback_count"] - len(found), "rollback", "marts.rollbacks")]


def _went_back(row: Row) -> Sentence:
    restored = row["time_to_restore_seconds"]
    return said(
        f"{words.moment(row['started_at'])}: ",
        name(row["service"]),
        " in ",
        name(row["environment"]),
        f" went back, {ROLLBACKS[row['kind']]}",
        f" ({words.CAUSES[row['cause']]})" if row["cause"] else "",
        _versions(row),
        f"; {counted(row['version_count'], 'version')} undone",
        f", there again after {words.duration(restored)}"
        if restored is not None
        else ", not restored yet or not known when",
        f"; {_CONFIDENCE[row['confidence']]}",
    )


def _versions(row: Row) -> Sentence:
    if not row["from_revision"] or not row["to_revision"]:
        return ()
    return said(", from ", name(words.version(row["from_revision"])), " to ", name(words.version(row["to_revision"])))


def _remark(book: Book) -> Remark:
    return remark(
        f"Deployments that began from {book.deliveries}, counted for each service; re-syncs of what was live "
        "already are none. A change failure failed, was aborted or rolled back, or left the application degraded "
        "for 30 minutes. Lead time runs from merge or commit to healthy; rollbacks count each incident once."
    )
