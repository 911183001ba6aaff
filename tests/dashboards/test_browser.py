"""The dashboard in a real browser: it draws, complains about nothing and fetches nothing from elsewhere."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from phoenix_metrics import words
from tests.dashboards.conftest import APP

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORT: ViewportSize = {"width": 1440, "height": 5000}  # no page scrolls in it: scrolling closes an open list
PROBES = (
    "/_stcore/health",
    "/_stcore/host-config",
)  # Streamlit looks for its root; below a page's address that is a 404

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    """Start the dashboard on the organisation and return its address."""
    with serving(home) as address:
        yield address


@pytest.fixture(scope="module")
def delivering_server(delivering_home: Path) -> Iterator[str]:
    """Start the dashboard on the organisation that delivers and return its address."""
    with serving(delivering_home) as address:
        yield address


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Start the dashboard on a home and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(APP),
        f"--server.port={port}",
        "--server.address=127.0.0.1",
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHOENIX_")}
    with subprocess.Popen(
        command, env={**environ, "PHOENIX_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visitor:
    """A page in the browser, and what it complained about or fetched from elsewhere."""

    def __init__(self, browser: Browser, server: str) -> None:
        self.server = server
        self.complaints: list[str] = []
        context = browser.new_context(viewport=VIEWPORT, ignore_https_errors=True)
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self._complain(message.type == "error", message.text, message.location))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._complain(self._is_elsewhere(request.url), request.url, {}))

    def open(self, path: str, *, numbers: int) -> Page:
        """Go to a path and wait for its headline numbers."""
        self.page.goto(f"{self.server}/{path}")
        expect(self.page.get_by_test_id("stMetricValue")).to_have_count(numbers, timeout=20_000)
        return self.page

    def _is_elsewhere(self, url: str) -> bool:
        return not url.startswith((self.server, self.server.replace("http", "ws"), "data:", "blob:"))

    def _complain(self, is_wrong: bool, text: str, location: dict[str, object]) -> None:
        if is_wrong and not str(location.get("url", "")).endswith(PROBES):
            self.complaints.append(f"{text} {location}")


@pytest.fixture
def visitor(browser: Browser, server: str) -> Iterator[Visitor]:
    """Open a browser window and close it afterwards."""
    visitor = Visitor(browser, server)
    yield visitor
    visitor.page.context.close()


@pytest.fixture
def recipient(browser: Browser, delivering_server: str) -> Iterator[Visitor]:
    """Open a browser window on the organisation that delivers and close it afterwards."""
    visitor = Visitor(browser, delivering_server)
    yield visitor
    visitor.page.context.close()


@pytest.mark.parametrize(
    ("path", "numbers", "panels"),
    [
        ("", 4, ["Last commits on the default branch", "Workflows by time lost", "Success ratio per day"]),
        ("workflow", 5, ["Last runs on the default branch", "Jobs"]),
    ],
)
def test_pages_draw_by_themselves(visitor: Visitor, path: str, numbers: int, panels: list[str]) -> None:
    """Each page, opened by its address, draws its numbers and charts without a complaint or an outside request."""
    page = visitor.open(path, numbers=numbers)
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text(f"{words.NBSP}%")
    for panel in panels:
        expect(page.get_by_role("heading", name=panel)).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
    assert visitor.complaints == []


def test_choices_are_in_the_address(visitor: Visitor) -> None:
    """Choices on a page are written into its address, the workflow follows the repository, and a reload keeps both."""
    page = visitor.open("workflow?repository=acme/shop&workflow=Nightly", numbers=5)
    for name, option in (("Repository", "acme/tools"), ("Time range", "7 days")):
        page.get_by_role("combobox", name=name).click()
        page.get_by_role("option", name=option, exact=True).click()
        expect(page.get_by_text("fewer than 20").first).to_be_visible()
    chosen = ("repository=acme%2Ftools", "workflow=CI", "range=7+days")
    page.wait_for_url(lambda url: all(choice in url for choice in chosen))
    visitor.open(page.url.removeprefix(f"{visitor.server}/"), numbers=5)
    for name, value in (("Repository", "acme/tools"), ("Workflow", "CI"), ("Time range", "7 days")):
        expect(page.get_by_role("combobox", name=name)).to_have_value(value)
    assert visitor.complaints == []


def test_attention_leads_to_the_workflow(visitor: Visitor) -> None:
    """The link of a failing workflow opens its page with the last day of every branch, and says so in the address."""
    page = visitor.open("", numbers=4)
    page.get_by_role("link", name="acme/shop · CI").click()
    expect(page.get_by_role("heading", name="Last runs on the default branch")).to_be_visible()
    for choice in ("repository=acme%2Fshop", "workflow=CI", "range=24+h", "branch=All+branches"):
        assert choice in page.url
    assert visitor.complaints == []


def test_deliveries_draw_and_follow_their_filters(recipient: Visitor) -> None:
    """The Deliveries page draws without a complaint; a choice changes numbers and address, and survives a reload."""
    page = recipient.open("deliveries", numbers=6)
    for panel in ("What runs where now", "Deployments per week", "Rollbacks", "Recent deployments"):
        expect(page.get_by_role("heading", name=panel)).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
    for name, option in (("Environment", "staging"), ("Service", "api")):
        page.get_by_role("combobox", name=name).click()
        page.get_by_role("option", name=option, exact=True).click()
        expect(page.get_by_text("n = 2 syncs, fewer than 20").first).to_be_visible()
    page.wait_for_url(lambda url: "environment=staging" in url and "service=api" in url)
    recipient.open(page.url.removeprefix(f"{recipient.server}/"), numbers=6)
    expect(page.get_by_role("combobox", name="Environment")).to_have_value("staging")
    expect(page.get_by_role("combobox", name="Service")).to_have_value("api")
    assert recipient.complaints == []


def test_overview_leads_to_deliveries(recipient: Visitor) -> None:
    """The link below the deployments on the overview opens their page with the time range of the overview."""
    page = recipient.open("?range=14+days", numbers=5)
    page.get_by_role("link", name="What was deployed").click()
    expect(page.get_by_role("heading", name="What runs where now")).to_be_visible()
    assert "/deliveries?range=14+days" in page.url
    assert recipient.complaints == []
