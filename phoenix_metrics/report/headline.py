"""The headline figures beside those of the period before, and their course day by day."""

from phoenix_metrics import words
from phoenix_metrics.report import costs, course
from phoenix_metrics.report.book import Book
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Paragraph,
    Plots,
    Remark,
    Section,
    Table,
    cell,
    paragraph,
    remark,
)
from phoenix_metrics.report.figures import FIGURES, Comparison, totals
from phoenix_metrics.words import FEW, counted, listed


def section(book: Book) -> Section:
    """Return the plots, and the table of the headline figures."""
    found = totals(book)
    plots = course.plots(book)
    blocks: list[Block] = (
        [_table(found, costs.unpriced(book)), *_missing(found), _remark(book)] if found else [_nothing(book)]
    )
    return Section("headline", "Headline figures", (*([Plots(plots)] if plots else []), *blocks))


def _nothing(book: Book) -> Paragraph:
    return paragraph(
        "Nothing can be compared: no run succeeded or failed and nothing was deployed between "
        f"{words.day(book.runs.previous.start)} and {words.day(book.runs.last)}."
    )


def _table(found: dict[str, Comparison], unpriced: int) -> Table:
    columns = (
        Column("Figure"),
        Column("These days", is_number=True),
        Column("Before", is_number=True),
        Column("Change", is_number=True),
        Column("Verdict"),
        Column("n"),
    )
    rows = tuple(_row(comparison, unpriced) for comparison in found.values())
    return Table("Headline figures beside as many days before", columns, rows, shows_title=False)


def _row(comparison: Comparison, unpriced: int) -> tuple[Cell, ...]:
    lacks = f"without {counted(unpriced, 'unpriced job')}" if unpriced and comparison.figure.is_usd else ""
    return (
        cell(comparison.figure.label),
        cell(comparison.value, comparison.interval),
        cell(comparison.previous),
        cell(comparison.difference, comparison.difference_interval, mark=comparison.difference_range),
        comparison.verdict,
        cell(comparison.sample, lacks),
    )


def _missing(found: dict[str, Comparison]) -> list[Block]:
    gone = [figure.label.lower() for figure in FIGURES if figure.key not in found]
    if not gone:
        return []
    return [
        paragraph(
            f"Without a value in either period: {listed(gone)}. Percentiles need {FEW} runs, cost a price, and "
            "deployments a source that tells of them."
        )
    ]


def _remark(book: Book) -> Remark:
    days = book.runs.days
    return remark(
        f"{book.runs} beside {book.runs.previous}, whole days in UTC; runs by the day on which they were created, "
        f"final attempts. Behind a figure stands its interval of 95 %, behind a change that of the change. Better "
        f"and worse are said only where that leaves zero out; of twenty figures that did not change, one may be "
        f"called changed all the same. Too few to say: under {FEW} samples, too few to bound a percentile, or a "
        f"history that does not reach back {2 * days} days. n counts what a figure rests on, of sums the days with "
        "an amount. Job time lost is that of attempts that failed or were cancelled."
    )
