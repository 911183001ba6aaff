"""What it takes to run servers in tests."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

SERVE = """
import os
from phoenix_metrics.exporter.server import serve
from phoenix_metrics.settings import load_settings
serve(load_settings(os.environ))
"""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_for(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
