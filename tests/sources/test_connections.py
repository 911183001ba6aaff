"""Credentials and the clients made of them: a token for everything, or an App with an installation for each owner."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from phoenix_metrics.errors import BudgetError, ConnectionFailedError, CredentialError, SettingsError
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.github.connections import POINTS_PER_MINUTE, Connections
from phoenix_metrics.sources.github.credentials import TokenCredential
from tests.github_server import Answer, Fault, GitHub

APP_ID = 4711
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
INSTALLATIONS = {"Acme": 1, "globex": 2}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("app") / "app.pem"
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return path


@dataclass
class Apps:
    """GitHub's side of an App: its installations, and the tokens it made for them."""

    github: GitHub
    lifetime: timedelta = timedelta(hours=1)
    made: Counter[int] = field(default_factory=Counter)
    accounts: dict[str, int] = field(default_factory=lambda: dict(INSTALLATIONS))

    def serve(self) -> None:
        self.github.extra["/app/installations"] = lambda match, query: (
            [
                {"id": number, "app_id": APP_ID, "account": {"login": login, "id": number}}
                for login, number in self.accounts.items()
            ]
            + [{"id": 99, "app_id": APP_ID, "account": {"slug": "an-enterprise", "id": 99}}]
        )
        self.github.extra[r"/app/installations/(\d+)/access_tokens"] = lambda match, query: self.token(int(match[1]))

    def token(self, installation: int) -> Answer:
        self.made[installation] += 1
        expires_at = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        token = f"ghs_{installation}_{self.made[installation]}"
        return Answer(201, {"token": token, "expires_at": expires_at, "permissions": {"actions": "read"}})


@pytest.fixture
def apps(github: GitHub) -> Apps:
    served = Apps(github)
    served.serve()
    return served


def app_settings(github: GitHub, key_file: Path, **changes: str) -> Settings:
    environ = {
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_APP_ID": str(APP_ID),
        "PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE": str(key_file),
    }
    return load_settings({**environ, **changes})


def bearers(github: GitHub) -> list[str]:
    """Return the credentials of the requests, in order."""
    return [credential.split(" ")[-1] for credential in github.credentials]


def test_one_token_sees_everything_through_one_governor(github: GitHub) -> None:
    """Two repositories and an organisation share a client and so a budget; another token has another."""
    settings = load_settings({"PHOENIX_GITHUB_API_URL": github.url, "PHOENIX_GITHUB_TOKEN": "one"})
    connections = Connections(settings)
    client = connections.client_for("acme/shop")
    assert client is connections.client_for("globex/store") is connections.client_for("globex")
    assert connections.clients() == [client]
    other = Connections(load_settings({"PHOENIX_GITHUB_API_URL": github.url, "PHOENIX_GITHUB_TOKEN": "two"}))
    assert other.client_for("acme/shop").governor.credential != client.governor.credential


def test_each_owner_has_the_installation_of_its_own(apps: Apps, key_file: Path) -> None:
    """Whatever the case of the name; installations are listed once, and each has its own budget and token."""
    connections = Connections(app_settings(apps.github, key_file))
    acme, globex = connections.client_for("acme/shop"), connections.client_for("Globex/store")
    assert acme is connections.client_for("ACME")
    assert acme.governor is not globex.governor
    acme.get("/repos/acme/shop")
    acme.get("/repos/acme/shop")
    apps.github.extra["/repos/globex/store"] = {"id": 2}
    globex.get("/repos/globex/store")
    asked, *_ = bearers(apps.github)
    claims = jwt.decode(asked, KEY.public_key(), algorithms=["RS256"])
    assert str(claims["iss"]) == str(APP_ID)
    assert [line.partition("?")[0] for line in apps.github.requests] == [
        "/app/installations",
        "/app/installations/1/access_tokens",
        "/repos/acme/shop",
        "/repos/acme/shop",
        "/app/installations/2/access_tokens",
        "/repos/globex/store",
    ]
    assert [bearer for bearer in bearers(apps.github) if bearer.startswith("ghs")] == ["ghs_1_1", "ghs_1_1", "ghs_2_1"]


def test_a_token_is_replaced_before_it_expires(apps: Apps, key_file: Path) -> None:
    """A token with less than a minute left is not sent any more; ETags given to it are good for nothing."""
    apps.lifetime = timedelta(seconds=50)
    client = Connections(app_settings(apps.github, key_file)).client_for("acme")
    client.get("/repos/acme/shop")
    scope = client.etag_scope
    client.get("/repos/acme/shop")
    assert [bearer for bearer in bearers(apps.github) if bearer.startswith("ghs")] == ["ghs_1_1", "ghs_1_2"]
    assert client.etag_scope != scope


def test_a_refused_token_is_replaced_by_one_for_all_threads(apps: Apps, key_file: Path) -> None:
    """Eight workers whose token is revoked get one new one, not eight."""
    client = Connections(app_settings(apps.github, key_file)).client_for("acme")
    client.get("/repos/acme/shop")
    apps.github.token = "ghs_1_2"
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: client.get("/repos/acme/shop")["id"], range(16))
        assert list(answers) == [1] * 16
    assert apps.made[1] == 2


