"""The reverse proxy of deploy/proxy, in a real nginx with TLS: the dashboard, its login, and a Prometheus."""

import base64
import csv
import hashlib
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import streamlit
import websockets.sync.client
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.dashboards.alerting import episodes, write_alerts, write_messages
from tests.dashboards.conftest import PAGES, home, world  # noqa: F401  # fixtures
from tests.dashboards.identity_provider import providing
from tests.dashboards.stories import publish_story
from tests.dashboards.test_access import ADA, ALLOWED, PATIENCE, dashboard, log_in, login_file
from tests.dashboards.test_browser import CHROMIUM, Visitor, browser  # noqa: F401  # a fixture
from tests.dashboards.test_sql_browser import QUERY, cells, downloaded
from tests.deploy.running import PROMETHEUS, exporter, process, value
from tests.exporter.serving import free_ports, wait_for
from tests.report.story import NOW, story

SITE = CHECKOUT / "deploy" / "proxy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
PASSWORD = "correct horse"
HICCUP = "net::ERR_TOO_MANY_RETRIES"  # a busy machine lost connections; what a page needs is looked for by itself
FRONT = "overview"  # which has the address of the whole and no other
DRAWN = tuple(page for page in PAGES if page != "sql")  # pages that have a figure to draw here
HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: its ports, its certificate, and the ports of what is behind it."""

    port: int
    plain_port: int
    certificate: Path
    dashboard_port: int
    exporter_port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What trusts its certificate and no other."""
        return ssl.create_default_context(cafile=self.certificate)

    def get(self, path: str, **options: object) -> httpx.Response:
        """Ask it for a path."""
        return httpx.get(f"{self.url}{path}", verify=self.trust, **options)  # type: ignore[arg-type]


