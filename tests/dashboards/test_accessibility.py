"""LIVE: axe-core finds no serious violation on any page, light or dark, wide or narrow."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.dashboards.conftest import PAGES
from tests.dashboards.test_browser import CHROMIUM, browser, delivering_server  # noqa: F401  # fixtures

SERIOUS = ("serious", "critical")

# What is drawn anew is faint meanwhile, and what is new fades in.
SETTLED = "() => !document.querySelector('[data-stale=true]') && document.getAnimations().length === 0"
LOOKS = 3  # a page may begin to be drawn anew while it is judged; what is wrong with it is wrong each time

Scheme = Literal["light", "dark"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 420)])
def test_pages_are_accessible(browser: Browser, delivering_server: str, page: str, scheme: Scheme, width: int) -> None:  # noqa: F811
    """Nothing keeps a reader who sees little, or uses a keyboard or a screen reader, from a page's content."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    try:
        opened = context.new_page()
        opened.goto(f"{delivering_server}/{page}")
        expect(opened.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
        expect(opened.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
        found = violations(opened)
        for _ in range(LOOKS - 1):
            found = found and [one for one in violations(opened) if one in found]
    finally:
        context.close()
    assert found == []


def violations(page: Page) -> list[str]:
    """Return what axe-core finds serious on a page that stands still."""
    page.wait_for_function(SETTLED, timeout=60_000)
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
