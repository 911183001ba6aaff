"""The HTML in a real browser: it asks nobody for anything, runs nothing, and fits on every screen."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from phoenix_metrics.report.document import Digest
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from phoenix_metrics.warehouse.rules import NO_RULES
from tests.report import markdown
from tests.report.conftest import digest_of
from tests.report.story import NOW, SHOP, Job, Run, publish

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WORKFLOW = "<script>document.title = 'taken'</script> | **bold**"
JOB = r'"><img src=x onerror="document.title = 1"> \| `x`'
BRANCH = "![x](http://127.0.0.1:9/x.png)"


@pytest.fixture(scope="module")
def spiteful(tmp_path_factory: pytest.TempPathFactory) -> Digest:
    """Return the digest of runs whose workflow, job, branch and page are named to do harm."""
    at = NOW - timedelta(days=3)
    failed, passed = Job(JOB, 90, "failure", WORKFLOW), Job(JOB, 90)
    runs = [
        Run(number, at + timedelta(hours=number), (failed, passed) if number % 2 else (failed,), workflow=WORKFLOW)
        for number in range(1, 7)
    ]
    runs.append(
        Run(7, at + timedelta(hours=9), (failed,), workflow=WORKFLOW, branch=BRANCH, page="javascript:alert(1)")
    )
    home = tmp_path_factory.mktemp("spiteful")
    publish(home, runs, rules=NO_RULES)
    return digest_of(home)


def test_names_from_elsewhere_stay_names(spiteful: Digest) -> None:
    """In Markdown a workflow and a job are shown letter by letter, in their cells; a page that is none is no link."""
    written = render(spiteful, ReportFormat.MARKDOWN)
    shown = markdown.tables(written)
    assert [row[0] for row in shown["Workflows by job time lost"]] == [f"{SHOP} · {WORKFLOW}"]
    assert [row[0] for row in shown["Flakiest jobs"]] == [f"{JOB} ({SHOP} · {WORKFLOW})"]
    assert markdown.html_in(written) == []
    assert {address.partition(":")[0] for _, address in markdown.links(written)} == {"https"}


browsers = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """A document opened from disk, and what it asked for, said or ran."""

    def __init__(self, browser: Browser, path: Path, width: int, scheme: str) -> None:
        self.troubles: list[str] = []
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
        )
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self._note(request.url != path.as_uri(), f"asked for {request.url}"))
        self.page.on("console", lambda message: self._note(True, message.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("dialog", lambda dialog: self._note(True, dialog.message))
        self.page.goto(path.as_uri())

    def _note(self, is_trouble: bool, text: str) -> None:
        if is_trouble:
            self.troubles.append(text)


@browsers
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 760, 1100, 1440])
def test_it_fits_and_asks_for_nothing(
    browser: Browser, digest: Digest, tmp_path: Path, width: int, scheme: str
) -> None:
    """One file, no request, no complaint, nothing wider than the screen, and text that stands out from its ground."""
    path = tmp_path / "report.html"
    path.write_text(render(digest, ReportFormat.HTML), encoding="utf-8")
    assert path.stat().st_size < 300_000
    visit = Visit(browser, path, width, scheme)
    assert visit.troubles == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.page.locator("figure svg[role=img]").count() == 4
    ground, text = _colors(visit.page)
    assert (_lightness(ground) > _lightness(text)) == (scheme == "light")
    assert abs(_lightness(ground) - _lightness(text)) > 150
    visit.page.context.close()


@browsers
def test_it_fits_on_paper(browser: Browser, digest: Digest, tmp_path: Path) -> None:
    """Printed from a dark screen it is dark on white, within the 700 pixels that A4 has between its margins."""
    path = tmp_path / "report.html"
    path.write_text(render(digest, ReportFormat.HTML), encoding="utf-8")
    visit = Visit(browser, path, 700, "dark")
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 700
    ground, text = _colors(visit.page)
    assert _lightness(ground) == 255
    assert _lightness(text) < 60
    visit.page.context.close()


@browsers
def test_nothing_in_it_runs(browser: Browser, spiteful: Digest, tmp_path: Path) -> None:
    """Names that are scripts are read, not run, and the page forbids whatever else might want to."""
    path = tmp_path / "report.html"
    path.write_text(render(spiteful, ReportFormat.HTML), encoding="utf-8")
    visit = Visit(browser, path, 1440, "light")
    assert visit.troubles == []
    assert visit.page.title() == f"{spiteful.title} – Phoenix Metrics"  # noqa: RUF001
    assert visit.page.locator("script, img, iframe, object").count() == 0
    assert visit.page.get_by_role("rowheader", name=f"{SHOP} · {WORKFLOW}").first.is_visible()
    assert visit.page.locator("a[href^=javascript]").count() == 0
    visit.page.evaluate(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/'}))"
    )
    visit.page.wait_for_timeout(200)
    assert any("Content Security Policy" in trouble for trouble in visit.troubles)
    visit.page.context.close()


def _colors(page: Page) -> tuple[str, str]:
    """Return the colours of the page and of the text on it."""
    style = "getComputedStyle(document.body)"
    ground, text = page.evaluate(f"[{style}.backgroundColor, {style}.color]")
    return ground, text


def _lightness(color: str) -> float:
    """Return how light a colour such as rgb(18, 23, 29) is, from 0 to 255."""
    red, green, blue = (int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
    return 0.299 * red + 0.587 * green + 0.114 * blue
