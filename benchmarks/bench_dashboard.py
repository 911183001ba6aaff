"""How long a reader waits in the browser: first pages and changes of a filter, alone and ten at once.

    bench_dashboard.py [--home DIR] [--pages N] [--readers N] [--seconds N] [--without-browser]

The home has a published snapshot with runs of the last eight weeks, such as bench_queries.py leaves; without one,
20,000 runs are generated. Starts the dashboard on it and opens Debian's Chromium. Prints the median and 95th
percentile of:
- a page of Streamlit's with one number and eight of Plotly's bars, and nothing of ours: what cannot be undercut;
- a first page by a server that has just started (nothing is answered yet), of five servers;
- the Overview, answered before, in a browser that is as new as all above, and in one that has the scripts from before;
- a change of a filter to what nobody asked before, from the click until every number and figure stands;
- the Overview for ten readers at once, while the snapshot is published anew every three seconds.
Browsers need most of what ten readers wait. What the server takes of it is measured without any, by streamlit_reader.py
in a process of its own, while snapshots change as above: one reader, ten who choose again at once, and ten who look at
each page for some seconds; with the server's processor time a page, and its memory.
Fails if a page says that anything went wrong.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from bench_exporter import holds
from bench_queries import land, refresh
from machine import describe_machine
from playwright.sync_api import Page, expect, sync_playwright

from phoenix_metrics.demo.bulk.plan import Plan, midnight
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.store import writing

SERVERS, PUBLISH_SECONDS, WAIT = 5, 3, 120_000
PAUSE = 5  # seconds that a reader looks at a page
READER = Path(__file__).resolve().with_name("streamlit_reader.py")
CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RANGES = ("60 days", "90 days")  # a store that was built weeks ago has runs in them
BRANCHES, ATTEMPTS = ("All branches", "Default branch"), ("First attempt", "Final attempt")
EVENTS = ("All events", "push", "schedule")  # what a default branch has, too
BARE = """
import plotly.graph_objects as go
import streamlit as st
st.metric("Number", 1)
for place in range(8):
    st.plotly_chart(go.Figure(go.Bar(x=list(range(30)), y=list(range(30)))), key=str(place))
st.caption("Nothing is known to be missing.")
"""
GENERATED = Plan(20_000, midnight(datetime.now(UTC)), 20, 90)
FAULT = "This page cannot be drawn"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=60, help="how long readers without a browser read")
    parser.add_argument("--without-browser", action="store_true", help="measure the server's share only")
    options = parser.parse_args()
    print(f"{describe_machine()}\nload average at the start: {os.getloadavg()[0]:.1f}", flush=True)
    if options.home:
        measure(options.home, options)
        return
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        land(Path(folder), GENERATED)
        refresh(Path(folder))
        measure(Path(folder), options)


def measure(home: Path, options: argparse.Namespace) -> None:
    """Measure and print all of it."""
    if not options.without_browser:
        measure_in_browsers(home, options.pages, options.readers)
    for readers, pause in ((1, 0), (options.readers, 0), (options.readers, PAUSE)):
        measure_server(home, readers, options.seconds, pause)


def measure_in_browsers(home: Path, pages: int, readers: int) -> None:
    """Measure and print what is waited in a browser."""
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        bare = Path(folder, "bare.py")
        bare.write_text(BARE, encoding="utf-8")
        with serving(home, bare) as server:
            show("Streamlit and Plotly alone", [opened(server.address) for _ in range(pages + 1)][1:])
    show("first page, server just started", [first_page(home) for _ in range(SERVERS)])
    with serving(home) as server:
        show("first page, answered before", [opened(server.address) for _ in range(pages + 1)][1:])
        show("first page, browser was here before", list(returns(server.address, pages)))
        show("filter change, not answered before", list(filter_changes(server.address, pages)))
        with publishing(home):
            show(f"{readers} readers at once, snapshots change", at_once(server.address, readers))


def measure_server(home: Path, readers: int, seconds: int, pause: int) -> None:
    """Measure and print what readers without a browser wait while the snapshot changes, and what the server needs."""
    with serving(home) as server, publishing(home):
        read(server, "--readers=1", "--seconds=0")  # the server imports what it needs
        print(f"{readers} without a browser, {pause} s between two pages; load average {os.getloadavg()[0]:.1f}")
        first, busy, began = SnapshotReader(home).current().sequence, server.processor_seconds(), time.perf_counter()
        waited = read(server, f"--readers={readers}", f"--seconds={seconds}", f"--pause={pause}")
        busy, taken = server.processor_seconds() - busy, time.perf_counter() - began
        changes, held = SnapshotReader(home).current().sequence - first, holds(server.process)
    pages = len(waited["first"]) + len(waited["following"])
    show("  first page", waited["first"])
    show("  another time range", waited["following"])
    print(
        f"  the server: {busy / pages:.2f} s of a processor a page, {busy / taken:.2f} processors busy, {held}; "
        f"the readers: {waited['processor_seconds'] / taken:.2f} processors; {changes} snapshots, "
        f"{len(waited['faults'])} of {pages} pages wrong",
        flush=True,
    )
    if waited["faults"]:
        raise SystemExit("\n".join(dict.fromkeys(waited["faults"])))


def read(server: "Server", *options: str) -> dict[str, Any]:
    """Let readers without a browser read, in a process of their own, and return what they waited."""
    command = [sys.executable, str(READER), server.address, *options]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def first_page(home: Path) -> float:
    """Return what the first reader of a server waits."""
    with serving(home) as server:
        return opened(server.address)


def opened(address: str) -> float:
    """Open the Overview in a new browser and return the seconds until it stands."""
    with window() as page:
        return drawn(page, address)


def returns(address: str, number: int) -> Iterator[float]:
    """Open the Overview anew in one browser, so many times after the first; yield the seconds until it stands."""
    with window() as first:
        drawn(first, address)
        for _ in range(number):
            page = first.context.new_page()
            yield drawn(page, address)
            page.close()


def drawn(page: Page, address: str) -> float:
    """Go to an address and return the seconds until its page stands."""
    started = time.perf_counter()
    page.goto(address, timeout=WAIT)
    wait_until_drawn(page)
    return time.perf_counter() - started


def filter_changes(address: str, number: int) -> Iterator[float]:
    """Choose combinations of branch, attempt, event and time range; yield the seconds that a change of range takes."""
    with window() as page:
        drawn(page, address)
        for branch, attempt, event, chosen in list(product(BRANCHES, ATTEMPTS, EVENTS, RANGES))[:number]:
            for name, option in (("Branch", branch), ("Outcome of", attempt), ("Event", event)):
                if page.get_by_role("combobox", name=name).input_value() != option:
                    choose(page, name, option)
            yield choose(page, "Time range", chosen)


def choose(page: Page, name: str, option: str) -> float:
    """Choose an option of a filter and return the seconds until the page stands again."""
    page.get_by_role("combobox", name=name).click()
    entry = page.get_by_role("option", name=option, exact=True)
    entry.wait_for(timeout=WAIT)
    started = time.perf_counter()
    entry.click()
    expect(page.get_by_role("combobox", name=name)).to_have_value(option, timeout=WAIT)
    wait_until_drawn(page)
    return time.perf_counter() - started


def at_once(address: str, readers: int) -> list[float]:
    """Let so many readers open the Overview three times each; return what each waited."""
    with ThreadPoolExecutor(readers) as pool:
        return [
            seconds
            for found in pool.map(lambda _: [opened(address) for _ in range(3)], range(readers))
            for seconds in found
        ]


@contextmanager
def publishing(home: Path) -> Iterator[None]:
    """Publish the same rows under a new number, again and again, by a process as the pipeline's."""
    context = get_context("spawn")
    stopped = context.Event()
    publisher = context.Process(target=publish_again, args=(home, stopped))
    publisher.start()
    try:
        yield
    finally:
        stopped.set()
        publisher.join()


