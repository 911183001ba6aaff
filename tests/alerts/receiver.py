"""A receiver of alerts on real HTTP, with outages on demand: statuses, silence, a port where nobody listens."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What it answers from now on, and every message it took (with a 2xx), or was sent."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    sleeps: float = 0.0
    hides: bool = False  # takes what it is sent, and does not answer
    asked: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    taken: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    port: int = 0
    path: str = "/services/T0/B0/s3cret-token"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def lines(self) -> list[str]:
        """Return the first line of each message it took."""
        return [body["text"] if "text" in body else body["commonAnnotations"]["summary"] for _, body in self.taken]


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Serve a receiver on loopback while the block runs, a given one on the port that it has."""
    receiver = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard = (dict(self.headers), body)
            receiver.asked.append(heard)
            status, hides = receiver.status, receiver.hides  # as it is when it is asked, however long it sleeps
            if receiver.sleeps:
                threading.Event().wait(receiver.sleeps)
            if 200 <= status < 300:
                receiver.taken.append(heard)
            if hides:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**receiver.headers, "Content-Length": str(len(receiver.body))}.items():
                self.send_header(name, value)
            with suppress(BrokenPipeError):  # who asked may have gone
                self.end_headers()
                self.wfile.write(receiver.body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
