"""Credentials: a token, or an installation of a GitHub App, whose token lasts an hour."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import requests
from github import Auth, GithubIntegration
from github.GithubException import GithubException

from phoenix_metrics.errors import ConnectionFailedError, CredentialError, SettingsError

EARLY = timedelta(minutes=1)  # a token that is about to expire is replaced


class Credential(Protocol):
    """What authenticates: `fingerprint` names it without giving it away."""

    fingerprint: str
    name: str

    def token(self) -> str | None:
        """Return the token to send now."""

    def renew(self) -> bool:
        """Drop a token that was refused; returns whether another may be had."""

    def scope(self) -> str:
        """Return what an ETag is bound to: GitHub answers it only for the token it was given to."""


class TokenCredential:
    """A personal access token, or none."""

    name = "PHOENIX_GITHUB_TOKEN"

    def __init__(self, token: str | None) -> None:
        self._token = token
        self.fingerprint = _fingerprint(token or "anonymous")

    def token(self) -> str | None:
        """Return the token."""
        return self._token

    def renew(self) -> bool:
        """There is no other."""
        return False

    def scope(self) -> str:
        """Return the token's fingerprint."""
        return self.fingerprint


class App:
    """A GitHub App, which finds its installations and makes their tokens."""

    def __init__(self, api_url: str, app_id: int, key_file: Path) -> None:
        try:
            key = key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE={key_file}: cannot be read ({type(error).__name__}); "
                "name the App's private key, a PEM file"
            ) from None
        self.app_id = app_id
        self._integration = GithubIntegration(
            auth=Auth.AppAuth(app_id, key), base_url=api_url, seconds_between_requests=None, retry=None, per_page=100
        )

    def installations(self) -> Iterator[tuple[str, int]]:
        """Yield the login and the number of each installation. Raises a SourceError when GitHub refuses."""
        with _explained(self.app_id):
            for installation in self._integration.get_installations():
                yield installation.raw_data["account"]["login"], installation.id

    def new_token(self, installation_id: int) -> tuple[str, datetime]:
        """Return a token of an installation and when it expires."""
        with _explained(self.app_id):
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

    def renew(self) -> bool:
        """Forget the token; the next one is asked for."""
        with self._lock:
            self._current = None
        return True

    def scope(self) -> str:
        """Return a fingerprint of the token of this hour."""
        return _fingerprint(self.token())


@contextmanager
def _explained(app_id: int) -> Iterator[None]:
    """Turn what PyGithub raises while an App authenticates into one line."""
    try:
        yield
    except (GithubException, ValueError, AssertionError) as error:
        raise CredentialError(
            f"GitHub App {app_id}: GitHub refuses it ({type(error).__name__}); "
            "check PHOENIX_GITHUB_APP_ID, its private key and its installation"
        ) from None
    except requests.exceptions.RequestException:
        raise ConnectionFailedError(f"GitHub App {app_id}: GitHub cannot be reached; check the network") from None


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
