"""The transport to Argo CD: real httpx against a real server that refuses and breaks in the ways that occur."""

import gzip
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from phoenix_metrics.errors import (
    AccessError,
    ConnectionFailedError,
    CredentialError,
    RepositoryError,
    SettingsError,
    SourceError,
)
from phoenix_metrics.sources.argocd.client import ArgoCDClient

JSON = "application/json"


@dataclass
class Reply:
    """An answer word for word; where it breaks off, half of its body comes."""

    status: int = 200
    body: bytes = b"{}"
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False


@dataclass
class Server:
    """Answers the given replies in turn, the last one for ever, and keeps what was asked."""

    replies: list[Reply] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    running: list[ThreadingHTTPServer] = []

    def start(*replies: Reply, tls: ssl.SSLContext | None = None) -> Server:
        served = Server(list(replies))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                served.asked.append((self.path, {name.lower(): text for name, text in self.headers.items()}))
                reply = served.replies.pop(0) if len(served.replies) > 1 else served.replies[0]
                self.send_response(reply.status)
                headers = {"Content-Type": reply.kind, "Content-Length": str(len(reply.body)), **reply.headers}
                for name, text in headers.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) // 2] if reply.breaks_off else reply.body)
                self.close_connection = self.close_connection or reply.breaks_off

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *arguments: object) -> None:
                """A handshake that fails is what the test is about."""

        server = Quiet(("127.0.0.1", 0), Handler)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        served.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        running.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return served

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def client(server: Server, root: str = "", ca_file: Path | None = None) -> ArgoCDClient:
    return ArgoCDClient(server.url + root, SecretStr("very-secret"), ca_file, sleep=lambda seconds: None)


def listed(*names: str) -> bytes:
    return json.dumps({"metadata": {}, "items": [{"metadata": {"name": name}} for name in names]}).encode()


def drained(told: Iterator[Any]) -> tuple[list[Any], str]:
    """Return what came before an error, and its text."""
    seen: list[Any] = []
    with pytest.raises(SourceError) as caught:
        seen.extend(told)
    return seen, str(caught.value)


def names(found: Iterator[dict[str, dict[str, str]]]) -> list[str]:
    return [application["metadata"]["name"] for application in found]


def test_applications_are_listed_with_the_fields_that_were_asked_for(serve: Callable[..., Server]) -> None:
    """Below a root path, with the token, and never with a refresh."""
    server = serve(Reply(body=listed("a", "b")))
    found = client(server, "/argo-cd/").applications(fields=("metadata.name", "status.health"), selector="team=x")
    assert names(found) == ["a", "b"]
    path, headers = server.asked[0]
    assert path == "/argo-cd/api/v1/applications?fields=items.metadata.name%2Citems.status.health&selector=team%3Dx"
    assert headers["authorization"] == "Bearer very-secret"
    assert "gzip" in headers["accept-encoding"]


@pytest.mark.parametrize("body", [b'{"metadata": {}, "items": null}', b'{"metadata": {}}', listed()])
def test_no_applications_are_none(serve: Callable[..., Server], body: bytes) -> None:
    """Argo CD says null where there are none."""
    assert list(client(serve(Reply(body=body))).applications()) == []


def test_a_packed_list_is_read_as_it_comes(serve: Callable[..., Server]) -> None:
    """5,000 applications, gzip on."""
    packed = gzip.compress(listed(*(f"app-{number}" for number in range(5000))))
    server = serve(Reply(body=packed, headers={"Content-Encoding": "gzip"}))
    assert names(client(server).applications()) == [f"app-{number}" for number in range(5000)]


