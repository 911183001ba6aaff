"""The first paragraph: the state now, and the two or three things that changed beyond noise."""

from phoenix_metrics import words
from phoenix_metrics.report import costs, deliveries, slower, workflows
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.completeness import gap_count, staleness
from phoenix_metrics.report.document import (
    Listing,
    Paragraph,
    Section,
    Sentence,
    enumerated,
    name,
    paragraph,
    said,
    strong,
)
from phoenix_metrics.report.figures import Comparison, totals
from phoenix_metrics.words import chance, counted

TOLD = 3  # changes at most
NAMED = 3  # workflows above the limit at most

_SCOPE = """
    select
        count(distinct (repository, workflow)) as workflow_count,
        count(distinct repository) as repository_count,
        sum(run_count) as run_count
    from marts.workflow_daily
    where day >= $start and day < $end
"""


def section(book: Book) -> Section:
    """Return the state in a paragraph and the changes below it."""
    found = totals(book)
    blocks = (Paragraph(_state(book, found)), *_changes(book, found))
    return Section("summary", "In short", blocks)


def _state(book: Book, found: dict[str, Comparison]) -> Sentence:
    stale = staleness(book)
    return said(
        said(strong("This report is stale"), f": {stale}. ") if stale else "",
        _runs(book, found),
        _above(book),
        _money(book, found),
        _delivered(book),
        _gaps(book),
    )


def _runs(book: Book, found: dict[str, Comparison]) -> Sentence:
    scope = book.ask_one(_SCOPE)
    if not scope["run_count"]:
        return said(f"No run is known that was created from {book.runs}." if book.as_of else "No source was read yet.")
    created = (
        f"{counted(scope['run_count'], 'run')} of {counted(scope['workflow_count'], 'workflow')} in "
        f"{counted(scope['repository_count'], 'repository')}"
    )
    failed, median, slow = (found.get(key) for key in ("failure_ratio", "duration_p50", "duration_p95"))
    if failed is None or not failed.is_known:
        return said(strong(created), f" were created from {book.runs}; none succeeded or failed.")
    return said(
        strong(created),
        f" were created from {book.runs}. Of the {words.count(failed.row['sample_count'])} that succeeded or failed, ",
        strong(words.ratio(failed.row["value"])),
        " failed (",
        failed.interval,
        ")",
        said("; half took no longer than ", median.value) if median and median.is_known else "",
        said(", 95 of 100 no longer than ", slow.value) if slow and slow.is_known else "",
        ".",
    )


def _above(book: Book) -> Sentence:
    limit = words.ratio(book.settings.failure_ratio)
    above = workflows.above_limit(book)
    if not above:
        return ()
    named = [said(workflows.subject(row), f" ({words.ratio(row['failure_ratio'])})") for row in above[:NAMED]]
    more = f" and {len(above) - NAMED} more" if len(above) > NAMED else ""
    return said(f" Above {limit}: ", enumerated(named, ", "), more, ".")


def _money(book: Book, found: dict[str, Comparison]) -> Sentence:
    cost, waste = found.get("cost_usd"), found.get("waste_usd")
    if cost is None or not cost.row["value"]:
        return ()
    wasted = said(", ", waste.value, " of it wasted") if waste is not None and waste.row["value"] else ()
    lacking = costs.unpriced(book)
    return said(
        " These runs cost ", cost.value, wasted, f", without {counted(lacking, 'unpriced job')}" if lacking else "", "."
    )


def _delivered(book: Book) -> Sentence:
    found = deliveries.environments(book)
    if not found:
        return ()
    first = found[0]
    return said(
        f" {counted(first['deployment_count'] or 0, 'deployment')} reached ",
        name(first["environment"]),
        " or failed to, "
        f"{words.count(first['failure_count'] or 0)} did not hold, {counted(first['rollback_count'], 'rollback')}.",
    )


def _gaps(book: Book) -> Sentence:
    gaps = gap_count(book)
    return (
        said(" ", strong(counted(gaps, "source")), f" {'has' if gaps == 1 else 'have'} gaps, see below.")
        if gaps
        else ()
    )


def _changes(book: Book, found: dict[str, Comparison]) -> tuple[Paragraph | Listing, ...]:
    slow = slower.worst(book)
    told = [_told(change) for change in _surest(found)[: TOLD - bool(slow)]]
    told += [_slowed(slow)] if slow else []
    if not told:
        return (Paragraph(_unchanged(found)),)
    return paragraph(strong("Changed beyond noise:")), Listing(tuple(told))


def _told(change: Comparison) -> Sentence:
    return said(change.told(), ".")


def _surest(found: dict[str, Comparison]) -> list[Comparison]:
    """Return the first change of each subject, worse ones first, by how far they are from none at the least."""
    chosen: dict[str, Comparison] = {}
    for comparison in found.values():
        if comparison.is_change:
            chosen.setdefault(comparison.figure.subject, comparison)
    return sorted(chosen.values(), key=lambda one: (one.row["verdict"] != "worse", -one.certain_ratio))


def _slowed(change: Row) -> Sentence:
    low, high = change["ratio_low"], change["ratio_high"]
    bounds = f"{low:.2f} to {high:.2f}, " if low is not None and high is not None else ""
    return said(
        strong(f"Slower since {words.moment(change['changed_at'])}"),
        ": ",
        slower.subject(change),
        f", median {words.duration(change['before_p50_seconds'])} before and "
        f"{words.duration(change['after_p50_seconds'])} since, {change['ratio']:.2f} times as long "
        f"({bounds}{chance(change['p_value'])}), n = {counted(change['after_count'], 'run')} after "
        f"{words.count(change['before_count'])}, commits ",
        slower.commits(change),
        ".",
    )


def _unchanged(found: dict[str, Comparison]) -> Sentence:
    same = sum(comparison.row["verdict"] == "no_evidence" for comparison in found.values())
    few = sum(comparison.row["verdict"] == "too_few" for comparison in found.values())
    if not same:
        return said("Whether anything changed cannot be said: the samples are too few, or the history is too short.")
    shows = "headline figure shows" if same == 1 else "headline figures show"
    rest = f", and of {few} there are too few samples to say" if few else ""
    return said(strong("Nothing changed beyond noise"), f": {same} {shows} no evidence of a change{rest}.")
