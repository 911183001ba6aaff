"""The SQL page in a real browser: questions are answered, downloads hold what is shown, attacks are refused."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.attacks import BOMBS
from tests.dashboards.test_browser import CHROMIUM, FLAGS, Visitor, serving

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

QUERY = """
select outcome, count(*) as runs, round(avg(duration_seconds))::int as mean_seconds, null as nothing
from marts.workflow_runs group by outcome order by runs desc, outcome
""".strip()
HOSTILE = (
    "copy marts.jobs to '{folder}/out.csv'",
    "from read_text('{folder}/secret.txt')",
    "attach '{folder}/new.duckdb' as other",
    "install httpfs",
    "set enable_external_access = true",
    "with gone as (delete from marts.jobs returning *) select * from gone",
    "drop table marts.jobs",
    "select 1; drop table marts.jobs",
    BOMBS[0],
    BOMBS[5],
)
WAIT = 60_000


@pytest.fixture(scope="module")
def visitor(home: Path) -> Iterator[Visitor]:
    """Start the dashboard on the organisation and Chromium, and open a window."""
    with serving(home) as address, sync_playwright() as playwright:
        chromium: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Visitor(chromium, address)
        chromium.close()


def opened(visitor: Visitor, query: str, **choices: str) -> Page:
    """Open the page by a link that carries a query."""
    chosen = "".join(f"&{name}={quote(value)}" for name, value in choices.items())
    visitor.page.goto(f"{visitor.server}/sql?query={quote(query)}{chosen}")
    expect(visitor.page.get_by_role("textbox", name="Query")).to_have_value(query, timeout=WAIT)
    return visitor.page


def asked(page: Page) -> str:
    """Return the query in the address."""
    return parse_qs(urlsplit(page.url).query).get("query", [""])[0]


def cells(page: Page) -> list[list[str]]:
    """Return the rows of the answer's table as a screen reader is told them, heading first; NULL is empty there."""
    rows = page.locator("[role=grid] [role=row]")
    expect(rows.nth(1)).to_be_attached(timeout=WAIT)
    return [row.locator("[role=columnheader], [role=gridcell]").all_text_contents() for row in rows.all()]


def downloaded(page: Page, name: str, folder: Path) -> Path:
    """Press a download button and return the file."""
    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("button", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_downloads_hold_the_rows_that_are_shown(visitor: Visitor, home: Path, tmp_path: Path) -> None:
    """A link is answered as it opens; CSV and Parquet hold the rows of the table, which are the snapshot's."""
    page = opened(visitor, QUERY)
    heading, *rows = cells(page)
    truth = SnapshotReader(home).query(QUERY)
    assert heading == truth.column_names
    assert rows == [["" if value is None else str(value) for value in row.values()] for row in truth.to_pylist()]
    with downloaded(page, "CSV", tmp_path).open(newline="") as file:
        assert list(csv.reader(file)) == [heading, *rows]
    table = pq.read_table(downloaded(page, "Parquet", tmp_path))
    assert table.to_pylist() == truth.to_pylist()
    assert visitor.complaints == []


def test_the_button_and_the_keys_run_what_is_written(visitor: Visitor) -> None:
    """A query runs by Ctrl+Enter or by the button and not before; the address has it, and the way back leads back."""
    page = opened(visitor, "select 1 as first_answer")
    editor = page.get_by_role("textbox", name="Query")
    expect(page.get_by_text("1 row, 1 column", exact=False)).to_be_visible(timeout=WAIT)
    editor.fill("select 1 as second_answer, 2 as b")
    expect(page.get_by_text("1 row, 2 columns", exact=False)).to_have_count(0)
    editor.press("Control+Enter")
    expect(page.get_by_text("1 row, 2 columns", exact=False)).to_be_visible(timeout=WAIT)
    page.wait_for_url(lambda url: "second_answer" in url)
    editor.fill("select 1 as third_answer, 2 as b, 3 as c")
    page.get_by_test_id("stBaseButton-primaryFormSubmit").click()
    expect(page.get_by_text("1 row, 3 columns", exact=False)).to_be_visible(timeout=WAIT)
    page.wait_for_url(lambda url: "third_answer" in url)
    page.go_back()
    expect(page.get_by_text("1 row, 2 columns", exact=False)).to_be_visible(timeout=WAIT)
    expect(editor).to_have_value("select 1 as second_answer, 2 as b")
    assert visitor.complaints == []


def test_a_chart_is_shared_by_its_address(visitor: Visitor) -> None:
    """Choices of the chart stand in the address and reopen with it; the next query begins with its own."""
    page = opened(visitor, "select i, i * 2 as twice, i * 3 as thrice from range(5) t(i)")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=WAIT)
    page.get_by_role("combobox", name="Y axis").click()
    page.get_by_role("option", name="thrice", exact=True).click()
    page.wait_for_url(lambda url: "y=thrice" in url)
    page.goto(page.url)
    expect(page.get_by_role("combobox", name="Y axis")).to_have_value("thrice", timeout=WAIT)
    page.get_by_role("button", name="On what was money wasted in the last 30 days?").click()
    page.wait_for_url(lambda url: "waste_classes_daily" in url and "y=thrice" not in url)
    assert "marts.waste_classes_daily" in asked(page)
    assert visitor.complaints == []


def test_a_table_leads_to_its_rows(visitor: Visitor) -> None:
    """A table that is found by its column unfolds to its columns, and its link asks for its first rows."""
    page = opened(visitor, "select 1 as n")
    page.get_by_role("tab", name="Tables").click()
    search = page.get_by_role("textbox", name="Search tables and columns")
    search.fill("is_flaky_in_report")
    search.press("Enter")
    expect(page.get_by_text("1 of ", exact=False)).to_be_visible(timeout=WAIT)
    page.get_by_role("link", name="Show its first rows").click()
    expect(page.get_by_role("textbox", name="Query")).to_have_value("from marts.test_results\nlimit 100", timeout=WAIT)
    assert visitor.complaints == []


def test_attacks_are_refused(visitor: Visitor, home: Path, tmp_path: Path) -> None:
    """Each is told to be refused; nothing is read, written or changed, and the page goes on answering."""
    (tmp_path / "secret.txt").write_text("hunter2")
    snapshot = SnapshotReader(home).current().path
    before = hashlib.sha256(snapshot.read_bytes()).hexdigest()
    for attack in HOSTILE:
        page = opened(visitor, attack.format(folder=tmp_path))
        expect(page.get_by_test_id("stAlertContentError")).to_be_visible(timeout=WAIT)
        expect(page.locator("[role=grid]")).to_have_count(0)
        expect(page.get_by_text("hunter2")).to_have_count(0)
        editor = page.get_by_role("textbox", name="Query")
        editor.fill("select 42 as answer")
        editor.press("Control+Enter")
        expect(page.get_by_text("1 row, 1 column", exact=False)).to_be_visible(timeout=WAIT)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]
    assert hashlib.sha256(snapshot.read_bytes()).hexdigest() == before
    assert visitor.complaints == []
