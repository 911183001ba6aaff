"""`phoenix sync` while Argo CD servers refuse or break in every way that occurs: one line each, the rest goes on."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.demo.argocd.actions import Action, Commit, Create, Sync
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import CHECKOUT, load_settings
from tests import argocd_server
from tests.argocd_server import ArgoCD, Fault
from tests.conftest import publish_landing, rows
from tests.github_server import GitHub

TOKEN = "very-secret"
OPERATIONS = "select instance, uid, started_at, status from marts.operations order by all"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
REFUSED = {"error": "no session", "code": 16, "message": "invalid session: token is expired"}
SAID = {  # of each server, by its name: what follows its name and its address
    "argocd": "Argo CD refuses the token: token expired or revoked, or another server's; check PHOENIX_ARGOCD_TOKEN",
    "expired": "Argo CD refuses the token: token expired or revoked, or another server's; "
    "check PHOENIX_ARGOCD_EXPIRED_TOKEN",
    "login": "answers version with text/html; charset=utf-8 (200), not with JSON: a login page, or the server's root "
    "path is missing from url of [argocd.login]",
    "rootless": "answers version with text/html; charset=utf-8 (200), not with JSON: a login page, or the server's "
    "root path is missing from url of [argocd.rootless]",
    "foreign": "this is not Argo CD; check url of [argocd.foreign]",
    "untrusted": "its certificate is not trusted; name its authority in ca_file of [argocd.untrusted]",
    "misnamed": "its certificate is another host's; check url of [argocd.misnamed]",
    "outdated": "its certificate has expired; have it renewed",
    "plain": "it does not speak TLS; an --insecure server is asked by http://",
    "unknown": "it cannot be reached; check the network and url of [argocd.unknown]",
    "refused": "it cannot be reached; check the network and url of [argocd.refused]",
    "cut": "the list of applications breaks off; it is read anew at the next pass",
    "garbled": "the list of applications breaks off; it is read anew at the next pass",
}
FAULTS = {
    "expired": Fault("/events", status=401, body=REFUSED, count=99),
    "login": Fault(status=200, body="<!doctype html><title>Log in</title>", kind="text/html", count=99),
    "foreign": Fault("/api/version", status=200, body={"name": "another API"}, count=99),
    "cut": Fault(r"/applications(\?|$)", is_cut=True, count=99),
    "garbled": Fault(r"/applications(\?|$)", 200, "no gzip at all", headers={"content-encoding": "gzip"}, count=99),
}
WITH_AUTHORITY = ("misnamed", "outdated")


def story() -> list[Action]:
    """An application that is synced before noon, and once more half an hour after."""
    noon = int(NOON.timestamp())
    told: list[Action] = [Create(noon - 600, "shop-production")]
    for number, at in enumerate((noon - 500, noon + 1800)):
        told += [Commit(at, "shop-production", (f"{number + 1:040x}",), {"shop": f"ghcr.io/acme/shop:1.{number}"})]
        told += [Sync(at + 10, "shop-production", by="ada")]
    return told


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """Say nothing of handshakes that fail: they are what the test is about."""


@contextmanager
def speaking_tls(file: Path, lasts: timedelta) -> Iterator[int]:
    """Serve on loopback with a certificate of two days ago that vouches for itself, kept in the file; lend the port."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "argocd")])
    made = datetime.now(UTC) - timedelta(days=2)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), made, made + lasts)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = _Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def servers() -> Iterator[dict[str, ArgoCD]]:
    """Running servers with an application each: those that will fail, and `good` for failures on our side."""
    with ExitStack() as stack:

        def start(root: str = "") -> ArgoCD:
            return stack.enter_context(argocd_server.serving(Cluster(story()), NOON, root=root, token=TOKEN))

        yield {**{name: start() for name in ("good", *FAULTS)}, "rootless": start("/argo-cd")}


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Addresses that TLS fails at, by name; the certificates are NAME.pem."""
    with ExitStack() as stack:

        def start(name: str, days: int = 9) -> int:
            return stack.enter_context(speaking_tls(tmp_path / f"{name}.pem", timedelta(days=days)))

        yield {
            "untrusted": f"https://127.0.0.1:{start('untrusted')}",
            "misnamed": f"https://localhost:{start('misnamed')}",
            "outdated": f"https://127.0.0.1:{start('outdated', days=1)}",
        }


def environ(github: GitHub, folder: Path, urls: dict[str, str]) -> dict[str, str]:
    """Configure GitHub and servers by name, the one named `argocd` by variables; return the environment."""
    lines = []
    for name, url in urls.items():
        if name != "argocd":
            lines += [f"[argocd.{name}]", f'url = "{url}"']
        if name in WITH_AUTHORITY:
            lines += [f'ca_file = "{folder}/{name}.pem"']
    (folder / "phoenix.toml").write_text("\n".join(lines))
    return {
        "PHOENIX_HOME": str(folder / "home"),
        "PHOENIX_CONFIG": str(folder / "phoenix.toml"),
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
        "PHOENIX_ARGOCD_URL": urls["argocd"],
        "PHOENIX_ARGOCD_TOKEN": TOKEN,
        **{f"PHOENIX_ARGOCD_{name.upper()}_TOKEN": TOKEN for name in urls if name != "argocd"},
    }


def phoenix(command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command on a narrow terminal, in an environment of its own."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("PHOENIX_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "phoenix_metrics.cli", command],
        env={**clean, **environ, "COLUMNS": "80"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_each_way_of_failing_is_one_line_and_everything_else_is_published(
    github: GitHub, servers: dict[str, ArgoCD], tls: dict[str, str], tmp_path: Path
) -> None:
    """The line names the server, what is wrong and what to do; what was read before stays; GitHub is read as ever."""
    well = {name: servers.get(name, servers["good"]).url for name in SAID}
    github.add_run(1, "2026-01-02T08:00:00Z")
    settings = load_settings(environ(github, tmp_path, well))
    assert [done.state for done in [*sync_argocd(settings), *sync_github(settings)]] == ["ok"] * (len(SAID) + 1)
    publish_landing(settings.home)
    before = rows(settings.home, OPERATIONS)
    assert sorted(row["instance"] for row in before) == sorted(SAID)

    github.add_run(2, "2026-01-03T08:00:00Z")
    for server in servers.values():
        server.wait(minutes=45)
    for name, fault in FAULTS.items():
        servers[name].faults.append(replace(fault))
    urls = well | tls | {
        "rootless": servers["rootless"].url.removesuffix("/argo-cd"),
        "plain": servers["good"].url.replace("http:", "https:"),
        "unknown": "http://argocd.invalid",
        "refused": "http://127.0.0.1:9",
    }  # fmt: skip
    done = phoenix("sync", environ(github, tmp_path, urls) | {"PHOENIX_ARGOCD_TOKEN": "wrong"})
    assert done.returncode == 1
    assert done.stdout == "1 runs and 1 jobs fetched, 1 applications seen, 1 with news, snapshot 2 published\n"
    expected = [f"phoenix: argocd {name}: {urls[name]}: {words}" for name, words in SAID.items()]
    assert sorted(done.stderr.splitlines()) == sorted(expected)

    assert rows(settings.home, "select count(*) as n from marts.workflow_runs") == [{"n": 2}]
    after = rows(settings.home, OPERATIONS)
    assert [row for row in after if row in before] == before
    assert [row["instance"] for row in after if row not in before] == ["expired"]  # came before the token expired
    assert {row["state"] for row in rows(settings.home, "select state from marts.applications")} == {"seen"}
    failed = rows(settings.home, "select subject from marts.data_health where source = 'argocd' and state = 'failed'")
    assert sorted(row["subject"] for row in failed) == sorted(SAID)