def test_an_app_is_asked_for_a_named_installation_without_listing(apps: Apps, key_file: Path) -> None:
    """PHOENIX_GITHUB_INSTALLATION_ID says which one; every owner is read with it."""
    settings = app_settings(apps.github, key_file, PHOENIX_GITHUB_INSTALLATION_ID="2")
    connections = Connections(settings)
    assert connections.client_for("acme/shop") is connections.client_for("other/thing")
    connections.client_for("acme/shop").get("/repos/acme/shop")
    assert apps.made == Counter({2: 1})
    assert apps.github.counted("/app/installations$") == 0


def test_where_an_app_is_not_installed_is_named(apps: Apps, key_file: Path) -> None:
    """The line says the owner and the App, and what to do."""
    with pytest.raises(CredentialError, match="umbrella: GitHub App 4711 is not installed there; install it"):
        Connections(app_settings(apps.github, key_file)).client_for("umbrella/x")


def test_an_app_that_github_refuses_is_one_line(apps: Apps, key_file: Path) -> None:
    """A wrong key or id names the settings; a server that fails says so; neither shows what was signed."""
    connections = Connections(app_settings(apps.github, key_file))
    apps.github.faults.append(Fault("/app/installations", status=401, body={"message": "bad JWT"}))
    with pytest.raises(CredentialError, match=r"GitHub App 4711: GitHub refuses it \(401\); check"):
        connections.client_for("acme/shop")
    apps.github.faults.append(Fault("/app/installations", status=502, count=99))
    with pytest.raises(ConnectionFailedError, match="GitHub App 4711: the server keeps failing"):
        connections.client_for("acme/shop")
    apps.github.faults.clear()
    assert connections.client_for("acme/shop").get("/repos/acme/shop")["id"] == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), (b"\xff\xfe", "cannot be read"), (b"no key", "not an RSA private key"), (b"", "RSA")],
)
def test_a_bad_key_file_is_named(github: GitHub, tmp_path: Path, content: bytes | None, words: str) -> None:
    """The line names the variable and the file, before anything is asked."""
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE=.*key.pem: .*{words}"):
        Connections(app_settings(github, path))
    assert github.requests == []


def test_a_token_and_an_app_together_are_a_mistake(github: GitHub, key_file: Path) -> None:
    """Which of them is meant cannot be known; an App without its key cannot be used."""
    with pytest.raises(SettingsError, match="PHOENIX_GITHUB_TOKEN: set it or PHOENIX_GITHUB_APP_ID, not both"):
        Connections(app_settings(github, key_file, PHOENIX_GITHUB_TOKEN="one"))
    environ = {"PHOENIX_GITHUB_API_URL": github.url, "PHOENIX_GITHUB_APP_ID": "1"}
    with pytest.raises(SettingsError, match="PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE: set it, too"):
        Connections(load_settings(environ))


@pytest.mark.parametrize("token", ["two words", "new\nline", "grüße"])
def test_what_cannot_be_a_token_is_refused_without_being_told(token: str) -> None:
    """A copied line break would be a header of its own."""
    with pytest.raises(CredentialError, match="PHOENIX_GITHUB_TOKEN: it holds characters") as caught:
        TokenCredential(token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told", "points"),
    [
        ("https://api.github.com", None, POINTS_PER_MINUTE),
        ("https://api.acme.ghe.com", None, POINTS_PER_MINUTE),
        ("https://github.acme.example/api/v3", None, None),
        ("https://github.acme.example/api/v3", "300", 300),
        ("https://api.github.com", "60", 60),
    ],
)
def test_pacing_is_for_githubs_own_hosts_or_as_told(url: str, told: str | None, points: int | None) -> None:
    """An Enterprise Server has no limits by the minute unless its people set some."""
    environ = {"PHOENIX_GITHUB_API_URL": url, **({"PHOENIX_GITHUB_POINTS_PER_MINUTE": told} if told else {})}
    governor = Connections(load_settings(environ)).client_for("acme/shop").governor
    minute = governor._minutes.get("core")
    assert (minute.limit if minute else None) == points


def test_what_is_known_of_a_budget_is_for_its_credential_alone(apps: Apps, key_file: Path) -> None:
    """One installation's limit is reached: the next process still reads the other's, and asks nothing for the first."""
    first = Connections(app_settings(apps.github, key_file))
    first.client_for("acme/shop").governor.refused({"retry-after": "600"})
    first.client_for("globex/store").governor.learn({})
    told: list[Any] = first.readings()
    assert json.dumps([reading.credential for reading in told]).isascii()
    later = Connections(app_settings(apps.github, key_file), told)
    with pytest.raises(BudgetError):
        later.client_for("acme/shop").get("/repos/acme/shop")
    apps.github.extra["/repos/globex/store"] = {"id": 2}
    assert later.client_for("globex/store").get("/repos/globex/store") == {"id": 2}
