"""Credentials: a token, or an installation of a GitHub App, whose token lasts an hour."""

import hashlib
import http
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import jwt
import requests
import urllib3
from github import Auth, GithubIntegration
from github.GithubException import GithubException

from phoenix_metrics.errors import ConnectionFailedError, CredentialError, SettingsError

EARLY = timedelta(minutes=1)  # a token that is about to expire is replaced
AGAIN = urllib3.Retry(  # any verb: a token that was made and never arrived does no harm
    3, backoff_factor=0.25, status_forcelist=(500, 502, 503, 504), allowed_methods=None, raise_on_status=False,
    respect_retry_after_header=False,
)  # fmt: skip


class Credential(Protocol):
    """What authenticates: `fingerprint` names it without giving it away."""

    fingerprint: str
    name: str

    def token(self) -> str | None:
        """Return the token to send now."""

    def renew(self, refused: str | None) -> bool:
        """Drop a token that was refused; returns whether another may be had."""

    def scope(self) -> str:
        """Return what an ETag is bound to: GitHub answers it only for the token it was given to."""


class TokenCredential:
    """A personal access token, or none. Raises CredentialError for what cannot be sent as one."""

    name = "PHOENIX_GITHUB_TOKEN"

    def __init__(self, token: str | None) -> None:
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise CredentialError(f"{self.name}: it holds characters that no token has; copy it again")
        self._token = token
        self.fingerprint = _fingerprint(token or "anonymous")

    def token(self) -> str | None:
        """Return the token."""
        return self._token

    def renew(self, refused: str | None) -> bool:  # noqa: ARG002  # as the protocol has it
        """There is no other."""
        return False

    def scope(self) -> str:
        """Return the token's fingerprint."""
        return self.fingerprint


class App:
    """A GitHub App, which finds its installations and makes their tokens; safe to use from several threads."""

    def __init__(self, api_url: str, app_id: int, key_file: Path) -> None:
        try:
            key = key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE={key_file}: cannot be read ({type(error).__name__}); "
                "name the App's private key, a PEM file"
            ) from None
        self.app_id = app_id
        self._lock = threading.Lock()  # PyGithub's connection keeps the request in attributes
        self._integration = GithubIntegration(
            auth=_signer(app_id, key, key_file),
            base_url=api_url,
            user_agent="phoenix-metrics",
            seconds_between_requests=None,
            seconds_between_writes=None,
            retry=AGAIN,
            per_page=100,
        )

    def installations(self) -> dict[str, int]:
        """Return the number of each installation, by its login in lower case. Raises a SourceError."""
        with self._lock, _explained(self.app_id):
            listed = [installation.raw_data for installation in self._integration.get_installations()]
        accounts = {one["id"]: one.get("account") or {} for one in listed}  # an enterprise has no login
        return {account["login"].lower(): number for number, account in accounts.items() if "login" in account}

    def new_token(self, installation_id: int) -> tuple[str, datetime]:
        """Return a token of an installation and when it expires. Raises a SourceError."""
        with self._lock, _explained(self.app_id):
            found = self._integration.get_access_token(installation_id)
        return found.token, found.expires_at.astimezone(UTC)


class InstallationCredential:
    """One installation of an App; its token is replaced before it expires."""

    name = "PHOENIX_GITHUB_APP_ID"

    def __init__(self, app: App, installation_id: int) -> None:
        self._app = app
        self._installation_id = installation_id
        self._lock = threading.Lock()
        self._current: tuple[str, datetime] | None = None
        self.fingerprint = _fingerprint(f"app {app.app_id} installation {installation_id}")

    def token(self) -> str:
        """Return a token that holds for a while yet."""
        with self._lock:
            if self._current is None or self._current[1] - EARLY < datetime.now(UTC):
                self._current = self._app.new_token(self._installation_id)
            return self._current[0]

    def renew(self, refused: str | None) -> bool:
        """Forget the token, unless another thread has had a new one made; the next one is asked for."""
        with self._lock:
            if self._current is not None and self._current[0] == refused:
                self._current = None
        return True

    def scope(self) -> str:
        """Return a fingerprint of the token of this hour; without one no ETag is good, an earlier token's is not."""
        current = self._current
        return _fingerprint(current[0] if current else "no token")


@contextmanager
def _explained(app_id: int) -> Iterator[None]:
    """Turn what PyGithub raises while an App authenticates into one line."""
    try:
        yield
    except GithubException as error:
        if error.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ConnectionFailedError(f"GitHub App {app_id}: the server keeps failing; run again later") from None
        raise CredentialError(
            f"GitHub App {app_id}: GitHub refuses it ({error.status}); "
            "check PHOENIX_GITHUB_APP_ID, its private key and its installation"
        ) from None
    except requests.exceptions.RequestException:
        raise ConnectionFailedError(f"GitHub App {app_id}: GitHub cannot be reached; check the network") from None


def _signer(app_id: int, key: str, key_file: Path) -> Auth.AppAuth:
    """Return what signs as the App, tried once. Raises SettingsError where the key is none."""
    try:
        signer = Auth.AppAuth(app_id, key)
        signer.create_jwt()
    except (jwt.exceptions.PyJWTError, AssertionError, ValueError, TypeError):
        raise SettingsError(
            f"PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE={key_file}: it is not an RSA private key; "
            "name the PEM file that GitHub gave for the App"
        ) from None
    return signer


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