def test_a_list_that_breaks_off_is_an_error_after_what_came(serve: Callable[..., Server]) -> None:
    """With status 200 and a cut body, what came is right, and the rest is not taken for gone."""
    whole = listed(*(f"app-{number}" for number in range(100)))
    for reply in (Reply(body=whole, breaks_off=True), Reply(body=whole[: len(whole) // 2])):
        found, error = drained(client(serve(reply)).applications())
        assert "the list of applications breaks off" in error
        assert [application["metadata"]["name"] for application in found] == [f"app-{at}" for at in range(len(found))]


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (
            Reply(401, b'{"code": 16, "message": "no session"}'),
            CredentialError,
            "refuses the token: token expired or revoked",
        ),
        (Reply(403, b'{"code": 7, "message": "permission denied"}'), AccessError, "its role needs applications, get"),
        (Reply(404, b'{"code": 5, "message": "not found"}'), RepositoryError, "does not exist"),
        (Reply(200, b"<!doctype html>", "text/html"), SourceError, "a login page, or the server's root path"),
        (Reply(302, b"", "text/html", {"Location": "/login"}), SourceError, "a login page, or the server's root path"),
        (Reply(400, b'{"code": 3, "message": "odd"}'), SourceError, r"answered v1/.* with 400 \(odd\)"),
        (Reply(503), ConnectionFailedError, r"keeps failing \(503\)"),
        (Reply(429), ConnectionFailedError, r"keeps failing \(429\)"),
        (Reply(body=b'{"metadata": {"name": "a"}}', breaks_off=True), ConnectionFailedError, "breaks off"),
    ],
)
def test_every_refusal_is_one_clear_line(
    serve: Callable[..., Server], reply: Reply, kind: type[SourceError], words: str
) -> None:
    """The line names the server and what to look at, never the token."""
    server = serve(reply)
    with pytest.raises(kind, match=words) as caught:
        client(server).application("shop", "argocd", "default")
    assert str(caught.value).startswith(server.url)
    assert "\n" not in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_what_passes_is_tried_again(serve: Callable[..., Server]) -> None:
    """Two failures cost two requests."""
    server = serve(Reply(502), Reply(429), Reply(body=b'{"metadata": {"name": "shop"}}'))
    assert client(server).application("shop", "argocd", "default") == {"metadata": {"name": "shop"}}
    assert server.paths == ["/api/v1/applications/shop?appNamespace=argocd&project=default"] * 3


def test_what_belongs_to_an_application_is_asked_for_with_its_project(serve: Callable[..., Server]) -> None:
    """Without it an application that is gone would look forbidden; lists that are null are empty."""
    server = serve(Reply(body=b'{"items": null, "nodes": null}'))
    argocd = client(server)
    assert argocd.events("shop", "argocd", "default") == []
    assert argocd.resource_tree("shop", "argocd", "default") == []
    argocd.revision_metadata("shop", "argocd", "default", "abc", 1)
    where = "appNamespace=argocd&project=default"
    assert server.paths == [
        f"/api/v1/applications/shop/events?{where}",
        f"/api/v1/applications/shop/resource-tree?{where}",
        f"/api/v1/applications/shop/revisions/abc/metadata?{where}&sourceIndex=1",
    ]


def streamed(*lines: str) -> Reply:
    return Reply(body="".join(f"{line}\n\n" for line in lines).encode(), kind="text/event-stream")


def changed(kind: str, name: str) -> str:
    return json.dumps({"result": {"type": kind, "application": {"metadata": {"name": name}}}})


@pytest.mark.parametrize("prefix", ["data: ", ""])
def test_a_stream_tells_changes_in_either_form_until_it_ends(serve: Callable[..., Server], prefix: str) -> None:
    """Server-sent events with keep-alives, or an object a line; that it ends is an error, for it never should."""
    lines = [f"{prefix}{changed('ADDED', 'a')}", ":", f"{prefix}{changed('DELETED', 'a')}"]
    server = serve(streamed(*lines))
    seen, error = drained(client(server).watch(fields=("metadata", "status.history")))
    assert "the stream of changes ends" in error
    assert [(change.kind, change.application["metadata"]["name"]) for change in seen] == [
        ("ADDED", "a"),
        ("DELETED", "a"),
    ]
    path, headers = server.asked[0]
    assert path.endswith("?fields=result.type%2Cresult.application.metadata%2Cresult.application.status.history")
    assert headers["accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (streamed(changed("ADDED", "a"), changed("ADDED", "b")[:20]), "breaks off within a line"),
        (
            streamed(changed("ADDED", "a"), '{"error": {"grpc_code": 14, "message": "gone away"}}'),
            "ends (gone away)",
        ),
        (streamed(changed("ADDED", "a"), '"odd"'), "breaks off within a line"),
        (Reply(401, b"{}"), "refuses the token"),
        (Reply(200, b"<html>", "text/html"), "a login page"),
    ],
)
def test_a_stream_that_breaks_is_one_clear_line(serve: Callable[..., Server], reply: Reply, words: str) -> None:
    """Half a line, an error chunk, something else, a refusal: what came before it stands."""
    seen, error = drained(client(serve(reply)).watch())
    assert words in error
    assert "\n" not in error
    assert [change.application for change in seen] == [{"metadata": {"name": "a"}}][: len(seen)]
    assert len(seen) == (reply.kind == "text/event-stream")


def test_no_server_is_one_clear_line() -> None:
    """The line names the address and the setting."""
    argocd = ArgoCDClient("http://127.0.0.1:9", None, sleep=lambda seconds: None)
    with pytest.raises(ConnectionFailedError, match=r"http://127.0.0.1:9: it cannot be reached; .*PHOENIX_ARGOCD_URL"):
        argocd.version()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that vouches for itself, and a server's context with it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "argocd")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = tmp_path / "ca.pem", tmp_path / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def test_a_private_authority_is_trusted_when_it_is_named(
    serve: Callable[..., Server], authority: tuple[Path, ssl.SSLContext]
) -> None:
    """Else one line says which setting names it; a plain server asked by https says that it speaks no TLS."""
    ca_file, context = authority
    server = serve(Reply(body=b'{"Version": "v3.2.0"}'), tls=context)
    assert client(server, ca_file=ca_file).version() == "v3.2.0"
    with pytest.raises(ConnectionFailedError, match="not trusted; name its authority in PHOENIX_ARGOCD_CA_FILE"):
        client(server).version()
    plain = serve(Reply())
    plain.url = plain.url.replace("http:", "https:")
    with pytest.raises(ConnectionFailedError, match="does not speak TLS"):
        client(plain).version()


def test_a_bad_authority_is_named(tmp_path: Path) -> None:
    """The line names the setting and the file."""
    path = tmp_path / "ca.pem"
    for content in (None, b"no certificate"):
        if content:
            path.write_bytes(content)
        with pytest.raises(SettingsError, match=r"PHOENIX_ARGOCD_CA_FILE=.*ca\.pem: it is not a certificate"):
            ArgoCDClient("https://argocd.example", None, path)