def publish_again(home: Path, stopped: Event) -> None:
    """Publish until told to stop."""
    while not stopped.wait(PUBLISH_SECONDS):
        with writing(home) as connection:
            publish(connection, home)


def wait_until_drawn(page: Page) -> None:
    """Wait until the script has run, every figure stands and nothing went wrong."""
    expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=WAIT)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget]')"
        " && !document.querySelector('[data-stale=true]')"
        " && document.body.innerText.includes('known to be missing')"  # the last line of the page
        " && document.querySelector('.stPlotlyChart')"
        " && [...document.querySelectorAll('.stPlotlyChart')].every(one => one.querySelector('.main-svg'))",
        timeout=WAIT,
    )
    if page.get_by_text(FAULT).count():
        raise SystemExit(page.get_by_text(FAULT).first.inner_text())


@contextmanager
def window() -> Iterator[Page]:
    """Open a browser of its own, as a reader has."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        finally:
            browser.close()


@dataclass(frozen=True)
class Server:
    """A dashboard that runs: its address and its process."""

    address: str
    process: int

    def processor_seconds(self) -> float:
        """Return the processor time that it has taken so far."""
        times = Path(f"/proc/{self.process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(home: Path, script: Path = CHECKOUT / "dashboards" / "app.py") -> Iterator[Server]:
    """Start the dashboard, or another script of Streamlit's, on a home and return it once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        script.name,
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        "--server.headless=true",
        "--client.showErrorDetails=full",  # what goes wrong is printed here, not shown to anybody
    ]
    quiet = subprocess.DEVNULL
    environ = {**os.environ, "PHOENIX_HOME": str(home)}
    with subprocess.Popen(command, cwd=script.parent, env=environ, stdout=quiet, stderr=quiet) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            until_healthy(address)
            yield Server(address, process.pid)
        finally:
            process.terminate()


def until_healthy(address: str) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        with suppress(urllib.error.URLError), urllib.request.urlopen(f"{address}/_stcore/health"):
            return
        time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def show(title: str, seconds: list[float]) -> None:
    """Print median, 95th percentile and number."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[18]
    print(f"{title:<44}median {statistics.median(seconds):6.2f} s  p95 {p95:6.2f} s  n = {len(seconds)}", flush=True)


if __name__ == "__main__":
    main()
