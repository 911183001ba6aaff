"""A storage beside the small GitHub: files by path, on a host of its own, which remembers whatever it is sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Stored:
    """A file, and how asking for it goes wrong the next `faults` times: with a status, or by breaking off."""

    content: bytes
    faults: int = 0
    status: int = 503
    breaks_off: bool = False


@dataclass
class Storage:
    """Files by path; `headers` holds what each request carried."""

    files: dict[str, Stored] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def sent(self, name: str) -> set[str | None]:
        """Return every value that requests carried for a header; None for a request without it."""
        return {{key.lower(): value for key, value in headers.items()}.get(name) for headers in self.headers}


@contextmanager
def serving(storage: Storage) -> Iterator[Storage]:
    """Serve it on loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            storage.requests.append(self.path)
            storage.headers.append(dict(self.headers))
            stored = storage.files.get(self.path.partition("?")[0], Stored(b"", faults=1, status=404))
            is_faulty, stored.faults = stored.faults > 0, max(stored.faults - 1, 0)
            is_error = is_faulty and not stored.breaks_off
            content = b"<Error/>" if is_error else stored.content
            self.send_response(stored.status if is_error else 200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if is_faulty and stored.breaks_off else content)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    storage.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
