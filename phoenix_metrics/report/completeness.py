"""What is missing or stale in the data that a digest rests on; this section is never left out."""

from collections.abc import Iterator

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Listing,
    Section,
    Sentence,
    Table,
    cell,
    enumerated,
    name,
    paragraph,
    rest,
    said,
    strong,
)
from phoenix_metrics.words import STATES, counted, part

SHOWN = 10

_NOUNS = {"github": "repository", "argocd": "Argo CD server"}

_SOURCES = """
    select
        source,
        count(*) as subject_count,
        count(*) filter (where state = 'ok' and last_success_at >= last_attempt_at) as read_count
    from marts.data_health
    where source in ('github', 'argocd')
    group by source
    order by source desc
"""
_GAPS = """
    select
        *,
        count(*) over () as gap_count
    from marts.data_health
    where
        source <> 'cost'
        and (
            state is distinct from 'ok'
            or missing_count > 0
            or (source = 'github' and (last_success_at is null or last_success_at < cast($end as timestamp)))
            or (source = 'argocd' and (last_success_at is null or last_success_at < cast($deliveries_end as timestamp)))
        )
    order by
        source not in ('github', 'argocd', 'landing'),
        missing_count desc,
        source,
        subject
    limit $limit
"""
_LATE_HISTORIES = """
    select subject, complete_since
    from marts.data_health
    where source = 'github' and (complete_since is null or complete_since > cast($previous_start as timestamp))
    order by complete_since desc nulls first, subject
"""
_RUNS = """
    select
        count(*) filter (where outcome = 'open' and source_deleted_at is null) as open_count,
        count(*) filter (where outcome <> 'open' and detail_source is null) as undetailed_count,
        count(*) filter (where outcome <> 'open' and detail_source = 'graphql') as bulk_count,
        count(*) filter (where outcome in ('success', 'failure') and is_duration_fallback) as fallback_count,
        count(*) filter (where source_deleted_at is not null) as deleted_count
    from marts.workflow_runs
    where day >= $start and day < $end
"""
_ATTEMPTS = """
    select sum(missing_attempt_count) as missing_count from marts.repository_daily where day >= $start and day < $end
"""
_JOBS = """
    select sum(unpriced_count) as unpriced_count from marts.costs_daily where day >= $start and day < $end
"""
_DELIVERIES = """
    select
        count(*) filter (where status = 'unknown') as unseen_count,
        count(*) filter (where is_unattributed) as unattributed_count,
        count(*) filter (where lead_time_seconds is not null and not is_health_confirmed) as unconfirmed_count,
        count(*) filter (where version_basis = 'revision') as revision_count
    from marts.deliveries
    where day >= $deliveries_start and day < $deliveries_end
"""
_REPORTS = """
    select count(*) as unread_count
    from marts.test_reports
    where day >= $start and day < $end and state in ('malformed', 'refused', 'expired', 'failed')
"""


def section(book: Book) -> Section:
    """Return how fresh the data is, which sources have gaps, and what these days lack."""
    gaps = book.ask(_GAPS, limit=SHOWN)
    lacking = tuple(_lacking(book))
    blocks: list[Block] = [paragraph(_fresh(book), _read(book))]
    if gaps:
        blocks.append(_table(gaps))
        blocks += rest(gaps[0]["gap_count"] - len(gaps), "gap", "marts.data_health")
    if lacking:
        blocks.append(Listing(lacking))
    elif book.as_of:
        blocks.append(paragraph("Nothing is known to be missing in these days."))
    return Section("completeness", "How complete this is", tuple(blocks))


def gap_count(book: Book) -> int:
    """Return how many sources were not read in full or are known to lack something."""
    found = book.ask(_GAPS, limit=1)
    return found[0]["gap_count"] if found else 0


def staleness(book: Book) -> str:
    """Return a sentence where whole days before the report was made are not in it, else nothing."""
    days = (book.made_at.date() - book.runs.end).days
    if days < 1 or book.as_of is None:
        return ""
    return (
        f"the newest pass ended on {words.moment(book.as_of)}, so the last {counted(days, 'whole day')} are not in it"
    )