def certify(folder: Path) -> Path:
    """Write a certificate for loopback, which signed itself, and its key beside it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*kind))
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "fullchain.pem"


def configure(folder: Path, proxy: Proxy) -> Path:
    """Write the site with this machine's names and ports in place of those it has, and an nginx around it."""
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout
    (folder / "phoenix.htpasswd").write_text(f"prometheus:{hashed}", encoding="utf-8")
    site = SITE.read_text(encoding="utf-8")
    for theirs, ours in {
        "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
        "phoenix.example.com": "127.0.0.1",
        "/etc/ssl/phoenix": str(folder),
        "/etc/nginx": str(folder),
        "127.0.0.1:8501": f"127.0.0.1:{proxy.dashboard_port}",
        "127.0.0.1:9469": f"127.0.0.1:{proxy.exporter_port}",
    }.items():
        assert theirs in site
        site = site.replace(theirs, ours)
    (folder / "phoenix.conf").write_text(site, encoding="utf-8")
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi"))
    around = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{around} daemon off; pid {folder}/nginx.pid; events {{}} http {{ {temporary} scgi_temp_path {folder}/scgi; "
        f"access_log off; include {folder}/phoenix.conf; }}",
        encoding="utf-8",
    )
    return folder / "nginx.conf"


@contextmanager
def proxying(folder: Path) -> Iterator[Proxy]:
    """Run nginx with our site for as long as the block runs."""
    ports = free_ports(4)
    proxy = Proxy(ports[0], ports[1], certify(folder), ports[2], ports[3])
    command = [str(NGINX), "-c", str(configure(folder, proxy)), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with process(folder, *command):
        wait_for(lambda: answers(proxy))
        yield proxy


def answers(proxy: Proxy) -> bool:
    """Whether the proxy takes connections."""
    try:
        return bool(proxy.get("/nothing").status_code)
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def full_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home of which every page has something: the story of six weeks, and an alert of each kind."""
    path, found = tmp_path_factory.mktemp("full"), episodes(NOW)
    write_alerts(path, found)
    write_messages(path, NOW, found)
    publish_story(path, story())
    return path


@pytest.fixture(scope="module")
def proxy(full_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Run the proxy, and behind it the dashboard and the exporter."""
    folder = tmp_path_factory.mktemp("proxy")
    with (
        proxying(folder) as running,
        dashboard(full_home, running.dashboard_port),
        exporter(folder, full_home, running.exporter_port),
    ):
        yield running


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/workflow", 200),
        ("/metrics", 401),
        ("/_stcore/metrics", 404),
        ("/_stcore/agent/openapi.json", 404),
    ],
)
def test_every_answer_has_the_security_headers(proxy: Proxy, path: str, status: int) -> None:
    """Pages, refusals and what is closed off alike; no version of nginx is told."""
    answer = proxy.get(path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    assert answer.headers["server"] == "nginx"


def test_plain_http_leads_to_tls(proxy: Proxy) -> None:
    """Nothing is served in the clear."""
    answer = httpx.get(f"http://127.0.0.1:{proxy.plain_port}/workflow?range=7+days")
    assert answer.status_code == 301
    assert answer.headers["location"] == "https://127.0.0.1/workflow?range=7+days"


def test_the_hash_is_of_streamlits_script() -> None:
    """The one script inside the installed Streamlit's page is the one that the policy lets run."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in SITE.read_text(encoding="utf-8")


def test_metrics_need_the_password(proxy: Proxy) -> None:
    """Without it, or with another, nothing is told; with it the exporter's page is."""
    wait_for(lambda: proxy.get("/metrics", auth=("prometheus", PASSWORD)).status_code == 200)
    assert "phoenix_snapshot_timestamp_seconds" in proxy.get("/metrics", auth=("prometheus", PASSWORD)).text
    for auth in (None, ("prometheus", "wrong"), ("somebody", PASSWORD)):
        answer = proxy.get("/metrics", auth=auth)
        assert answer.status_code == 401
        assert "phoenix_" not in answer.text


@pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed")
def test_prometheus_scrapes_through_it(proxy: Proxy, tmp_path: Path) -> None:
    """The scrape configuration of README, with this certificate, has the exporter up and its figures there."""
    text = (SITE.parent / "README.md").read_text(encoding="utf-8")
    config = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    [job] = config["scrape_configs"]
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    job["basic_auth"]["password_file"] = str(tmp_path / "password")
    job |= {"tls_config": {"ca_file": str(proxy.certificate)}, "scrape_interval": "1s", "scrape_timeout": "1s"}
    job["static_configs"] = [{"targets": [f"127.0.0.1:{proxy.port}"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    [port] = free_ports(1)
    flags = [f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with process(tmp_path, str(PROMETHEUS), f"--config.file={tmp_path / 'prometheus.yml'}", *flags):
        wait_for(lambda: value(f"http://127.0.0.1:{port}", 'up{job="phoenix"}') == 1, 90)
        assert value(f"http://127.0.0.1:{port}", "count(phoenix_snapshot_timestamp_seconds)") == 1


def test_only_its_own_pages_open_a_websocket(proxy: Proxy) -> None:
    """Through the proxy, too, a page of another site opens no session."""
    for origin, is_let_in in ((proxy.url, True), ("https://evil.example.net", False)):
        try:
            with websockets.sync.client.connect(
                f"{proxy.url.replace('https', 'wss')}/_stcore/stream",
                origin=origin,
                subprotocols=["streamlit"],
                ssl=proxy.trust,
                proxy=None,
            ):
                opened = True
        except InvalidStatus as refusal:
            opened = refusal.response.status_code != 403
        assert opened == is_let_in


@pytest.fixture
def visitor(browser: Browser, proxy: Proxy) -> Iterator[Visitor]:  # noqa: F811
    """Open a browser window on the proxy and close it afterwards."""
    visitor = Visitor(browser, proxy.url)
    yield visitor
    visitor.page.context.close()


def complaints(visitor: Visitor) -> list[str]:
    """Return what the browser found wrong, connections aside that a busy machine lost."""
    return [one for one in visitor.complaints if HICCUP not in one]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("name", PAGES)
def test_pages_draw_under_the_policy(visitor: Visitor, name: str) -> None:
    """Charts, tables and the websocket work through TLS, and the browser finds nothing against the policy."""
    page = visitor.page
    page.goto(visitor.server if name == FRONT else f"{visitor.server}/{name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE)
    if name in DRAWN:
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=PATIENCE)
    assert complaints(visitor) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_sql_is_asked_and_downloaded_under_the_policy(visitor: Visitor, full_home: Path, tmp_path: Path) -> None:
    """A query that is written on the page is answered through the proxy, and its CSV holds the snapshot's rows."""
    page = visitor.page
    page.goto(f"{visitor.server}/sql?query=select+1+as+first_answer")
    expect(page.get_by_text("1 row, 1 column", exact=False)).to_be_visible(timeout=PATIENCE)
    editor = page.get_by_role("textbox", name="Query")
    editor.fill(QUERY)
    editor.press("Control+Enter")
    columns = page.locator("[role=grid] [role=columnheader]")
    expect(columns).to_have_text(["outcome", "runs", "mean_seconds", "nothing"], timeout=PATIENCE)
    truth = SnapshotReader(full_home).query(QUERY)
    rows = [["" if value is None else str(value) for value in row.values()] for row in truth.to_pylist()]
    assert cells(page) == [truth.column_names, *rows]
    with downloaded(page, "CSV", tmp_path).open(newline="") as file:
        assert list(csv.reader(file)) == [truth.column_names, *rows]
    assert complaints(visitor) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_people_log_in_through_it(browser: Browser, home: Path, tmp_path: Path) -> None:  # noqa: F811
    """The whole way to the identity provider and back works by the proxy's address."""
    with providing(dict(ADA)) as provider, proxying(tmp_path) as running:
        file = login_file(tmp_path, provider=provider.url, redirect_uri=f"{running.url}/oauth2callback")
        environ = {"PHOENIX_DASHBOARD_LOGIN_FILE": str(file), "PHOENIX_DASHBOARD_ALLOW": ALLOWED}
        with dashboard(home, running.dashboard_port, **environ):
            context = browser.new_context(ignore_https_errors=True)
            page = context.new_page()
            log_in(page, running.url)
            expect(page.get_by_text("Logged in as ada@example.com.")).to_be_visible(timeout=PATIENCE)
            context.close()
