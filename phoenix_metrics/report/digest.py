"""The digest: its sections, in order, written from one snapshot."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import duckdb

from phoenix_metrics import words
from phoenix_metrics.errors import WarehouseError
from phoenix_metrics.report import (
    alerts,
    completeness,
    costs,
    deliveries,
    flaky,
    headline,
    schedules,
    slower,
    summary,
    workflows,
)
from phoenix_metrics.report.book import Book, open_book
from phoenix_metrics.report.document import Digest, Section, said
from phoenix_metrics.settings import Settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader

SECTIONS: tuple[Callable[[Book], Section], ...] = (
    summary.section,
    headline.section,
    slower.section,
    workflows.section,
    flaky.section,
    costs.section,
    deliveries.section,
    schedules.section,
    alerts.section,
    completeness.section,
)


def make_digest(settings: Settings, days: int, made_at: datetime) -> Digest:
    """Return the digest of the last whole days of the published snapshot.

    Raises SettingsError for a length that no mart compares, NoSnapshotError before the first publication, and
    WarehouseError if the snapshot was published by a version whose tables are others.
    """
    with closing(SnapshotReader(settings.home)) as reader:
        while True:  # until no other snapshot was published meanwhile
            book = open_book(reader, settings, days, made_at)
            try:
                digest = _written(book)
            except duckdb.Error as error:
                raise WarehouseError(
                    f"{book.snapshot.path}: lacks what a report needs ({str(error).splitlines()[0]}); "
                    "run `phoenix sync` to publish one of this version"
                ) from error
            if reader.current() == book.snapshot:
                return digest


def _written(book: Book) -> Digest:
    return Digest(
        title=f"CI/CD from {book.runs}",
        subtitle=f"{book.runs.days} whole days, UTC, beside {book.runs.previous}",
        week=f"{book.runs.last:%G-W%V}",
        notice=completeness.staleness(book),
        sections=tuple(section(book) for section in SECTIONS),
        colophon=said(
            f"Written {words.moment(book.made_at)} from snapshot {book.snapshot.sequence}. All times are UTC. Figures "
            "come from the tables of docs/tables.md, by the definitions of docs/definitions.md; phoenix sql asks them."
        ),
    )
