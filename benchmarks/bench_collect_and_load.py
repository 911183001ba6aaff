"""How fast history is collected and loaded, and in how much memory: one full pass over HTTP on loopback.

    bench_collect_and_load.py [--runs N] [--recording DIR] [--replay PROGRAM]

The server replays a recording where one is given or found beside the project, else the demo organisation serves.
Server and collector share the machine, so the figure is a floor. Each pass starts in a new process with an empty home.
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import describe_machine

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--recording", type=Path, default=SHARED / "data" / "github_actions" / "apache_ozone")
    parser.add_argument("--replay", type=Path, default=SHARED / "tools" / "github_replay.py")
    parser.add_argument("--pass", dest="is_pass", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.is_pass:
        one_pass()
        return
    print(describe_machine())
    with serving(options.recording, options.replay) as environ:
        figures = [measure(environ) for _ in range(options.runs)]
    report(figures)


@contextmanager
def serving(recording: Path, replay: Path) -> Iterator[dict[str, str]]:
    """Serve a history and return the settings that point at it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if recording.is_dir() and replay.is_file():
        command = [sys.executable, str(replay), str(recording), "--port", str(port), "--budget", "1000000"]
        repository, since = "apache/ozone", "2019-12-01"
    else:
        command = [sys.executable, "-m", "phoenix_metrics.cli", "demo"]
        repository, since = "phoenix/platform", "60d"
    settings = {
        "PHOENIX_GITHUB_API_URL": f"http://127.0.0.1:{port}",
        "PHOENIX_GITHUB_REPOSITORIES": repository,
        "PHOENIX_GITHUB_SINCE": since,
        "PHOENIX_DEMO_PORT": str(port),
        "PHOENIX_HOME": tempfile.mkdtemp(prefix="phoenix-bench-"),
    }
    server = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_control", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        print(
            f"history: {repository} since {since}, "
            + ("replayed recording" if "replay" in command[1] else "demo organisation")
        )
        yield settings
    finally:
        server.kill()
        server.wait()


def measure(settings: dict[str, str]) -> dict[str, float]:
    """Run one pass in a process of its own, on an empty home."""
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as home:
        environ = {**os.environ, **settings, "PHOENIX_HOME": home}
        done = subprocess.run([sys.executable, __file__, "--pass"], env=environ, stdout=subprocess.PIPE, check=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def one_pass() -> None:
    """Collect and load; print figures as JSON."""
    from phoenix_metrics.defs.polling import sync_github
    from phoenix_metrics.settings import load_settings
    from phoenix_metrics.warehouse.marts import load_seeds
    from phoenix_metrics.warehouse.models import load_models
    from phoenix_metrics.warehouse.refresh import refresh_marts
    from phoenix_metrics.warehouse.snapshot import publish
    from phoenix_metrics.warehouse.staging import load_landing
    from phoenix_metrics.warehouse.store import writing

    settings, models = load_settings(os.environ), load_models()
    started = time.perf_counter()
    [done] = sync_github(settings)
    collected = time.perf_counter()
    with writing(settings.home) as connection:
        load_seeds(connection)
        load_landing(connection, settings.home, models)
        loaded = time.perf_counter()
        for _ in refresh_marts(connection, [model for model in models.values() if model.schema == "marts"], models):
            pass
        publish(connection, settings.home)
    finished = time.perf_counter()
    figures = {
        "runs": done.outcome.run_count,
        "jobs": done.outcome.job_count,
        "collect seconds": collected - started,
        "load seconds": loaded - collected,
        "marts and publish seconds": finished - loaded,
        "runs a second, collect and load": done.outcome.run_count / (loaded - started),
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def report(figures: list[dict[str, float]]) -> None:
    """Print minimum, median and maximum of each figure."""
    print(f"{'':<34}{'min':>10}{'median':>10}{'max':>10}")
    for name in figures[0]:
        values = [figure[name] for figure in figures]
        print(f"{name:<34}{min(values):>10,.1f}{statistics.median(values):>10,.1f}{max(values):>10,.1f}")


if __name__ == "__main__":
    main()
