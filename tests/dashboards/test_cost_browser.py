"""The Cost page in a real browser: it draws, its choices are in the address, and its links lead where they say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboards import spending
from tests.dashboards.test_browser import CHROMIUM, Visitor, serving
from tests.dashboards.test_browser import browser as browser  # noqa: PLC0414  # a fixture

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def spender(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Open a browser window on the organisation that spends."""
    home, now = Path(tmp_path_factory.mktemp("spending")), datetime.now(UTC)
    bill = spending.bill_by_day(spending.uses(spending.runs(), now), now.date() - timedelta(days=1))
    spending.publish(home, spending.runs(), now, bill)
    with serving(home) as address:
        visitor = Visitor(browser, address)
        yield visitor
        visitor.page.context.close()


def opened(visitor: Visitor, path: str) -> Page:
    """Go to a path of the page and wait for its last panel; a long page takes its time on a busy machine."""
    visitor.page.goto(f"{visitor.server}/{path}")
    expect(visitor.page.get_by_role("heading", name="What if: less waste")).to_be_visible(timeout=90_000)
    return visitor.page


def test_costs_draw_and_follow_their_choices(spender: Visitor) -> None:
    """The page draws without a complaint; choices change what it says and its address, and survive a reload."""
    page = opened(spender, "cost")
    for panel in ("List price over time", "Where the money goes", "Budgets of the month", "What if: another runner"):
        expect(page.get_by_role("heading", name=panel)).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=60_000)
    page.get_by_role("radio", name="Runner").click(timeout=60_000)
    page.wait_for_url(lambda url: "by=Runner" in url)
    for name, option in (("Had run on", "linux_slim"), ("Each taking", "half the time")):
        page.get_by_role("combobox", name=name).click()
        page.keyboard.type(option)  # of many options only those in sight are drawn
        page.get_by_role("option", name=option).click()
    said = page.get_by_text("with every job taking half the time, it would have been")
    expect(said).to_be_visible(timeout=60_000)
    page.wait_for_url(
        lambda url: all(choice in url for choice in ("by=Runner", "replacement=linux_slim", "speed=half"))
    )
    before = said.inner_text()
    opened(spender, page.url.removeprefix(f"{spender.server}/"))
    expect(said).to_have_text(before, timeout=60_000)
    assert "linux_slim" in before
    assert spender.complaints == []


@pytest.mark.parametrize("width", [1440, 1024, 420])
def test_costs_fit_every_width(spender: Visitor, width: int) -> None:
    """No width makes the page scroll sideways."""
    spender.page.set_viewport_size({"width": width, "height": 1000})
    page = opened(spender, "cost?range=60+days")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
