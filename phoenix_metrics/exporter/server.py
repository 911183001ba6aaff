"""The exporter's HTTP server."""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.exporter.page import Page
from phoenix_metrics.settings import Settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader

if TYPE_CHECKING:
    from phoenix_metrics.exporter.push import Pusher

REFRESH_SECONDS = 1  # between two looks at a small file
STOP_SECONDS = 0.1  # between two looks whether to stop
CLIENT_SECONDS = 5  # a client that sends or takes nothing for so long loses its thread
PLAIN = "text/plain; charset=utf-8"

log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve `/metrics`, `/healthz` and `/readyz` until SIGTERM or SIGINT.

    Raises PhoenixError when the address cannot be listened on, or a collector is set and the extra for it is missing.
    """
    told: SimpleQueue[int] = SimpleQueue()  # an Event's lock may be held where the signal comes
    previous = {
        number: signal.signal(number, lambda got, _: told.put(got)) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with running(settings):
            _wait(told)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Answer requests for as long as the block runs, and let those under way end."""
    reader = SnapshotReader(settings.home)
    page = Page(
        reader,
        limit=settings.exporter_limit,
        otel_names=settings.otel_names,
        is_pushed=settings.otlp_endpoint is not None,
    )
    pusher = _pusher(settings, page)
    server = _listen(settings, page)
    stopped = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever, args=(STOP_SECONDS,), name="exporter"),
        threading.Thread(target=keep_fresh, args=(page, stopped), name="snapshots"),
    ]
    if pusher:
        threading.Thread(target=pusher.run, args=(stopped,), name="pushes", daemon=True).start()  # nobody waits for it
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if pusher:
            pusher.close()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
        reader.close()


def keep_fresh(page: Page, stopped: threading.Event) -> None:
    """Look for new snapshots until stopped, so that no scrape waits while one is read."""
    while not stopped.wait(REFRESH_SECONDS):
        page.refresh()


class Server(ThreadingHTTPServer):
    """Gives the page to each of its requests; closing it waits for them, as DuckDB wants no reader cut off."""

    daemon_threads = False
    request_queue_size = 128  # of the usual 5, a burst of scrapers fills the queue, and those turned away wait a second

    def __init__(self, address: tuple[str, int], page: Page) -> None:
        self.page = page
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a client that went away or fell asleep."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request; whatever is not served is 404."""

    server: Server
    server_version = "phoenix-metrics"
    sys_version = ""
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        """Answer GET."""
        answers: dict[str, Callable[[], tuple[HTTPStatus, bytes, str]]] = {
            "/metrics": self._metrics,
            "/healthz": lambda: (HTTPStatus.OK, b"alive\n", PLAIN),
            "/readyz": self._readiness,
        }
        answer = answers.get(urlsplit(self.path).path, lambda: (HTTPStatus.NOT_FOUND, b"not found\n", PLAIN))
        self._send(*answer())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name http.server gives it
        """Keep scrapes out of the log."""
        log.debug(format, *args)

    def _metrics(self) -> tuple[HTTPStatus, bytes, str]:
        body, content_type = self.server.page.prepared(self.headers.get("Accept", ""))
        return HTTPStatus.OK, body, content_type

    def _readiness(self) -> tuple[HTTPStatus, bytes, str]:
        if self.server.page.is_ready():
            return HTTPStatus.OK, b"ready\n", PLAIN
        return HTTPStatus.SERVICE_UNAVAILABLE, b"no snapshot to serve yet\n", PLAIN

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _wait(told: SimpleQueue[int]) -> None:
    """Wait for a signal; one that the system gave to another thread is seen when the wait ends."""
    while True:
        with suppress(Empty):
            told.get(timeout=STOP_SECONDS)
            return


def _pusher(settings: Settings, page: Page) -> "Pusher | None":
    if settings.otlp_endpoint is None:
        return None
    try:
        from phoenix_metrics.exporter.push import Pusher  # noqa: PLC0415  # needs the extra otlp
    except ModuleNotFoundError as error:
        raise PhoenixError(
            f"PHOENIX_OTLP_ENDPOINT is set, but {error.name} is not installed; install the extra otlp "
            "(pip install 'phoenix-metrics[otlp]', in a checkout pip install -e '.[otlp]') or unset it"
        ) from error
    return Pusher(page, settings.otlp_endpoint, settings.otlp_header_values)


def _listen(settings: Settings, page: Page) -> Server:
    try:
        return Server((settings.bind, settings.exporter_port), page)
    except OSError as error:
        raise PhoenixError(
            f"{settings.bind}:{settings.exporter_port}: the exporter cannot listen there ({error.strerror}); "
            "stop what uses it, or set PHOENIX_EXPORTER_PORT or PHOENIX_BIND"
        ) from error
