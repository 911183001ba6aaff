"""How long a scrape takes, and what an exporter holds, while snapshots change and many scrape at once.

    bench_exporter.py [--series N] [--seconds N] [--every N]

Publishes a history of as many repositories as make about N series, serves it by a process of its own, and scrapes it:
500 times one after the other, then by 20 at once for some seconds while a new snapshot is published again and again. A
scrape asks for OpenMetrics, as Prometheus does. Memory is the server's resident size, handles are its open files. For a
soak let it run for hours.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bench_queries import refresh
from machine import describe_machine

from phoenix_metrics.demo.bulk.generator import generate
from phoenix_metrics.demo.bulk.plan import Plan, midnight
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.store import writing

SERIES_A_REPOSITORY = 230  # about three workflows and two kinds of runner
SCRAPES, SCRAPERS = 500, 20
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
SERVE = (
    "import os; from phoenix_metrics.exporter.server import serve; "
    "from phoenix_metrics.settings import load_settings; serve(load_settings(os.environ))"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--every", type=float, default=2, help="seconds between two snapshots")
    options = parser.parse_args()
    print(f"{describe_machine()}\nload average at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        home = Path(folder)
        land(home, max(1, options.series // SERIES_A_REPOSITORY))
        refresh(home)
        port = load_settings({}).exporter_port + 1000
        environ = {**os.environ, "PHOENIX_HOME": str(home), "PHOENIX_EXPORTER_PORT": str(port)}
        with subprocess.Popen([sys.executable, "-c", SERVE], env=environ) as server:
            try:
                measure(home, f"http://127.0.0.1:{port}", server.pid, options)
            finally:
                server.terminate()


def land(home: Path, repositories: int) -> None:
    """Write ten days of a history in which every repository has runs."""
    plan = Plan(20 * repositories * 10, midnight(datetime.now(UTC)), repositories, 10, with_steps=False)
    deque(generate(home, plan), maxlen=0)


def measure(home: Path, url: str, process: int, options: argparse.Namespace) -> None:
    started = time.perf_counter()
    while not is_ready(url):
        time.sleep(0.1)
    print(f"ready after {time.perf_counter() - started:.1f} s")
    page = scrape(url)
    lines = [line for line in page.splitlines() if not line.startswith(b"#")]
    print(f"{len(lines):,} series, {len(page) / 1024:,.0f} KiB, {holds(process)}")
    show("one after the other", [timed(url) for _ in range(SCRAPES)])
    ended, times, failures = threading.Event(), [], []
    threads = [threading.Thread(target=scrape_on, args=(url, ended, times, failures)) for _ in range(SCRAPERS)]
    for thread in threads:
        thread.start()
    first = SnapshotReader(home).current().sequence
    swap_on(home, process, options)
    ended.set()
    for thread in threads:
        thread.join()
    show(f"{SCRAPERS} at once", times)
    print(f"{SnapshotReader(home).current().sequence - first} snapshots, {len(failures)} failed scrapes {failures[:3]}")


def swap_on(home: Path, process: int, options: argparse.Namespace) -> None:
    """Let another process publish again and again, and say ten times what the server holds."""
    publisher = get_context("spawn").Process(target=publish_on, args=(home, options.every), daemon=True)
    publisher.start()
    for _ in range(10):
        time.sleep(options.seconds / 10)
        print(f"{holds(process)}", flush=True)
    publisher.terminate()
    publisher.join()


def publish_on(home: Path, every: float) -> None:
    while True:
        with writing(home) as connection:
            publish(connection, home)
        time.sleep(every)


def scrape_on(url: str, ended: threading.Event, times: list[float], failures: list[str]) -> None:
    """Scrape twice a second until told to end."""
    while not ended.wait(0.5):
        try:
            times.append(timed(url))
        except OSError as error:
            failures.append(str(error))


def timed(url: str) -> float:
    started = time.perf_counter()
    scrape(url)
    return time.perf_counter() - started


def scrape(url: str) -> bytes:
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": ACCEPT})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def holds(process: int) -> str:
    """Return what a process holds."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return f"{resident:,.0f} MiB, {len(list(Path(f'/proc/{process}/fd').iterdir()))} handles"


def show(title: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(f"{title:<24}{len(times):>7} scrapes, p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
