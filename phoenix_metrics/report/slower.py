"""What got slower or faster, and between which commits."""

from datetime import date, timedelta

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Paragraph,
    Remark,
    Section,
    Sentence,
    Table,
    cell,
    link,
    name,
    paragraph,
    remark,
    rest,
    said,
)
from phoenix_metrics.words import chance

SHOWN = 8
LATE = timedelta(days=7)  # within so many days nearly every change is found

_CHANGES = """
    select
        *,
        regexp_replace(first_html_url, '/actions/runs/.*$', '')
        || '/compare/' || last_head_sha || '...' || first_head_sha as compare_url,
        count(*) over () as change_count
    from marts.duration_changes
    where is_latest and changed_at >= $since and changed_at < $end
    order by
        direction <> 'slower',
        max(abs(difference_seconds)) over (partition by direction, workflow_id, event, first_head_sha) desc,
        workflow_id,
        event,
        first_head_sha,
        job is not null,
        abs(difference_seconds) desc,
        job,
        measure
    limit $limit
"""
_SERIES = """
    select count(*) as series_count
    from (
        select workflow_id, event
        from marts.run_attempts
        where
            run_attempt = 1 and outcome = 'success' and is_default_branch and not is_duration_fallback
            and duration_seconds is not null and day >= cast($end as date) - 90 and day < $end
        group by workflow_id, event
        having count(*) >= 20
    )
"""


def section(book: Book) -> Section:
    """Return the changes that still hold, those that cost most time first, slower ones before faster ones."""
    changes = book.ask(_CHANGES, since=since(book), limit=SHOWN)
    blocks: list[Block] = [_table(changes), *_more(changes), _remark(book)] if changes else [_nothing(book)]
    return Section("slower", "What got slower", tuple(blocks))


def since(book: Book) -> date:
    """Return the day from which on changes are listed: some are found days after the runs that brought them."""
    return book.runs.start - LATE


def worst(book: Book) -> Row | None:
    """Return the change to slower that costs most time, of a workflow rather than of its jobs."""
    found = book.ask(_CHANGES, since=since(book), limit=1)
    return found[0] if found and found[0]["direction"] == "slower" else None


def subject(change: Row) -> Sentence:
    """Return what changed: a workflow, perhaps a job of it, and which time of it."""
    told = [name(f"{change['repository']} · {change['workflow']}")]
    job = said(", job ", name(change["job"])) if change["job"] else ()
    return said(*told, job, ", queue time" if change["measure"] == "queue" else "")


def commits(change: Row) -> Sentence:
    """Return the commits between which a change came, with a page that compares them."""
    last, first = change["last_head_sha"], change["first_head_sha"]
    if not last or not first:
        return said("commits not known")
    return said(link(f"{last[:7]}{words.NBSP}… {first[:7]}", change["compare_url"]))


def _table(changes: list[Row]) -> Table:
    columns = (
        Column("What"),
        Column("Median before", is_number=True),
        Column("Since", is_number=True),
        Column("Times as long", is_number=True),
        Column("Commits"),
        Column("First run"),
        Column("n"),
    )
    rows = tuple(_row(change) for change in changes)
    return Table("Changes of durations and queue times", columns, rows, shows_title=False)


def _row(change: Row) -> tuple[Cell, ...]:
    low, high = change["ratio_low"], change["ratio_high"]
    bounds = f"{low:.2f} to {high:.2f}, " if low is not None and high is not None else ""
    return (
        cell(subject(change), f"on {change['event'] or 'any event'}"),
        cell(words.duration(change["before_p50_seconds"])),
        cell(words.duration(change["after_p50_seconds"])),
        cell(
            f"{change['ratio']:.2f}",
            f"{bounds}{chance(change['p_value'])}",
            "worse" if change["direction"] == "slower" else "better",
        ),
        cell(commits(change)),
        cell(link(words.moment(change["changed_at"]), change["first_html_url"])),
        cell(f"{words.count(change['after_count'])} after {words.count(change['before_count'])}"),
    )


def _more(changes: list[Row]) -> list[Block]:
    return rest(changes[0]["change_count"] - len(changes), "change", "marts.duration_changes")


def _nothing(book: Book) -> Paragraph:
    if not book.ask_one(_SERIES)["series_count"]:
        return paragraph(
            "Whether anything got slower cannot be said yet: no workflow has 20 runs of one event in 90 days that "
            "succeeded at the first attempt on the default branch."
        )
    return paragraph(
        f"No change since {words.day(since(book))} still holds that noise between days does not explain; one shows "
        "two to four days after it."
    )


def _remark(book: Book) -> Remark:
    return remark(
        f"Changes from {words.day(since(book))} on that still hold: one shows two to four days after it, so the "
        "week before is listed again. Successful first attempts on the default branch; the cause lies between the "
        "two commits, or outside of the code. The interval is of 95 %, p the chance that noise between days brings "
        "such a change about."
    )
