"""Flakiness and Quality in a real browser: they draw, complain about nothing, and a choice survives in the address."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.dashboards.test_accessibility import SETTLED
from tests.dashboards.test_browser import CHROMIUM, Visitor, browser, serving
from tests.report.story import SHOP

__all__ = ["browser"]  # a fixture

ADDS, BUILD = f"{SHOP} · CI · build · CartTest · adds", f"{SHOP} · CI · build"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def server(story_home: Path, browser: Browser) -> Iterator[str]:
    """Start the dashboard on the story and return its address; its first visitor has waited for what it imports."""
    with serving(story_home) as address:
        first = browser.new_page()
        first.goto(f"{address}/quality")
        expect_headings(first, "What do test reports say?")
        first.close()
        yield address


@pytest.fixture
def visitor(browser: Browser, server: str) -> Iterator[Visitor]:
    """Open a browser window and close it afterwards."""
    visitor = Visitor(browser, server)
    yield visitor
    visitor.page.context.close()


def choices(url: str) -> dict[str, list[str]]:
    """Return what an address chooses."""
    return parse_qs(urlsplit(url).query)


def expect_headings(page: Page, *names: str) -> None:
    """Wait until the panels of some names are there."""
    for name in names:
        expect(page.get_by_role("heading", name=name)).to_be_visible(timeout=60_000)


def test_flakiness_leads_to_the_evidence(visitor: Visitor) -> None:
    """A test of the ranking leads to its evidence; choosing a job instead is in the address and survives a reload."""
    page = visitor.open("flakiness?range=14+days", numbers=5)
    expect_headings(page, "Flaky runs per day", "Flakiest jobs", "Flakiest tests", "Evidence")
    page.get_by_role("link", name="CartTest · adds").click()
    page.wait_for_url(lambda url: choices(url) == {"range": ["14 days"], "subject": [ADDS]})
    choice = page.get_by_role("combobox", name="Job or test")
    expect(choice).to_have_value(ADDS, timeout=20_000)
    choice.click()
    page.get_by_role("option", name=BUILD, exact=True).click()
    page.wait_for_url(lambda url: choices(url) == {"range": ["14 days"], "subject": [BUILD]})
    visitor.open(page.url.removeprefix(f"{visitor.server}/"), numbers=5)
    expect(choice).to_have_value(BUILD)
    expect(page.get_by_role("combobox", name="Time range")).to_have_value("14 days")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
    assert visitor.complaints == []


def test_quality_answers_each_question(visitor: Visitor) -> None:
    """Every question of the page has its panel, marks have words, and a narrow page has nothing beside its edge."""
    page = visitor.open("quality", numbers=5)
    expect_headings(
        page,
        "Do workflows keep their objectives?",
        "Did scheduled workflows start?",
        "What got slower?",
        "Why do jobs fail?",
        "What do test reports say?",
    )
    expect(page.get_by_role("img", name="1.").first).to_be_visible()
    page.set_viewport_size({"width": 420, "height": 900})
    width = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert width == 0
    assert visitor.complaints == []


@pytest.mark.parametrize("path", ["flakiness", "quality"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 420)])
def test_full_pages_are_accessible(
    browser: Browser, server: str, path: str, scheme: Literal["light", "dark"], width: int
) -> None:
    """Filled with rankings, marks and evidence, the pages have no serious violation either."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(f"{server}/{path}")
        expect_headings(page, "Evidence" if path == "flakiness" else "What do test reports say?")
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
        page.wait_for_function(SETTLED, timeout=60_000)
        found = Axe().run(page).response["violations"]
    finally:
        context.close()
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in serious] == []
