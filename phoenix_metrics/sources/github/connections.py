"""The clients that the settings allow: one for each credential, each under a governor of its own."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from phoenix_metrics.errors import CredentialError, SettingsError
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.credentials import App, Credential, InstallationCredential, TokenCredential
from phoenix_metrics.sources.github.governor import Governor, Reading

POINTS_PER_MINUTE = 900  # GitHub's limit for REST; an Enterprise Server has none by default
_GITHUB = (".ghe.com", "api.github.com")


class Connections:
    """Finds the client to ask about a repository or an organisation.

    With a GitHub App each owner has its own installation, and so its own client; else one token sees everything.
    `readings` are what was known of the budgets before. Raises SettingsError where the App's settings do not fit.
    """

    def __init__(
        self,
        settings: Settings,
        readings: Sequence[Reading] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._readings = readings
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: dict[str, GitHubClient] = {}
        self._app = _app(settings)
        self._installations: dict[str, int] | None = None

    def client_for(self, name: str) -> GitHubClient:
        """Return the client for a repository (owner/name) or an organisation.

        Raises CredentialError when the App is not installed for that owner, and a SourceError when GitHub refuses.
        """
        with self._lock:
            credential = self._credential(name.partition("/")[0])
            if credential.fingerprint not in self._clients:
                self._clients[credential.fingerprint] = self._client(credential)
            return self._clients[credential.fingerprint]

    def clients(self) -> list[GitHubClient]:
        """Return the clients that were used."""
        with self._lock:
            return list(self._clients.values())

    def readings(self) -> list[Reading]:
        """Return what is known of every budget that was used."""
        with self._lock:
            return [reading for client in self._clients.values() for reading in client.governor.readings()]

    def _credential(self, owner: str) -> Credential:
        if self._app is None:
            token = self._settings.github_token
            return TokenCredential(token.get_secret_value() if token else None)
        return InstallationCredential(self._app, self._installation(self._app, owner))

    def _installation(self, app: App, owner: str) -> int:
        if self._settings.github_installation_id is not None:
            return self._settings.github_installation_id
        if self._installations is None:
            self._installations = app.installations()
        if owner.lower() not in self._installations:
            raise CredentialError(
                f"{owner}: GitHub App {app.app_id} is not installed there; install it, or leave it out"
            )
        return self._installations[owner.lower()]

    def _client(self, credential: Credential) -> GitHubClient:
        settings = self._settings
        host = urlsplit(settings.github_api_url).hostname or ""
        points = settings.github_points_per_minute
        governor = Governor(
            settings.github_reserve_ratio,
            credential=credential.fingerprint,
            points_per_minute=POINTS_PER_MINUTE if points is None and host.endswith(_GITHUB) else points,
            readings=[reading for reading in self._readings if reading.credential == credential.fingerprint],
            clock=self._clock,
        )
        return GitHubClient(settings.github_api_url, credential, governor)


def _app(settings: Settings) -> App | None:
    if settings.github_app_id is None:
        return None
    if settings.github_token is not None:
        raise SettingsError("PHOENIX_GITHUB_TOKEN: set it or PHOENIX_GITHUB_APP_ID, not both")
    if settings.github_app_private_key_file is None:
        raise SettingsError("PHOENIX_GITHUB_APP_PRIVATE_KEY_FILE: set it, too; the App needs its private key")
    return App(settings.github_api_url, settings.github_app_id, settings.github_app_private_key_file)
