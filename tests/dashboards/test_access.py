"""Who may see the dashboard: a login through a real OpenID Connect provider, the list of those let in, and refusals."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest
from websockets.exceptions import InvalidStatus

from dashboards.access import refused
from phoenix_metrics.doctor import examine
from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import load_settings
from phoenix_metrics.settings.login import is_admitted, read_login
from tests.dashboards.conftest import APP
from tests.dashboards.identity_provider import CLIENT, SECRET, Provider, providing
from tests.dashboards.test_browser import _wait_for, browser  # noqa: F401  # a fixture

COOKIE_SECRET = "0123456789abcdef0123456789abcdef"
ADA = {"email": "ada@example.com", "email_verified": True, "name": "Ada"}
ALLOWED = "ada@example.com,@example.org"
PATIENCE = 60_000  # milliseconds; the machine may be busy


def login_file(folder: Path, port: int = 8501, provider: str = "https://id.example.com", **changes: Any) -> Path:
    """Write a file of secrets as README has it, with changes; None leaves a line out."""
    told = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": COOKIE_SECRET,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "server_metadata_url": f"{provider}/.well-known/openid-configuration",
        **changes,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items() if value is not None]
    file = folder / "login.toml"
    file.write_text("\n".join(["[auth]", *lines]), encoding="utf-8")
    return file


def open_as(visit: Callable[..., AppTest], home: Path, file: Path, monkeypatch: Any, **user: Any) -> AppTest:
    """Open the overview as somebody whom Streamlit knows, with a login that is set up."""
    for name in [name for name in os.environ if name.startswith("PHOENIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PHOENIX_HOME", str(home))
    monkeypatch.setenv("PHOENIX_DASHBOARD_LOGIN_FILE", str(file))
    monkeypatch.setenv("PHOENIX_DASHBOARD_ALLOW", ALLOWED)
    app = AppTest.from_file(str(APP), default_timeout=20)
    app.user = user
    return app.run()


def test_a_stranger_sees_one_sentence_and_a_way_out(
    visit: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is logged in and not on the list sees who they are, that they may not, a button, and nothing is asked."""
    asked: list[str] = []
    monkeypatch.setattr("dashboards.data._reader", lambda home: asked.append(str(home)))
    app = open_as(visit, home, login_file(tmp_path), monkeypatch, is_logged_in=True, email="eve@example.net")
    assert not app.exception
    assert len(app.main) == 2
    [sentence], [button] = app.text, app.button
    assert sentence.value == (
        "You are logged in as eve@example.net, who may not see this dashboard; ask whoever runs it to add your address."
    )
    assert button.label == "Log out"
    assert asked == []


