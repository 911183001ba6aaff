"""PyGithub's connection, with redirects and unfinished answers left to us.

It would follow a redirect by its path alone and lose the query, and ask for ever where the answer is 202.
"""

import http
import logging
from urllib.parse import urlsplit

import requests
from github import Auth, Github
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester, RequestsResponse

TIMEOUT = 30  # seconds
MOVED_TO = "x-moved-to"  # what a 301's Location is called when it reaches us
API_VERSION = "2022-11-28"  # the later one drops merge_commit_sha, which lead times need

logging.getLogger(Requester.__module__).setLevel(logging.INFO)  # at DEBUG it writes out answers, an App's tokens too


class _Unfollowed(RequestsResponse):
    def __init__(self, response: requests.Response) -> None:
        super().__init__(response)
        if self.status == http.HTTPStatus.ACCEPTED and response.request.method == "GET":
            self.status = http.HTTPStatus.SERVICE_UNAVAILABLE  # PyGithub would ask again for ever

    def getheaders(self):  # type: ignore[no-untyped-def]
        """Return the headers, an API redirect's Location under another name; a file's (302) is not the API's."""
        if self.status != http.HTTPStatus.FOUND:
            return {
                MOVED_TO if name.lower() == "location" else name: text for name, text in self.headers.items()
            }.items()
        return self.headers.items()


class _Https(HTTPSRequestsConnectionClass):
    def getresponse(self) -> RequestsResponse:
        """Send the request."""
        return _Unfollowed(super().getresponse().response)


class _Http(HTTPRequestsConnectionClass):
    def getresponse(self) -> RequestsResponse:
        """Send the request."""
        return _Unfollowed(super().getresponse().response)


class Wire:
    """One requester with one connection, for one thread: PyGithub's connection keeps the request in attributes."""

    def __init__(self, api_url: str, token: str | None) -> None:
        self.token = token
        url = urlsplit(api_url)
        kind = _Https if url.scheme == "https" else _Http
        self._connection = kind(url.hostname or "", url.port, timeout=TIMEOUT, retry=0)
        self._requester: Requester = Github(
            auth=Auth.Token(token) if token else None,
            base_url=api_url,
            user_agent="phoenix-metrics",
            api_version=API_VERSION,
            retry=None,  # trying again, and pacing, is the client's
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        ).requester

    @property
    def graphql_url(self) -> str:
        """GraphQL's address, which PyGithub derives from the API's."""
        return self._requester.graphql_url

    def send(
        self, verb: str, url: str, parameters: dict[str, object], headers: dict[str, str], payload: object
    ) -> tuple[int, dict[str, str], str]:
        """Send one request and return status, headers in lower case, and body; redirects are not followed."""
        return self._requester.requestJson(verb, url, parameters, headers, payload, cnx=self._connection)
