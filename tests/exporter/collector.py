"""A collector at the wire: takes OTLP by HTTP, decodes it, and answers as it is told to."""

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)


@dataclass(frozen=True)
class Answer:
    """How a request is answered: once an event is set, with a status and headers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    held_until: threading.Event | None = None


@dataclass
class Collector:
    """What was received, and the answers to come; after these, everything is taken."""

    port: int = 0
    requests: list[ExportMetricsServiceRequest] = field(default_factory=list)  # those that were taken
    headers: list[dict[str, str]] = field(default_factory=list)  # of all, names in lower case
    paths: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """Run a collector for as long as the block runs."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            collector.paths.append(self.path)
            answer = collector.answers.pop(0) if collector.answers else Answer()
            if answer.held_until:
                answer.held_until.wait()
            if answer.status == 200:
                collector.requests.append(ExportMetricsServiceRequest.FromString(gzip.decompress(body)))
            with suppress(ConnectionError):  # a client may be tired of waiting
                self.answer(answer)

        def answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            text = ExportMetricsServiceResponse().SerializeToString()
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
