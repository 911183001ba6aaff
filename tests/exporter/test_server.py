"""The exporter's HTTP server."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.exporter.page import Page
from phoenix_metrics.exporter.server import keep_fresh, running
from phoenix_metrics.settings import Settings, load_settings
from tests.exporter.landed import Attempt, ago, publish
from tests.exporter.serving import SERVE, free_ports, wait_for


def settings_of(home: Path, **changes: str) -> Settings:
    """Return settings for an exporter over a home."""
    return load_settings({"PHOENIX_HOME": str(home), "PHOENIX_EXPORTER_PORT": str(free_ports(1)[0]), **changes})


def get(settings: Settings, path: str, host: str = "127.0.0.1", **headers: str) -> tuple[int, str, str]:
    """Return status, content type and text of an answer."""
    request = urllib.request.Request(f"http://{host}:{settings.exporter_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_metrics_and_health_before_and_after_the_first_publication(home: Path) -> None:
    """The process is alive at once and ready when a snapshot is served; /metrics answers all the time."""
    settings = settings_of(home)
    with running(settings):
        assert get(settings, "/healthz")[0] == 200
        assert get(settings, "/readyz")[0] == 503
        assert get(settings, "/metrics")[2].endswith("phoenix_snapshot_readable 0.0\n")
        publish(home, [Attempt(1, ago(minutes=10))])
        wait_for(lambda: get(settings, "/readyz")[0] == 200)
        wait_for(lambda: "workflow_run_total" in get(settings, "/metrics")[2])
        status, content_type, page = get(settings, "/metrics?query=is+ignored")
        assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert 'github_actions_workflow_run_total{conclusion="success",repository="acme/shop"' in page


def test_other_paths_are_not_found(home: Path) -> None:
    """Nothing but the three paths answers, not even with metrics."""
    settings = settings_of(home)
    with running(settings):
        for path in ("/", "/metric", "/metrics/", "/favicon.ico"):
            assert get(settings, path)[0] == 404


def test_many_at_once_get_whole_pages_while_snapshots_change(home: Path) -> None:
    """Eight clients scrape while snapshots are published; each page is whole and counts what some snapshot held."""
    publish(home, [Attempt(1, ago(minutes=20))])
    settings = settings_of(home)
    pages: list[tuple[int, str, str]] = []
    with running(settings):
        stop = threading.Event()

        def scrape() -> None:
            while not stop.is_set():
                pages.append(get(settings, "/metrics"))

        clients = [threading.Thread(target=scrape) for _ in range(8)]
        for client in clients:
            client.start()
        for run_id in (2, 3):
            publish(home, [Attempt(run_id, ago(minutes=10))])
        stop.set()
        for client in clients:
            client.join()
    assert {status for status, _, _ in pages} == {200}
    assert {page.count("github_actions_job_queue_seconds_count") for _, _, page in pages} == {1}


def test_a_new_snapshot_is_read_before_anyone_asks(
    tmp_path: Path, page_of: Callable[..., Page], caplog: pytest.LogCaptureFixture
) -> None:
    """Between the scrapes the exporter looks for snapshots itself, as one that is damaged shows in the log."""
    stopped = threading.Event()
    watch = threading.Thread(target=keep_fresh, args=(page_of(tmp_path), stopped))
    watch.start()
    try:
        wait_for(lambda: "phoenix sync" in caplog.text)
        (tmp_path / "snapshots").mkdir()
        (tmp_path / "snapshots" / "00000001.duckdb").write_bytes(b"damaged")
        (tmp_path / "snapshots" / "CURRENT").write_text("00000001.duckdb")
        wait_for(lambda: "00000001.duckdb" in caplog.text)
    finally:
        stopped.set()
        watch.join()


def test_a_port_in_use_is_one_clear_line(home: Path) -> None:
    """The error names the address and the settings that change it."""
    settings = settings_of(home)
    with (
        running(settings),
        pytest.raises(PhoenixError, match=rf"127\.0\.0\.1:{settings.exporter_port}: .*PHOENIX_EXPORTER_PORT"),
        running(settings),
    ):
        pass


def test_an_address_of_another_machine_is_one_clear_line(home: Path) -> None:
    """So is an address that is not ours."""
    with pytest.raises(PhoenixError, match="PHOENIX_BIND"), running(settings_of(home, PHOENIX_BIND="192.0.2.1")):
        pass


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_it_listens_on_ipv6(home: Path) -> None:
    """An address with colons is one of IPv6."""
    settings = settings_of(home, PHOENIX_BIND="::1")
    with running(settings):
        assert get(settings, "/healthz", host="[::1]")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly(home: Path, number: signal.Signals) -> None:
    """`serve` blocks until it is told to stop, then returns; a client that goes away leaves no trace in the log."""
    settings = settings_of(home)
    publish(home)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env={**os.environ, "PHOENIX_HOME": str(home), "PHOENIX_EXPORTER_PORT": str(settings.exporter_port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(lambda: answers(settings))
        with socket.create_connection(("127.0.0.1", settings.exporter_port)) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        process.send_signal(number)
        output, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, output) == (0, b"")


def answers(settings: Settings) -> bool:
    """Whether the exporter answers."""
    try:
        return get(settings, "/healthz")[0] == 200
    except (urllib.error.URLError, ConnectionError):
        return False
