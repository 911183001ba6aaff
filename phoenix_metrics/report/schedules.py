"""Workflows that have to start by a schedule: what did not start, started late, or cannot be told."""

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Section,
    Sentence,
    Table,
    cell,
    code,
    enumerated,
    name,
    paragraph,
    said,
)

SHOWN = 8

_STARTS = """
    select
        starts.repository,
        starts.workflow,
        min(schedules.cron) as cron,
        count(*) as expected_count,
        count(*) filter (where starts.state = 'on_time') as on_time_count,
        count(*) filter (where starts.state = 'late') as late_count,
        count(*) filter (where starts.state = 'missed') as missed_count,
        count(*) filter (where starts.state = 'disabled') as disabled_count,
        max(starts.expected_at) filter (where starts.state = 'missed') as last_missed_at,
        max(starts.delay_seconds) as delay_most
    from marts.scheduled_starts as starts
    left join marts.schedules as schedules
        on schedules.repository = starts.repository and schedules.workflow = starts.workflow
    where starts.expected_at >= $start and starts.expected_at < $end
    group by starts.repository, starts.workflow
    order by missed_count desc, disabled_count desc, late_count desc, starts.repository, starts.workflow
"""
_SCHEDULES = "select repository, workflow, state from marts.schedules order by repository, workflow"


def section(book: Book) -> Section:
    """Return the starts that did not come in time."""
    starts, schedules = book.ask(_STARTS), book.ask(_SCHEDULES)
    if not schedules:
        nothing = paragraph(
            "No schedule is known: neither workflow files nor ",
            code("[[schedules]]"),
            " in phoenix.toml tell any, and no run was started by one.",
        )
        return Section("schedules", "Scheduled workflows", (nothing,))
    return Section("schedules", "Scheduled workflows", (*_told(book, starts), *_unknown(schedules)))


def _told(book: Book, starts: list[Row]) -> list[Block]:
    if not starts:
        return [paragraph(f"No schedule that is known foresees a start from {book.runs}.")]
    late = [row for row in starts if row["on_time_count"] < row["expected_count"]]
    fine = [row for row in starts if row["on_time_count"] == row["expected_count"]]
    blocks: list[Block] = []
    if fine:
        names = [said(name(f"{row['repository']} · {row['workflow']}"), f" ({row['on_time_count']})") for row in fine]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        blocks.append(paragraph("Every start in time: ", enumerated(names[:SHOWN], ", "), more, "."))
    if late:
        blocks.insert(0, _table(late[:SHOWN]))
    return blocks


def _table(late: list[Row]) -> Table:
    columns = (
        Column("Workflow"),
        Column("Has to start (cron)"),
        Column("Starts foreseen", is_number=True),
        Column("Missed", is_number=True),
        Column("Late", is_number=True),
        Column("Latest by", is_number=True),
        Column("Last missed"),
    )
    rows = tuple(_row(row) for row in late)
    return Table("Schedules with starts missed or late", columns, rows, shows_title=False)


def _row(row: Row) -> tuple[Cell, ...]:
    missed, disabled = row["missed_count"], row["disabled_count"]
    return (
        cell(name(f"{row['repository']} · {row['workflow']}")),
        cell(name(row["cron"]) if row["cron"] else words.NOTHING),
        cell(words.count(row["expected_count"])),
        cell(
            words.count(missed),
            f"and {disabled} while disabled" if disabled else "",
            "worse" if missed or disabled else "",
        ),
        cell(words.count(row["late_count"])),
        cell(words.duration(row["delay_most"])),
        cell(words.moment(row["last_missed_at"])),
    )


def _unknown(schedules: list[Row]) -> list[Block]:
    """Say of which schedules nothing can be said: those nobody has told, and those that fit no workflow."""
    unknown, lost = ([row for row in schedules if row["state"] == state] for state in ("unknown", "not_found"))
    blocks: list[Block] = []
    if unknown:
        blocks.append(
            paragraph(
                "Whether a start is missing cannot be said where neither phoenix.toml nor a workflow file tells the "
                "schedule: ",
                _named(unknown),
                ".",
            )
        )
    if lost:
        blocks.append(paragraph("Told in phoenix.toml, but no workflow fits: ", _named(lost), "."))
    return blocks


def _named(rows: list[Row]) -> Sentence:
    names = [said(name(f"{row['repository']} · {row['workflow']}")) for row in rows[:SHOWN]]
    return said(enumerated(names, ", "), f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
