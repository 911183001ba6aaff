"""Alerts: what fires now, and what fired since the days began."""

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
    link,
    name,
    paragraph,
    remark,
    rest,
    said,
)

SHOWN = 12

_FIRED = """
    select *
    from marts.alerts
    where fired_at is not null and coalesce(ended_at, timestamp '9999-12-31') >= $start
    order by ended_at is not null, coalesce(ended_at, fired_at) desc, rule, subject
"""
_JUDGED = """
    select count(*) as subject_count, count(distinct rule) as rule_count
    from marts.alert_conditions
"""


def section(book: Book) -> Section:
    """Return the alerts that fire, and those that fired from the first of the days on."""
    fired = book.ask(_FIRED)
    return Section("alerts", "Alerts", tuple(_told(book, fired) if fired else _quiet(book)))


def _quiet(book: Book) -> list[Block]:
    judged = book.ask_one(_JUDGED)
    since = words.day(book.runs.start)
    if judged["subject_count"] == 0:
        return [paragraph(f"Whether anything should have fired since {since} cannot be said: no rule has a figure.")]
    rules, subjects = (words.counted(judged[f"{one}_count"], one) for one in ("rule", "subject"))
    return [paragraph(f"Nothing fired since {since}; at the newest pass {rules} had a figure, of {subjects}.")]


def _told(book: Book, fired: list[Row]) -> list[Block]:
    still = [row for row in fired if row["ended_at"] is None]
    count = (
        f"{words.counted(len(fired), 'alert')} fired since {words.day(book.runs.start)}, or before and still did then"
    )
    columns = (
        Column("Alert"),
        Column("Of what"),
        Column("State"),
        Column("Fired"),
        Column("Until"),
        Column("Figure", is_number=True),
        Column("Limit", is_number=True),
        Column("Pages"),
    )
    return [
        paragraph(f"{count}; {len(still) or 'none'} of them {'fires' if len(still) == 1 else 'fire'} now."),
        Table("Alerts", columns, tuple(_row(row) for row in fired[:SHOWN]), shows_title=False),
        *rest(len(fired) - SHOWN, "alert", "marts.alerts"),
        remark(
            "Each episode once, by the rules and times of Prometheus's; first those that fire, then the newest. "
            "Figures are of the last pass at which they were over the limit, n counts what they rest on. "
            "What to do is in ",
            code("docs/runbooks.md"),
            ".",
        ),
    ]


def _row(row: Row) -> tuple[Cell, ...]:
    is_open = row["ended_at"] is None
    return (
        cell(name(row["rule"])),
        cell(name(row["subject"])),
        cell(words.STANDS_STILL if row["is_frozen"] else row["state"], tone="worse" if is_open else ""),
        cell(words.moment(row["fired_at"])),
        cell(words.moment(row["ended_at"]) if not is_open else words.NOTHING),
        cell(words.amount(row["value"], row["unit"]), _sample(row["sample_count"])),
        cell(words.amount(row["threshold"], row["unit"])),
        cell(_pages(row["evidence_urls"])),
    )


def _sample(count: int | None) -> str:
    return f"n{words.NBSP}={words.NBSP}{words.count(count)}" if count is not None else ""


def _pages(urls: str | None) -> Sentence:
    links = [said(link(str(number), url)) for number, url in enumerate((urls or "").split(), 1)]
    return enumerated(links, ", ") if links else said(words.NOTHING)
