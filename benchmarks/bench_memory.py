"""Whether collecting stays within bounds: peak memory and runs a second for 1,000, 10,000 and 100,000 runs.

    bench_memory.py [--sizes 1000,10000,100000]

The server computes its answers, so that it holds nothing either. Collecting only; each size in a process of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--pass", dest="is_pass", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.is_pass:
        one_pass()
        return
    print(describe_machine())
    print(f"{'runs':>10}{'jobs':>10}{'seconds':>10}{'runs/s':>10}{'peak MB':>10}")
    for size in map(int, options.sizes.split(",")):
        found = measure(size)
        rate = found["runs"] / found["seconds"]
        print(
            f"{found['runs']:>10,}{found['jobs']:>10,}{found['seconds']:>10.1f}{rate:>10.0f}{found['peak MB']:>10.0f}"
        )


def measure(size: int) -> dict[str, float]:
    """Collect so many runs in a process of its own and return its figures."""
    command = [sys.executable, str(HERE / "computed_github.py"), "--runs", str(size)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory(prefix="phoenix-bench-") as home,
    ):
        assert server.stdout is not None
        environ = {
            **os.environ,
            "PHOENIX_HOME": home,
            "PHOENIX_GITHUB_API_URL": server.stdout.readline().strip(),
            "PHOENIX_GITHUB_REPOSITORIES": "acme/shop",
            "PHOENIX_GITHUB_SINCE": "2024-12-31",
        }
        try:
            done = subprocess.run([sys.executable, __file__, "--pass"], env=environ, stdout=subprocess.PIPE, check=True)
        finally:
            server.kill()
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one_pass() -> None:
    """Collect; print figures as JSON."""
    from phoenix_metrics.defs.polling import sync_github
    from phoenix_metrics.settings import load_settings

    settings = load_settings(os.environ)
    started = time.perf_counter()
    [done] = sync_github(settings)
    seconds = time.perf_counter() - started
    if done.state != "ok":
        sys.exit(f"the pass ended as {done.state}: {done.note}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"runs": done.outcome.run_count, "jobs": done.outcome.job_count, "seconds": seconds, "peak MB": peak}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
