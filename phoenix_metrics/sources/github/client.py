"""GitHub's REST API through PyGithub's requester: its authentication, pooled connections and retries, no objects."""

import http
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from github import Auth, Github, GithubRetry
from github.GithubException import GithubException, RateLimitExceededExceedsMaxWait, RateLimitExceededException
from github.Requester import Requester
from pydantic import SecretStr

from phoenix_metrics.errors import (
    AccessError,
    BlockedError,
    ConnectionFailedError,
    CredentialError,
    GoneError,
    RepositoryError,
    SourceError,
)
from phoenix_metrics.sources.github.budget import Budget

PAGE_SIZE = 100  # GitHub's maximum; its default of 30 would triple the list requests

_ATTEMPTS = 3  # for answers that break off; refused connections and 5xx are retried below this, by PyGithub
_NOT_HERE: dict[int, tuple[type[RepositoryError], str]] = {
    404: (RepositoryError, "does not exist or this token may not see it"),
    410: (GoneError, "is gone"),
    451: (BlockedError, "is blocked for legal reasons"),
}


@dataclass(frozen=True)
class Page:
    """One page of a list: its items, the number GitHub counts in all, and where the next page is."""

    items: list[dict[str, Any]]
    total_count: int
    next_url: str | None


class GitHubClient:
    """Reads GitHub's REST API under one shared budget; safe to use from several threads.

    Each thread has a requester of its own, because PyGithub's connection keeps the request in attributes between
    sending it and reading the answer, so that threads sharing one would read each other's answers.
    """

    def __init__(self, api_url: str, token: SecretStr | None, budget: Budget) -> None:
        self.budget = budget
        self._api_url = api_url
        self._token = token
        self._local = threading.local()
        self.server_time: datetime | None = None
        self.answered_at: datetime | None = None

    def get(self, path: str, **parameters: object) -> Any:
        """Return one JSON answer. Raises a SourceError that names the path when GitHub does not give it."""
        return self._get(path, parameters)[0]

    def page(self, path: str, key: str | None, **parameters: object) -> Page:
        """Return the first page of a list; `key` names the list in the answer, None if the answer is the list."""
        return self._page(path, key, {"per_page": PAGE_SIZE, **parameters})

    def pages_after(self, page: Page, key: str | None) -> Iterator[Page]:
        """Yield the pages that follow one, along GitHub's own links."""
        while page.next_url:
            page = self._page(page.next_url, key, {})
            yield page

    def items(self, path: str, key: str | None, **parameters: object) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        first = self.page(path, key, **parameters)
        yield from first.items
        for page in self.pages_after(first, key):
            yield from page.items

    def _page(self, url: str, key: str | None, parameters: dict[str, object]) -> Page:
        payload, headers = self._get(url, parameters)
        items = payload[key] if key else payload
        total = payload.get("total_count", len(items)) if key else len(items)
        return Page(items, total, _next(headers.get("link", "")))

    def _get(self, url: str, parameters: dict[str, object]) -> tuple[Any, dict[str, str]]:
        for attempt in range(1, _ATTEMPTS + 1):
            self.budget.spend()
            try:
                status, headers, text = self._requester().requestJson("GET", url, dict(parameters), {})
                self.budget.learn(headers)
                self._take_time(headers)
                self._refuse(status, url, text)
                return json.loads(text), headers
            except (requests.exceptions.ChunkedEncodingError, json.JSONDecodeError) as error:
                if attempt == _ATTEMPTS:
                    raise ConnectionFailedError(
                        f"{self._api_url}: answers to {url} break off ({type(error).__name__})"
                    ) from None
            except (RateLimitExceededException, RateLimitExceededExceedsMaxWait) as error:
                self.budget.learn(error.headers or {})
                raise self.budget.spent() from None
            except GithubException as error:
                self._refuse(error.status, url, json.dumps(error.data))
                raise SourceError(f"{self._api_url}: GitHub answered {url} with {error.status}") from None
            except requests.exceptions.RequestException as error:
                raise ConnectionFailedError(_unreachable(self._api_url, error)) from None
        raise AssertionError("unreachable")

    def _take_time(self, headers: dict[str, str]) -> None:
        """Keep the clock of the newest answer beside our own, for whoever wants to compare them."""
        if "date" in headers:
            self.server_time, self.answered_at = parsedate_to_datetime(headers["date"]), datetime.now(UTC)

    def _refuse(self, status: int, url: str, text: str) -> None:
        path = url.partition("?")[0]
        if status == http.HTTPStatus.OK:
            return
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise CredentialError(f"{self._api_url}: GitHub refuses the token; check PHOENIX_GITHUB_TOKEN")
        if status == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise self.budget.spent()
        if status == http.HTTPStatus.FORBIDDEN:
            raise AccessError(
                f"{path.lstrip('/')}: GitHub forbids it ({_message(text)}); the token needs read access to Actions"
            )
        if status in _NOT_HERE:
            kind, reason = _NOT_HERE[status]
            raise kind(f"{path.removeprefix('/repos/')}: {reason}")
        raise SourceError(f"{self._api_url}: GitHub answered {path} with {status} ({_message(text)})")

    def _requester(self) -> Requester:
        if not hasattr(self._local, "requester"):
            self._local.requester = Github(
                auth=Auth.Token(self._token.get_secret_value()) if self._token else None,
                base_url=self._api_url,
                user_agent="phoenix-metrics",
                retry=GithubRetry(total=4, backoff_factor=0.5, max_rate_limit_wait=30),
                seconds_between_requests=None,  # the budget paces all threads together
                seconds_between_writes=None,
                lazy=True,
            ).requester
        requester: Requester = self._local.requester
        return requester


def _next(link: str) -> str | None:
    links = requests.utils.parse_header_links(link) if link else []
    return next((entry["url"] for entry in links if entry.get("rel") == "next"), None)


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _unreachable(api_url: str, error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.RetryError):
        return f"{api_url}: the server keeps failing; run again later, what was fetched is kept"
    reason = "it does not answer in time" if isinstance(error, requests.exceptions.Timeout) else "it cannot be reached"
    return f"{api_url}: {reason}; check the network and PHOENIX_GITHUB_API_URL, what was fetched is kept"