def test_nobody_in_particular_is_asked_to_log_in(
    visit: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not logged in sees a button for each provider and nothing else, whether Streamlit has the login or not."""
    asked: list[str] = []
    monkeypatch.setattr("dashboards.data._reader", lambda home: asked.append(str(home)))
    for user in ({}, {"is_logged_in": False}):
        app = open_as(visit, home, login_file(tmp_path), monkeypatch, **user)
        assert [one.value for one in app.text] == ["Log in to see this dashboard."]
        assert [one.label for one in app.button] == ["Log in"]
        assert len(app.main) == 2
    assert asked == []
    app.button[0].click().run()
    assert "start this by `phoenix dashboard`" in app.error[0].value


def test_who_is_on_the_list_sees_the_dashboard(
    visit: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By address or by domain: the page is drawn as ever, with who is logged in and a way out at its foot."""
    for email in ("Ada@Example.com", "bob@example.org"):
        app = open_as(visit, home, login_file(tmp_path), monkeypatch, is_logged_in=True, email=email)
        assert len(app.metric) > 3
        assert [one.value for one in app.text] == [f"Logged in as {email}."]
        assert [one.label for one in app.button][-1] == "Log out"


def test_a_login_that_cannot_work_lets_nobody_in(
    visit: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broken file even somebody on the list sees only what is wrong with it."""
    file = login_file(tmp_path, cookie_secret="short")
    app = open_as(visit, home, file, monkeypatch, is_logged_in=True, email=ADA["email"])
    assert len(app.main) == 1
    assert "cookie_secret of [auth] is to have at least 32 letters" in app.error[0].value
    assert "short" not in app.error[0].value


def test_refusals_say_why() -> None:
    """No address, an address that is not verified, and a stranger are told apart; who is silent on it is trusted."""
    settings = load_settings({"PHOENIX_DASHBOARD_LOGIN_FILE": "login.toml", "PHOENIX_DASHBOARD_ALLOW": ALLOWED})
    assert refused(ADA, settings) is None
    assert refused({"email": "x@example.org"}, settings) is None
    assert refused({**ADA, "email_verified": "true"}, settings) is None
    for unverified in (False, "false", None, 0):
        assert "is not verified" in str(refused({**ADA, "email_verified": unverified}, settings))
    for nobody in ({}, {"email": None}, {"email": ""}, {"email": ["ada@example.com"]}):
        assert "no e-mail address" in str(refused(nobody, settings))
    assert "may not see" in str(refused({"email": "ada@example.com.evil.net"}, settings))


@given(st.text(max_size=30), st.sampled_from(["ada@example.com", "@example.org"]))
def test_only_whole_addresses_and_domains_count(text: str, entry: str) -> None:
    """What is added before or behind an address or domain on the list makes somebody else of it."""
    admitted = is_admitted(text + entry, [entry]), is_admitted(entry + text, [entry])
    is_somebody = bool(text) and not set(text.lower()) & set("@,") and not any(one.isspace() for one in text.lower())
    assert admitted[0] == (is_somebody if entry.startswith("@") else not text)
    assert admitted[1] == (not text and not entry.startswith("@"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redirect_uri": None}, "redirect_uri of [auth] is to be the dashboard's public address and /oauth2callback"),
        ({"redirect_uri": "https://phoenix.example.com"}, "redirect_uri of [auth] is to be the dashboard's public"),
        ({"redirect_uri": "http://phoenix.example.com/oauth2callback"}, "is to be https"),
        ({"cookie_secret": "x" * 31}, "cookie_secret of [auth] is to have at least 32 letters"),
        ({"client_id": None, "client_secret": ""}, "[auth] lacks client_id, client_secret"),
    ],
)
def test_a_wrong_file_is_said_in_a_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """What is missing or dangerous in the file is named with its variable, and no secret is."""
    file = login_file(tmp_path, **changes)
    with pytest.raises(SettingsError) as raised:
        read_login(file)
    line = str(raised.value)
    assert line.startswith(f"PHOENIX_DASHBOARD_LOGIN_FILE={file}: ")
    assert said in line
    assert SECRET not in line
    assert COOKIE_SECRET not in line


def test_files_that_are_none(tmp_path: Path) -> None:
    """A missing file, one that is no TOML, and one without [auth] are told apart."""
    file = tmp_path / "login.toml"
    for content, said in ((None, "cannot be read"), ("[auth", "is not valid TOML"), ("a = 1", "has no table [auth]")):
        if content is not None:
            file.write_text(content)
        with pytest.raises(SettingsError, match=said.replace("[", r"\[")):
            read_login(file)


def test_several_providers_have_their_names(tmp_path: Path) -> None:
    """Tables below [auth] are providers, each of which is to be complete."""
    file = login_file(tmp_path, client_id=None, client_secret=None, server_metadata_url=None)
    okta = '\n[auth.okta]\nclient_id = "a"\nclient_secret = "b"\nserver_metadata_url = "https://okta.example.com"\n'
    file.write_text(file.read_text() + okta)
    assert read_login(file).providers == ("okta",)
    file.write_text(file.read_text() + '[auth.google]\nclient_id = "c"\n')
    with pytest.raises(SettingsError, match=r"\[auth.google\] lacks client_secret, server_metadata_url"):
        read_login(file)


def test_half_a_login_stops_everything() -> None:
    """A login without a list would let nobody in, a list without a login everybody: both are refused at the start."""
    with pytest.raises(SettingsError, match=r"PHOENIX_DASHBOARD_ALLOW: not set"):
        load_settings({"PHOENIX_DASHBOARD_LOGIN_FILE": "login.toml"})
    with pytest.raises(SettingsError, match=r"PHOENIX_DASHBOARD_LOGIN_FILE: not set"):
        load_settings({"PHOENIX_DASHBOARD_ALLOW": "ada@example.com"})
    with pytest.raises(SettingsError, match=r"e-mail addresses and domains, comma-separated"):
        load_settings({"PHOENIX_DASHBOARD_LOGIN_FILE": "login.toml", "PHOENIX_DASHBOARD_ALLOW": "example.com"})


def test_the_doctor_says_whether_there_is_a_login(tmp_path: Path) -> None:
    """None is worth a look where others reach the services; one that cannot work is a problem; one that can is told."""
    base = {"PHOENIX_HOME": str(tmp_path / "home")}
    login = {"PHOENIX_DASHBOARD_LOGIN_FILE": str(login_file(tmp_path)), "PHOENIX_DASHBOARD_ALLOW": ALLOWED}
    assert doctors_word(base) is None
    assert doctors_word({**base, "PHOENIX_BIND": "0.0.0.0"}) == ("warning", "none, and the services listen on 0.0.0.0")
    assert doctors_word({**base, **login}) == ("ok", "2 addresses and domains may log in to the dashboard")
    (tmp_path / "login.toml").write_text("a = 1")
    assert str(doctors_word({**base, **login})).startswith("('problem', 'PHOENIX_DASHBOARD_LOGIN_FILE=")


def doctors_word(environ: dict[str, str]) -> tuple[str, str] | None:
    """Return what the doctor says of the login, if anything."""
    found = [one for one in examine(load_settings(environ)) if one.subject == "login"]
    return (found[0].state, found[0].found) if found else None


@contextmanager
def dashboard(home: Path, port: int, **environ: str) -> Iterator[str]:
    """Run `phoenix dashboard` on a home and return its address."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PHOENIX_")}
    told = {"PHOENIX_HOME": str(home), "PHOENIX_DASHBOARD_PORT": str(port), **environ}
    command = [sys.executable, "-m", "phoenix_metrics.cli", "dashboard"]
    with subprocess.Popen(
        command, env={**inherited, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Run an identity provider at which Ada is logged in."""
    with providing(dict(ADA)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(home: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the dashboard with a login at that provider and return its address."""
    port = free_port()
    file = login_file(tmp_path_factory.mktemp("login"), port, provider.url)
    environ = {"PHOENIX_DASHBOARD_LOGIN_FILE": str(file), "PHOENIX_DASHBOARD_ALLOW": ALLOWED}
    with dashboard(home, port, **environ) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:  # noqa: F811
    """Open a browser window without cookies and close it afterwards."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    yield context.new_page()
    context.close()


def log_in(page: Page, address: str, path: str = "") -> None:
    """Open the dashboard, press the button of the login, and come back from the provider."""
    page.goto(f"{address}/{path}")
    with page.expect_response(lambda answer: "/oauth2callback" in answer.url, timeout=PATIENCE):
        page.get_by_role("button", name="Log in").click(timeout=PATIENCE)


def test_ada_logs_in_stays_and_logs_out(page: Page, guarded: str, provider: Provider) -> None:
    """Through the provider and back: numbers, also after a reload, none after a logout, of which the provider hears."""
    provider.claims = dict(ADA)
    page.goto(f"{guarded}/workflow")
    expect(page.get_by_text("Log in to see this dashboard.")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_test_id("stMetricValue").count() == 0
    assert page.get_by_role("link", name="Deliveries").count() == 0
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=PATIENCE)
    page.reload()
    expect(page.get_by_text("Logged in as ada@example.com.")).to_be_visible(timeout=PATIENCE)
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["_streamlit_user"]["httpOnly"]
    assert cookies["_streamlit_user"]["sameSite"] == "Lax"
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Log in to see this dashboard.")).to_be_visible(timeout=PATIENCE)
    assert provider.logouts[-1]["client_id"] == [CLIENT]
    assert provider.refusals == []


def test_eve_logs_in_and_sees_nothing(page: Page, guarded: str, provider: Provider) -> None:
    """Somebody whom the provider knows and the list does not gets one sentence and a button, on every page."""
    provider.claims = {"email": "eve@example.net", "email_verified": True}
    refusal = page.get_by_text("You are logged in as eve@example.net, who may not see")
    log_in(page, guarded)
    expect(refusal).to_be_visible(timeout=PATIENCE)
    for path in ("", "workflow", "alerts"):
        page.goto(f"{guarded}/{path}")
        expect(refusal).to_be_visible(timeout=PATIENCE)
        assert page.get_by_test_id("stMetricValue").count() == 0
        assert page.get_by_role("link").all_inner_texts() == ["Skip to main content"]
        assert page.get_by_role("button").all_inner_texts() == ["Log out"]
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=PATIENCE)


def test_an_address_that_is_not_verified_stays_outside(page: Page, guarded: str, provider: Provider) -> None:
    """Ada's address is not enough where the provider says that nobody checked whether it is hers."""
    provider.claims = {**ADA, "email_verified": False}
    log_in(page, guarded)
    expect(page.get_by_text("is not verified by who logged you in")).to_be_visible(timeout=PATIENCE)


def test_forged_tokens_and_cookies_open_nothing(page: Page, guarded: str, provider: Provider) -> None:
    """A token that another key signed, and a cookie that was made up or is another's, leave one logged out."""
    provider.claims, provider.signing_key = dict(ADA), rsa.generate_private_key(65537, 2048)
    log_in(page, guarded)
    provider.signing_key = None
    expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=PATIENCE)
    assert "_streamlit_user" not in {cookie["name"] for cookie in page.context.cookies()}
    made_up = json.dumps({**ADA, "is_logged_in": True, "provider": "default", "origin": guarded})
    page.context.add_cookies([{"name": "_streamlit_user", "value": made_up.replace('"', "'"), "url": guarded}])
    page.goto(guarded)
    expect(page.get_by_text("Log in to see this dashboard.")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_test_id("stMetricValue").count() == 0


def test_the_dashboard_listens_on_loopback_and_guards_its_sessions(guarded: str) -> None:
    """Only loopback is bound; a page of another site opens no session, and an upload without its token is refused."""
    port = int(guarded.rpartition(":")[2])
    assert listeners(port) == {"0100007F"}
    for origin, is_let_in in ((guarded, True), ("https://evil.example.net", False)):
        assert opens_session(guarded, origin) == is_let_in
    refused_upload = httpx.put(f"{guarded}/_stcore/upload_file/session/file", files={"file": b"x"})
    assert refused_upload.status_code == 403
    assert httpx.post(f"{guarded}/_stcore/agent/interact", json={}).status_code == 403


def listeners(port: int) -> set[str]:
    """Return the local addresses that listen on a port, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            host, _, number = line.split()[1].partition(":")
            if int(number, 16) == port and line.split()[3] == "0A":
                found.add(host)
    return found


def opens_session(address: str, origin: str) -> bool:
    """Whether a websocket of the dashboard opens for a page of an origin."""
    try:
        with websockets.sync.client.connect(
            f"{address.replace('http', 'ws')}/_stcore/stream", origin=origin, subprotocols=["streamlit"], proxy=None
        ):
            return True
    except InvalidStatus:
        return False


def test_nothing_is_sent_home(home: Path) -> None:
    """Streamlit's own statistics are off, whoever starts the app and wherever."""
    script = "from streamlit.web import bootstrap; from streamlit import config; bootstrap.load_config_options({}); "
    script += f"config._main_script_path = {str(APP)!r}; config.get_config_options(force_reparse=True); "
    names = ("browser.gatherUsageStats", "server.enableXsrfProtection", "server.enableCORS", "server.address")
    script += f"print([config.get_option(name) for name in {names!r}])"
    done = subprocess.run([sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[False, True, True, '127.0.0.1']"


def test_a_wrong_login_stops_the_start(home: Path, tmp_path: Path) -> None:
    """`phoenix dashboard` says in a line what is wrong with the login, and serves nothing."""
    file = login_file(tmp_path, client_secret=None)
    environ = {
        "PHOENIX_HOME": str(home),
        "PHOENIX_DASHBOARD_LOGIN_FILE": str(file),
        "PHOENIX_DASHBOARD_ALLOW": "@e.com",
    }
    command = [sys.executable, "-m", "phoenix_metrics.cli", "dashboard"]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[auth] lacks client_secret" in done.stderr.replace("\n", " ")
