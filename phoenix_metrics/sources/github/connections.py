"""The clients that the settings allow: one for each credential, each with its own budget."""

from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.budget import Budget
from phoenix_metrics.sources.github.client import GitHubClient


class Connections:
    """Finds the client to ask about a repository or an organisation."""

    def __init__(self, settings: Settings) -> None:
        self._client = GitHubClient(
            settings.github_api_url, settings.github_token, Budget(settings.github_reserve_ratio)
        )

    def client_for(self, name: str) -> GitHubClient:  # noqa: ARG002  # one token sees everything
        """Return the client for a repository (owner/name) or an organisation."""
        return self._client
