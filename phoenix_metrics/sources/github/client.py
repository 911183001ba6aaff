"""GitHub's REST API and GraphQL through PyGithub's requester: its authentication and connections, no objects."""

import copy
import http
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
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
from phoenix_metrics.sources.github.credentials import Credential, TokenCredential
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.github.wire import MOVED_TO, Wire

PAGE_SIZE = 100  # GitHub's maximum; its default of 30 would triple the list requests
WRITE_POINTS = 5  # what a request that changes something counts towards the limit of a minute

_ATTEMPTS = 5
_GRAPHQL_ATTEMPTS = 2  # where the server fails: mostly a query is too much for it, and asking again will not help
_REFUSALS = 20  # refusals of a few seconds that one request sits out
_REDIRECTS = 3
_BACK_OFF = 0.25  # seconds; doubles with each attempt
_MOVED = (
    http.HTTPStatus.MOVED_PERMANENTLY,
    http.HTTPStatus.TEMPORARY_REDIRECT,
    http.HTTPStatus.PERMANENT_REDIRECT,
)
_LIMITED = ("rate limit", "abuse detection")
_NOT_HERE: dict[int, tuple[type[RepositoryError], str]] = {
    404: (RepositoryError, "does not exist or this token may not see it"),
    410: (GoneError, "is gone"),
    451: (BlockedError, "is blocked for legal reasons"),
}


@dataclass(frozen=True)
class Page:
    """One page of a list: its items, the number GitHub counts in all, and where the next page is.

    `etag` lets a later request ask whether the page is as it was; if so, `is_unchanged` and there are no items.
    """

    items: list[dict[str, Any]]
    total_count: int
    next_url: str | None
    etag: str | None = None
    is_unchanged: bool = False


@dataclass(frozen=True)
class GraphQLAnswer:
    """What GraphQL answered: data, in part perhaps, and the errors beside it."""

    data: dict[str, Any] | None
    errors: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    payload: Any


