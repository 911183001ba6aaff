"""Receiver and drain die while deliveries come in; the program that does it on a large scale is in benchmarks/."""

import subprocess
import sys

from phoenix_metrics.settings import CHECKOUT


def test_what_was_acknowledged_before_a_kill_is_counted_once() -> None:
    """400 deliveries of two senders, some twice, some signed wrongly, while both processes are killed twice."""
    program = [sys.executable, "benchmarks/bench_webhooks.py"]
    sizes = ["--deliveries", "400", "--rate", "80", "--senders", "2", "--kills", "2"]
    done = subprocess.run([*program, *sizes], cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every accepted delivery counted once" in done.stdout
    assert " 0 tried again" not in done.stdout
