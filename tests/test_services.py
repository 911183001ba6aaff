"""`phoenix up`: a fresh home becomes running services on the demo organisation, and one signal ends all of them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.webhooks.watched import watched_since
from tests.conftest import rows

PATIENCE_SECONDS = 240


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def up(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """Run `phoenix up` on free ports, with nothing configured."""
    names = ("DASHBOARD", "EXPORTER", "DAGSTER", "DEMO", "WEBHOOK")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PHOENIX_", "DAGSTER_"))}
    settings = {f"PHOENIX_{name}_PORT": str(port) for name, port in ports.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "phoenix_metrics.cli", "up"],
        env={**clean, **settings, "PHOENIX_HOME": str(home)},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, ports
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], words: str) -> str:
    """Read the command's output until a line holds the words."""
    output, deadline = "", time.monotonic() + PATIENCE_SECONDS
    assert process.stdout is not None
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        output += line
        if words in line or not line:
            break
    assert words in output, output
    return output


def wait_until_followed(home: Path) -> None:
    """Wait until the demo's Argo CD is followed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while watched_since(home, "argocd") is None:
        assert time.monotonic() < deadline, children_of(home)
        time.sleep(0.5)


def wait_until_sent(ports: dict[str, int]) -> None:
    """Break the demo's main, and wait until the receiver has taken what GitHub tells of the runs that then come."""
    wish = urllib.request.Request(f"http://127.0.0.1:{ports['DEMO']}/_control", b'{"break": true}')
    urllib.request.urlopen(wish, timeout=10).close()
    answers: dict[str, int] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while answers.get("202", 0) < 3:
        assert time.monotonic() < deadline, answers
        time.sleep(0.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['WEBHOOK']}/healthz", timeout=10) as answer:
            answers = json.load(answer)["answers"]
    assert set(answers) == {"202"}


def children_of(home: Path) -> list[str]:
    """Command lines of processes that run on this home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"PHOENIX_HOME={home}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_one_command_serves_everything_and_one_signal_ends_it(tmp_path: Path) -> None:
    """From nothing: a full snapshot, pages that answer, a second copy refused, a dead service seen, a clean end."""
    home = tmp_path / "home"
    with up(home) as (process, ports):
        output = wait_for_line(process, "Ctrl-C")
        for name, port in (
            ("dashboard", "DASHBOARD"),
            ("exporter", "EXPORTER"),
            ("dagster", "DAGSTER"),
            ("webhooks", "WEBHOOK"),
        ):
            assert re.search(rf"{name} +http://127.0.0.1:{ports[port]}", output)
        assert rows(home, "select count(*) > 1000 as is_full from marts.workflow_runs") == [{"is_full": True}]
        for url in (
            f"{ports['DASHBOARD']}/_stcore/health",
            f"{ports['EXPORTER']}/metrics",
            f"{ports['DAGSTER']}/server_info",
            f"{ports['WEBHOOK']}/healthz",
        ):
            with urllib.request.urlopen(f"http://127.0.0.1:{url}", timeout=10) as answer:
                assert answer.status == 200
        wait_until_followed(home)
        wait_until_sent(ports)
        with up(home) as (second, _):
            assert "already runs on this PHOENIX_HOME" in second.communicate(timeout=60)[0]
        subprocess.run(["pkill", "-9", "-f", f"server.port={ports['DASHBOARD']}"], check=True)
        wait_for_line(process, "dashboard ended")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert children_of(home) == []
