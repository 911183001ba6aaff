"""What a digest says where there is nothing to say, where it cannot be said, and what it never leaves unsaid."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.errors import NoSnapshotError, SettingsError
from phoenix_metrics.report import digest as digest_module
from phoenix_metrics.report.book import LENGTHS, Book
from phoenix_metrics.report.digest import make_digest
from phoenix_metrics.report.document import Digest, Section
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.rules import Rules
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from phoenix_metrics.warehouse.snapshot import publish as publish_snapshot
from phoenix_metrics.warehouse.store import writing
from phoenix_metrics.words import NBSP
from tests.conftest import publish_landing, rows
from tests.report.conftest import digest_of
from tests.report.markdown import prose, tables
from tests.report.story import DOCS, NOW, SHOP, Job, Run, deliveries, publish

TITLES = [
    "In short",
    "Headline figures",
    "What got slower",
    "Workflows that failed",
    "Flakiest jobs and tests",
    "Cost and waste",
    "Deliveries",
    "Scheduled workflows",
    "Alerts",
    "How complete this is",
]


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which nothing was read before it was published."""
    path = tmp_path_factory.mktemp("empty")
    publish_landing(path)
    return path


@pytest.fixture(scope="module")
def partial_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home of few runs without prices, one of a schedule nobody told, read in part, without deliveries."""
    path = tmp_path_factory.mktemp("partial")
    at = NOW - timedelta(days=3)
    page, soak = Job("page", 90, label="our-box"), Job("soak", 60, label="our-box")
    runs = [
        Run(1, at, (page,), DOCS, "Site"),
        Run(2, at + timedelta(hours=1), (replace(page, conclusion="failure", step="Publish"),), DOCS, "Site"),
        Run(3, at + timedelta(hours=2), (soak,), workflow="Nightly", event="schedule"),
    ]
    passes: dict[str, dict[str, object]] = {
        SHOP: {"state": "no_access", "note": "the token | lacks actions=read", "missing_window_count": 4},
        DOCS: {"complete_since": "2026-11-12T00:00:00Z"},
    }
    publish(path, runs, rules=Rules(schedules=[("acme/%", "Weekly", "0 4 * * 1", "UTC", 30)]), passes=passes)
    return path


def said_by(digest: Digest) -> list[str]:
    """Return the paragraphs, headings and items of a digest."""
    return [line.replace(NBSP, " ") for line in prose(render(digest, ReportFormat.MARKDOWN))]


def test_an_empty_store_has_words_for_everything(empty_home: Path) -> None:
    """Every section is there and says that there is nothing, or why nothing can be said; nothing counts as fine."""
    told = said_by(digest_of(empty_home))
    assert [line for line in told if line in TITLES] == TITLES
    assert tables(render(digest_of(empty_home), ReportFormat.MARKDOWN)) == {}
    for line in (
        "No source was read yet.",
        "Whether anything changed cannot be said: the samples are too few, or the history is too short.",
        "Which jobs are flaky cannot be said: no job of the last 30 days is known.",
        "No budget is set: [budgets] in phoenix.toml sets one.",
        "No schedule is known: neither workflow files nor [[schedules]] in phoenix.toml tell any, and no run was "
        "started by one.",
    ):
        assert line in told
    for beginning in (
        "Nothing can be compared: no run succeeded or failed and nothing was deployed between",
        "Whether anything got slower cannot be said yet: no workflow has 20 runs",
        "No run that was created from",
        "Which tests are flaky cannot be said: no test report of the last 30 days is read.",
        "No job of a run that was created from",
        "How delivery goes cannot be said: no Argo CD is read, and no workflow tells GitHub of deployments.",
    ):
        assert [line for line in told if line.startswith(beginning)], beginning
    assert told[-2].endswith("No source was read, so nothing of what is said here can be relied on.")


def test_a_partial_store_says_what_it_lacks(partial_home: Path) -> None:
    """No prices, no Argo CD, few runs, a repository that may not be read, a short history: each is stated."""
    told = said_by(digest_of(partial_home))
    shown = tables(render(digest_of(partial_home), ReportFormat.MARKDOWN))
    assert [line for line in told if line in TITLES] == TITLES
    for line in (
        "The cost is not known: of 3 jobs (5 min, each job rounded up) none has a price.",
        "3 jobs without a price are missing in every USD here: our-box 3 (unknown label). [[runners]] in phoenix.toml "
        "names prices of runners.",
        "Which of them fails most often cannot be said: they have fewer than 20 runs.",
        "Whether a start is missing cannot be said where neither phoenix.toml nor a workflow file tells the schedule: "
        "acme/shop · Nightly.",
        "Told in phoenix.toml, but no workflow fits: acme/* · Weekly.",
        "No job's work came to nothing.",
        "History that does not reach back to the period before: acme/docs (whole from 12 Nov 2026)",
        "3 jobs without a price, missing in every USD",
    ):
        assert line in told
    assert {row[4] for row in shown["Headline figures"]} == {"too few to say"}
    [gap] = shown["How complete this is"]
    assert gap == (
        "acme/shop (runs and jobs)",
        "⊘ the token lacks a permission",
        "never",
        "4",
        "the token | lacks actions=read",
    )
    assert any("Read in full at the newest pass: 1 of 2 repositories." in line for line in told)
    assert told[told.index("In short") + 1].endswith(" 1 source has gaps, see below.")
    assert not any("Nothing is known to be missing" in line for line in told)


def test_flaky_runs_whose_job_is_not_known_are_not_passed_over(tmp_path: Path) -> None:
    """A run passed when run again, and of no job both are known: it is told, and no job is called sound."""
    at = NOW - timedelta(days=3)
    publish(tmp_path, [Run(1, at, (Job("old name", 60, conclusion="failure"), Job("new name", 60)))])
    told = said_by(digest_of(tmp_path))
    assert told[told.index("Flakiest jobs and tests") + 1] == (
        "1 run of the last 30 days of data failed and passed when run again, but which jobs it was cannot be said: of "
        "none of theirs both the failure and the pass are known."
    )
    publish(tmp_path / "other", [Run(1, at, (Job("page", 60),))])
    told = said_by(digest_of(tmp_path / "other"))
    assert told[told.index("Flakiest jobs and tests") + 1] == (
        "No job failed and passed on one commit in the last 30 days of data."
    )


def test_a_whole_store_says_that_nothing_is_missing(home: Path, runs: list[Run], tmp_path: Path) -> None:
    """Where all is known the last section says so; a schedule that foresees nothing in these days is not forgotten."""
    monthly = Rules(schedules=[("acme/shop", "Nightly", "0 2 1 * *", "UTC", 30)])
    publish(tmp_path, [run for run in runs if run.repository == SHOP], rules=monthly)
    told = said_by(digest_of(tmp_path))
    assert "Nothing is known to be missing in these days." in told
    assert "No schedule that is known foresees a start from 16 to 22 Nov 2026." in told


def test_a_late_report_says_first_that_it_is_stale(home: Path) -> None:
    """Whole days that are not in it are counted in the first words, and again where completeness is told."""
    digest = make_digest(load_settings({"PHOENIX_HOME": str(home)}), 7, NOW + timedelta(days=2))
    told = said_by(digest)
    lacking = f"the newest pass ended on {moment(NOW)}, so the last 2 whole days are not in it"
    assert digest.notice.replace(NBSP, " ") == lacking
    assert told[told.index("In short") + 1].startswith(f"This report is stale: {lacking}. ")
    assert any(f"Stale when this was written: {lacking}." in line for line in told)
    assert digest_of(home).notice == ""


def test_periods_end_as_in_the_marts(home: Path) -> None:
    """The period of a digest is that of the comparisons it shows, for runs and for deployments."""
    ends = {row["end_day"] for row in rows(home, "select distinct end_day from marts.period_comparisons")}
    assert ends == {date(2026, 11, 23)}
    assert {row["days"] for row in rows(home, "select days from marts.period_comparisons")} == set(LENGTHS)
    assert digest_of(home).title == "CI/CD from 16 to 22 Nov 2026"
    assert digest_of(home, 28).title == "CI/CD from 26 Oct to 22 Nov 2026"
    assert digest_of(home).week == "2026-W47"


def test_a_source_that_is_late_ends_its_period_earlier(runs: list[Run], tmp_path: Path) -> None:
    """GitHub was read a day after Argo CD: the digest says so, and counts deployments up to there."""
    later = {"finished_at": (NOW + timedelta(days=1)).isoformat()}
    publish(tmp_path, runs, deliveries(runs), passes={SHOP: later, DOCS: later})
    digest = digest_of(tmp_path)
    assert digest.title == "CI/CD from 17 to 23 Nov 2026"
    assert any(f"Runs are told up to {day(23)}, deployments up to {day(22)}." in line for line in said_by(digest))
    shown = tables(render(digest, ReportFormat.MARKDOWN))
    assert [row[:2] for row in shown["Deliveries"]] == [("production", "5")]


def test_a_digest_is_of_one_snapshot(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is published while a digest is written is not mixed into it: all is asked anew."""
    reader = SnapshotReader(empty_home)
    before = reader.current().sequence

    def publish_meanwhile(book: Book) -> Section:
        if book.snapshot.sequence == before:
            with writing(empty_home) as connection:
                publish_snapshot(connection, empty_home)
        return Section("meanwhile", "Meanwhile", ())

    monkeypatch.setattr(digest_module, "SECTIONS", (*digest_module.SECTIONS, publish_meanwhile))
    told = said_by(digest_of(empty_home))
    reader.close()
    assert told[-1].startswith(f"Written {moment(NOW)} from snapshot {before + 1}.")
    assert any(line.startswith(f"Snapshot {before + 1}, published ") for line in told)


def test_other_lengths_are_refused(home: Path) -> None:
    """No mart compares other periods, so no digest is made of them."""
    with pytest.raises(SettingsError, match="--days 14: a report compares 7 or 28 whole days with as many before"):
        digest_of(home, 14)


def test_before_the_first_snapshot_there_is_no_report(tmp_path: Path) -> None:
    """The reader is told what to run."""
    with pytest.raises(NoSnapshotError, match="run `phoenix sync` first"):
        digest_of(tmp_path)


def moment(at: datetime) -> str:
    """Return a moment as a digest writes it."""
    return f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"


def day(of_november: int) -> str:
    """Return a day as a digest writes it."""
    return f"{of_november} Nov 2026"