class GitHubClient:
    """Reads GitHub under the governor of its credential; safe to use from several threads, each with its own wire."""

    def __init__(
        self,
        api_url: str,
        credential: Credential | SecretStr | None,
        governor: Governor,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.governor = governor
        self._api_url = api_url
        if isinstance(credential, SecretStr) or credential is None:
            credential = TokenCredential(credential.get_secret_value() if credential else None)
        self._credential: Credential = credential
        self._sleep = sleep
        self._reserve_ratio = 0.0
        self._local = threading.local()
        self._counting = threading.Lock()
        self.request_count = 0
        self.server_time: datetime | None = None
        self.answered_at: datetime | None = None

    @property
    def etag_scope(self) -> str:
        """What its ETags are bound to: they mean nothing to GitHub under another token."""
        return self._credential.scope()

    def counted(self, reserve_ratio: float = 0.0) -> "GitHubClient":
        """Return the same client with a count of its own, and a larger reserve where what it reads can wait."""
        other = copy.copy(self)
        other.request_count, other._counting, other._reserve_ratio = 0, threading.Lock(), reserve_ratio
        return other

    def get(self, path: str, **parameters: object) -> Any:
        """Return one JSON answer. Raises a SourceError that names the path when GitHub does not give it."""
        return self._request("GET", path, parameters).payload

    def page(self, path: str, key: str | None, *, etag: str | None = None, **parameters: object) -> Page:
        """Return the first page of a list; `key` names the list in the answer, None if the answer is the list."""
        return self._page(path, key, {"per_page": PAGE_SIZE, **parameters}, etag)

    def pages_after(self, page: Page, key: str | None) -> Iterator[Page]:
        """Yield the pages that follow one, along GitHub's own links."""
        while page.next_url:
            page = self._page(page.next_url, key, {})
            yield page

    def items(self, path: str, key: str | None, **parameters: object) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        first = self._page(path, key, {"per_page": PAGE_SIZE, **parameters})
        yield from first.items
        for page in self.pages_after(first, key):
            yield from page.items

    def post(self, path: str, payload: object = None) -> Any:
        """Send something and return the JSON answer.

        It is sent again when no answer comes, though GitHub may have done it: ask only for what may be done twice.
        """
        return self._request("POST", path, {}, payload=payload, points=WRITE_POINTS).payload

    def redirect(self, path: str) -> str:
        """Return where GitHub sends whoever asks for a file; it is not ours, so our token must not go there."""
        answer = self._request("GET", path, {}, allowed=(http.HTTPStatus.FOUND,))
        if "location" not in answer.headers:
            raise SourceError(f"{self._api_url}: GitHub answered {_path(path)} with {answer.status} and no address")
        return answer.headers["location"]

    def graphql(self, query: str, variables: dict[str, Any]) -> GraphQLAnswer:
        """Ask GraphQL. Raises BudgetError at its limit, and ConnectionFailedError when a query is too much for it."""
        payload = {"query": query, "variables": variables}
        answer = self._request("POST", self._wire().graphql_url, {}, payload=payload, resource="graphql")
        return GraphQLAnswer(answer.payload.get("data"), tuple(answer.payload.get("errors") or ()))

    def _page(self, url: str, key: str | None, parameters: dict[str, object], etag: str | None = None) -> Page:
        allowed = (http.HTTPStatus.NOT_MODIFIED,) if etag else ()
        answer = self._request("GET", url, parameters, headers={"If-None-Match": etag} if etag else {}, allowed=allowed)
        if answer.status == http.HTTPStatus.NOT_MODIFIED:
            return Page([], 0, None, etag, is_unchanged=True)
        items = answer.payload[key] if key else answer.payload
        total = answer.payload.get("total_count", len(items)) if key else len(items)
        return Page(items, total, _next(answer.headers.get("link", "")), answer.headers.get("etag"))

    def _request(
        self,
        verb: str,
        url: str,
        parameters: dict[str, object],
        *,
        headers: dict[str, str] | None = None,
        payload: object = None,
        resource: str = "core",
        points: int = 1,
        allowed: tuple[int, ...] = (),
    ) -> _Answer:
        """Make a request until it is answered, along redirects, and raise a SourceError for a refusal."""
        for _ in range(_REDIRECTS):
            answer = self._answered(verb, url, parameters, headers or {}, payload, resource, points)
            if answer.status not in _MOVED:
                self._refuse(answer, url, allowed)
                return answer
            url, parameters = self._moved(url, answer, parameters)
        raise SourceError(f"{self._api_url}: {url} redirects in a circle")

    def _answered(  # noqa: PLR0917  # what a request is made of
        self,
        verb: str,
        url: str,
        parameters: dict[str, object],
        headers: dict[str, str],
        payload: object,
        resource: str,
        points: int,
    ) -> _Answer:
        """Return an answer, whatever it says; what passes is tried again, and limits are sat out while short."""
        failures, refusals, renewed = 0, 0, False
        while True:
            try:
                with self.governor.turn(resource, points, self._reserve_ratio):
                    self._count()
                    wire = self._wire()
                    status, told, text = wire.send(verb, url, dict(parameters), dict(headers), payload)
                    self.governor.learn(told, resource)
                answer = _Answer(status, told, _parsed(text, status))
            except (requests.exceptions.RequestException, json.JSONDecodeError) as error:
                failures += 1
                self._back_off(failures, url, error)
                continue
            self._take_time(told)
            if _is_limited(answer, resource):
                refusals += 1
                self.governor.refused(told, resource)
                if refusals >= _REFUSALS:
                    raise ConnectionFailedError(f"{self._api_url}: GitHub keeps refusing {_path(url)}; run again later")
            elif status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
                failures += 1
                self._back_off(failures, url, None, _GRAPHQL_ATTEMPTS if resource == "graphql" else _ATTEMPTS)
            elif status == http.HTTPStatus.UNAUTHORIZED and not renewed and self._credential.renew(wire.token):
                renewed = True
            else:
                self.governor.accepted()
                return answer

    def _back_off(self, failures: int, url: str, error: Exception | None, attempts: int = _ATTEMPTS) -> None:
        """Wait before the next attempt. Raises ConnectionFailedError after the last one."""
        refused = isinstance(error, requests.exceptions.ConnectionError) and "refused" in str(error)
        if failures >= attempts or (refused and failures > 1):
            raise ConnectionFailedError(_unreachable(self._api_url, _path(url), error)) from None
        self._sleep(_BACK_OFF * 2 ** (failures - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # spreads, not hides

    def _moved(self, url: str, answer: _Answer, parameters: dict[str, object]) -> tuple[str, dict[str, object]]:
        """Return where a request goes on: GitHub's new address, and our query unless the address has one."""
        asked = f"{self._api_url}{url}" if url.startswith("/") else url
        target = urljoin(asked, answer.headers.get(MOVED_TO, "//"))
        there, here = urlsplit(target), urlsplit(self._api_url)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise SourceError(f"{self._api_url}: {_path(url)} redirects to another host; check PHOENIX_GITHUB_API_URL")
        if there.query:
            return target, {}
        return there._replace(query=urlsplit(url).query).geturl(), parameters  # a page's own address has its query

    def _refuse(self, answer: _Answer, url: str, allowed: tuple[int, ...]) -> None:
        """Raise the SourceError that a refusal stands for."""
        status, path = answer.status, _path(url)
        if status < http.HTTPStatus.MULTIPLE_CHOICES or status in allowed:
            return
        message = _message(answer.payload)
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise CredentialError(f"{self._api_url}: GitHub refuses the token; check {self._credential.name}")
        if status == http.HTTPStatus.FORBIDDEN:
            permission = answer.headers.get("x-accepted-github-permissions")
            needs = f"it needs {permission}" if permission else "the token needs read access to it"
            raise AccessError(f"{path.lstrip('/')}: GitHub forbids it ({message}); {needs}", permission)
        if status in _NOT_HERE:
            kind, reason = _NOT_HERE[status]
            raise kind(f"{path.removeprefix('/repos/')}: {reason}")
        raise SourceError(f"{self._api_url}: GitHub answered {path} with {status} ({message})")

    def _wire(self) -> Wire:
        token = self._credential.token()
        if getattr(self._local, "wire", None) is None or self._local.wire.token != token:
            self._local.wire = Wire(self._api_url, token)
        wire: Wire = self._local.wire
        return wire

    def _count(self) -> None:
        with self._counting:
            self.request_count += 1

    def _take_time(self, headers: dict[str, str]) -> None:
        """Keep the clock of the newest answer beside our own, for whoever wants to compare them."""
        if "date" in headers:
            self.server_time, self.answered_at = parsedate_to_datetime(headers["date"]), datetime.now(UTC)


def _parsed(text: str, status: int) -> Any:
    """Return the JSON of an answer. Raises JSONDecodeError where a good answer is neither an object nor a list."""
    try:
        payload = json.loads(text) if text else None
    except json.JSONDecodeError:
        if status < http.HTTPStatus.MULTIPLE_CHOICES:
            raise
        return None
    if status == http.HTTPStatus.OK and not isinstance(payload, dict | list):
        raise json.JSONDecodeError("neither an object nor a list", text[:20], 0)
    return payload


def _is_limited(answer: _Answer, resource: str) -> bool:
    """Whether an answer is a rate limit: 429, a 403 that says so in words or headers, or GraphQL's 200 that does."""
    if answer.status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if resource == "graphql" and isinstance(answer.payload, dict):
        errors = answer.payload.get("errors") or ()
        if any(error.get("type") == "RATE_LIMITED" for error in errors):
            return True
    words = _message(answer.payload).lower()
    is_told = "retry-after" in answer.headers or any(limit in words for limit in _LIMITED)
    return answer.status == http.HTTPStatus.FORBIDDEN and is_told


def _path(url: str) -> str:
    return urlsplit(url).path


def _next(link: str) -> str | None:
    links = requests.utils.parse_header_links(link) if link else []
    return next((entry["url"] for entry in links if entry.get("rel") == "next"), None)


def _message(payload: Any) -> str:
    found = payload.get("message") if isinstance(payload, dict) else None
    return str(found) if found else "no reason given"


def _unreachable(api_url: str, path: str, error: Exception | None) -> str:
    if error is None:
        return f"{api_url}: the server keeps failing; run again later, what was fetched is kept"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | json.JSONDecodeError):
        return f"{api_url}: answers to {path} break off ({type(error).__name__}); what was fetched is kept"
    reason = "it does not answer in time" if isinstance(error, requests.exceptions.Timeout) else "it cannot be reached"
    return f"{api_url}: {reason}; check the network and PHOENIX_GITHUB_API_URL, what was fetched is kept"