def _fresh(book: Book) -> Sentence:
    """Say as of when the data is."""
    stale = staleness(book)
    apart = book.deliveries.end != book.runs.end
    passed = f"newest pass {words.moment(book.as_of)}" if book.as_of else "no pass over a source has ended"
    return said(
        f"Snapshot {book.snapshot.sequence}, published {words.moment(book.snapshot.published_at)}; {passed}.",
        said(" ", strong("Stale"), f" when this was written: {stale}.") if stale else "",
        f" Runs are told up to {words.day(book.runs.last)}, deployments up to {words.day(book.deliveries.last)}."
        if apart
        else "",
    )


def _read(book: Book) -> Sentence:
    told = [
        said(f"{words.count(row['read_count'])} of {counted(row['subject_count'], _NOUNS[row['source']])}")
        for row in book.ask(_SOURCES)
    ]
    if not told:
        return said(" ", strong("No source was read"), ", so nothing of what is said here can be relied on.")
    return said(" Read in full at the newest pass: ", enumerated(told, ", "), ".")


def _table(gaps: list[Row]) -> Table:
    columns = (
        Column("Source"),
        Column("Newest pass"),
        Column("Last read in full"),
        Column("Known to be missing", is_number=True),
        Column("Note"),
    )
    rows = tuple(_gap(row) for row in gaps)
    return Table("Sources with gaps", columns, rows, shows_title=False)


def _gap(row: Row) -> tuple[Cell, ...]:
    is_fine = row["state"] == "ok"
    return (
        cell(name(row["subject"]), part(row["source"])),
        cell(STATES.get(row["state"], row["state"] or words.NOTHING), tone="" if is_fine else "worse"),
        cell(words.moment(row["last_success_at"]) if row["last_success_at"] else "never"),
        cell(words.count(row["missing_count"])),
        cell(row["note"] or ""),
    )


def _lacking(book: Book) -> Iterator[Sentence]:
    """Yield a sentence for each thing that figures of these days lack or rest on weaker ground for."""
    yield from _histories(book)
    attempts = book.ask_one(_ATTEMPTS)["missing_count"]
    yield from _some(attempts, "attempt", "of runs that were run again, not stored")
    runs = book.ask_one(_RUNS)
    yield from _some(runs["open_count"], "run", "that had not ended at the newest pass; in no ratio")
    yield from _some(runs["undetailed_count"], "run", "whose jobs are not read: no queue, cost or failure class")
    yield from _some(runs["bulk_count"], "run", "whose jobs came in bulk: no runner, queue, steps or cost")
    yield from _some(runs["fallback_count"], "run", "whose duration rests on GitHub's updated_at and may be too long")
    yield from _some(runs["deleted_count"], "run", "that GitHub does not have any more; kept, and counted")
    yield from _some(book.ask_one(_JOBS)["unpriced_count"], "job", "without a price, missing in every USD")
    found = book.ask_one(_DELIVERIES)
    yield from _some(found["unseen_count"], "deployment", "whose end nobody saw; in no ratio")
    yield from _some(found["unattributed_count"], "new version", "without a known commit, so without a lead time")
    yield from _some(found["unconfirmed_count"], "lead time", "up to the end of the sync, as health was not seen")
    yield from _some(found["revision_count"], "deployment", "told apart by the manifests' revision only")
    yield from _some(
        book.ask_one(_REPORTS)["unread_count"], "test report", "that could not be read; marts.test_reports says why"
    )


def _histories(book: Book) -> Iterator[Sentence]:
    found = book.ask(_LATE_HISTORIES)
    if found:
        shown = [
            said(
                name(row["subject"]),
                f" (whole from {words.day(row['complete_since'])})" if row["complete_since"] else " (not whole yet)",
            )
            for row in found[:SHOWN]
        ]
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield said("History that does not reach back to the period before: ", enumerated(shown, ", "), more)


def _some(number: int | None, noun: str, what: str) -> Iterator[Sentence]:
    if number:
        yield said(strong(counted(number, noun)), f" {what}")
