"""Argo CD's REST API over httpx: reading only, and never with `refresh`, which makes a server reconcile.

Paths and meanings: argoproj/argo-cd, `assets/swagger.json`, and `server/application/application.go`.
"""

import http
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import ijson  # type: ignore[import-untyped]
from pydantic import SecretStr

from phoenix_metrics.errors import (
    AccessError,
    ConnectionFailedError,
    CredentialError,
    RepositoryError,
    SettingsError,
    SourceError,
)
from phoenix_metrics.settings.tables import ArgoCDServer

_ATTEMPTS = 4
_BACK_OFF = 0.5  # seconds; doubles with each attempt
_TIMEOUT = httpx.Timeout(30, read=120)  # a list of thousands of applications is made before its first byte is sent
_JSON = "application/json"
_STREAM = "text/event-stream"  # with keep-alives every 15 seconds, so that a dead connection is noticed
Asked = Mapping[str, str | list[str]]  # parameters of a request
_BREAKS = (httpx.TransportError, httpx.DecodingError)  # what ends a body early, or garbles it
_PASSING = (http.HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600))


def connect(
    server: ArgoCDServer,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> "ArgoCDClient":
    """Return a client of a configured server, whose errors name that server's settings."""
    return ArgoCDClient(server.url, server.token, server.ca_file, sleep, setting=server.setting, clock=clock)


def _setting(key: str) -> str:
    """Return the variable that sets a value of the one server that has no table."""
    return f"PHOENIX_ARGOCD_{key.upper()}"


@dataclass(frozen=True)
class Change:
    """What a stream tells of an application: ADDED, MODIFIED or DELETED, and the application, in part perhaps."""

    kind: str
    application: dict[str, Any]


class ArgoCDClient:
    """Reads one Argo CD server; safe to use from several threads.

    Raises SettingsError for a certificate authority or a token that cannot be used; every call raises a SourceError of
    one line that names the server when it does not answer as Argo CD does.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr | None,
        ca_file: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        setting: Callable[[str], str] = _setting,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.url = url.rstrip("/")
        self.request_count = 0
        self.clock_skew: timedelta | None = None  # how far the server's clock is ahead of ours, once it answered
        self._sleep = sleep
        self._setting = setting
        self._clock = clock
        headers = {"User-Agent": "phoenix-metrics"}
        if token is not None:
            headers["Authorization"] = f"Bearer {_sendable(token.get_secret_value(), setting('token'))}"
        self._http = httpx.Client(headers=headers, verify=trusted(ca_file, setting("ca_file")), timeout=_TIMEOUT)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def version(self) -> str:
        """Return the server's version, such as v3.2.0."""
        try:
            return str(self.get("version")["Version"])
        except (KeyError, TypeError):
            raise SourceError(f"{self.url}: this is not Argo CD; check {self._setting('url')}") from None

    def applications(
        self, *, fields: tuple[str, ...] = (), selector: str | None = None, projects: tuple[str, ...] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the applications that the token may see, one at a time, so that thousands need little memory.

        `fields` are paths below `items.` that the server's list knows; it leaves out others without a word. Where the
        answer breaks off, what was yielded is right, but what was not is not known to be gone.
        """
        asked = _told(",".join(f"items.{field}" for field in fields), selector, projects)
        with self._answer("v1/applications", asked) as answer:
            try:
                yield from ijson.items(ijson.from_iter(answer.iter_bytes()), "items.item", use_float=True)
            except (ijson.JSONError, *_BREAKS) as error:
                raise ConnectionFailedError(
                    f"{self.url}: the list of applications breaks off; it is read anew at the next pass"
                ) from error

    def application(self, name: str, namespace: str, project: str) -> dict[str, Any]:
        """Return one application. Raises RepositoryError where it is gone; without its project that would be a 403."""
        return self._of(name, "", namespace, project)

    def events(self, name: str, namespace: str, project: str) -> list[dict[str, Any]]:
        """Return the Kubernetes events of an application, which the cluster keeps for about an hour."""
        return list(self._of(name, "/events", namespace, project).get("items") or [])

    def resource_tree(self, name: str, namespace: str, project: str) -> list[dict[str, Any]]:
        """Return the nodes of an application's tree: what it made, and what that made."""
        return list(self._of(name, "/resource-tree", namespace, project).get("nodes") or [])

    def revision_metadata(self, name: str, namespace: str, project: str, revision: str, source: int) -> dict[str, Any]:
        """Return author, date and message of a commit that an application deployed; `source` counts from 0."""
        path = f"/revisions/{quote(revision, safe='')}/metadata"
        return self._of(name, path, namespace, project, sourceIndex=str(source))

    def resource(self, name: str, namespace: str, project: str, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return the live manifest of a node of an application's tree, {} where there is none; one Kubernetes call."""
        told = self._of(name, "/resource", namespace, project, **_place(node)).get("manifest")
        try:
            manifest = json.loads(told or "{}")
        except ValueError as error:
            raise SourceError(f"{self.url}: the manifest of {node.get('name')} is not JSON") from error
        return manifest if isinstance(manifest, dict) else {}

    def watch(
        self,
        *,
        fields: tuple[str, ...] = (),
        selector: str | None = None,
        projects: tuple[str, ...] = (),
        at_rest: Callable[[], None] = lambda: None,
    ) -> Iterator[Change]:
        """Yield every application as ADDED, then each change as it comes; `fields` are any paths below it.

        `at_rest` is called after each of them, and every 15 seconds while none comes; what it raises ends the stream.

        Ends only by an error: proxies cut streams, and a server that is busy drops changes without a word, so that
        whoever watches also lists from time to time.
        """
        paths = ("result.type", *(f"result.application.{field}" for field in fields)) if fields else ()
        asked = _told(",".join(paths), selector, projects)
        with self._answer("v1/stream/applications", asked, _STREAM) as answer:
            try:
                for line in answer.iter_lines():
                    if (change := self._change(line)) is not None:
                        yield change
                    else:  # the empty line that ends an event, or a keep-alive
                        at_rest()
            except _BREAKS as error:
                raise ConnectionFailedError(f"{self.url}: the stream of changes breaks off") from error
        raise ConnectionFailedError(f"{self.url}: the stream of changes ends")

    def _change(self, line: str) -> Change | None:
        """Return the change that a line of a stream tells, None where it tells none."""
        text = line.removeprefix("data:").strip()
        if not text or text.startswith(":"):
            return None
        try:
            told = json.loads(text)
            if "error" in told:
                raise ConnectionFailedError(f"{self.url}: the stream of changes ends ({told['error'].get('message')})")
            return Change(told["result"]["type"], told["result"]["application"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConnectionFailedError(f"{self.url}: the stream of changes breaks off within a line") from error

    def get(self, path: str, **parameters: str) -> Any:
        """Return one JSON answer of a path below `/api/`."""
        with self._answer(path, parameters) as answer:
            try:
                answer.read()
                return answer.json()
            except (ValueError, *_BREAKS) as error:
                raise ConnectionFailedError(f"{self.url}: its answer to {path} breaks off; run again later") from error

    def _of(self, name: str, path: str, namespace: str, project: str, /, **parameters: str) -> dict[str, Any]:
        where = {"appNamespace": namespace, "project": project, **parameters}
        asked = {key: text for key, text in where.items() if text}
        found: dict[str, Any] = self.get(f"v1/applications/{quote(name, safe='')}{path}", **asked)
        return found

    @contextmanager
    def _answer(self, path: str, parameters: Asked, accept: str = _JSON) -> Iterator[httpx.Response]:
        """Lend an answer whose status is good and whose body, still to be read, is JSON or a stream of it."""
        answer = self._sent(path, parameters, accept)
        try:
            self._refuse(answer, path)
            yield answer
        finally:
            answer.close()

    def _sent(self, path: str, parameters: Asked, accept: str) -> httpx.Response:
        """Return an answer, whatever it says; what passes is tried again."""
        address, headers = f"{self.url}/api/{path}", {"Accept": accept}
        request = self._http.build_request("GET", address, params=parameters, headers=headers)
        for attempt in range(_ATTEMPTS):
            is_last = attempt == _ATTEMPTS - 1
            self.request_count += 1
            try:
                answer = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                if is_last or _is_untrusted(error):
                    raise ConnectionFailedError(_unreachable(self.url, error, self._setting)) from None
            else:
                self._compare_clocks(answer)
                if answer.status_code not in _PASSING:
                    return answer
                answer.close()
                if is_last:
                    raise ConnectionFailedError(
                        f"{self.url}: Argo CD keeps failing ({answer.status_code}); run again later"
                    )
            self._sleep(_BACK_OFF * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _compare_clocks(self, answer: httpx.Response) -> None:
        try:
            told = parsedate_to_datetime(answer.headers["date"])
            self.clock_skew = (told if told.tzinfo else told.replace(tzinfo=UTC)) - self._clock()
        except (KeyError, ValueError):
            return

    def _refuse(self, answer: httpx.Response, path: str) -> None:
        """Raise the SourceError that an answer stands for, unless it is a good one."""
        status, kind = answer.status_code, answer.headers.get("content-type", "")
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise CredentialError(
                f"{self.url}: Argo CD refuses the token: token expired or revoked, or another server's; "
                f"check {self._setting('token')}"
            )
        if status == http.HTTPStatus.FORBIDDEN:
            raise AccessError(
                f"{self.url}: the token may not read {path}; its role needs applications, get", "applications, get"
            )
        if not kind.startswith((_JSON, _STREAM)):
            raise SourceError(
                f"{self.url}: answers {path} with {kind or 'nothing'} ({status}), not with JSON: a login page, or the "
                f"server's root path is missing from {self._setting('url')}"
            )
        if status == http.HTTPStatus.NOT_FOUND:
            raise RepositoryError(f"{self.url}: {path} does not exist or this token may not see it")
        if status != http.HTTPStatus.OK:
            raise SourceError(f"{self.url}: Argo CD answered {path} with {status} ({_message(answer)})")


def _sendable(token: str, variable: str) -> str:
    """Return a token if a header can carry it. Raises SettingsError, which does not show it."""
    if not (token.isascii() and token.isprintable()):
        raise SettingsError(f"{variable}: it holds line breaks or other characters that no token has; copy it again")
    return token


def _told(fields: str, selector: str | None, projects: tuple[str, ...]) -> Asked:
    """Return the parameters of a list or stream, those that say something; each project is one of its own."""
    asked: Asked = {"fields": fields, "selector": selector or "", "projects": list(projects)}
    return {key: value for key, value in asked.items() if value}


def _place(node: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells a node of a tree from the others."""
    place = {key: str(node.get(key) or "") for key in ("namespace", "group", "version", "kind")}
    return {**place, "resourceName": str(node["name"])}


def trusted(ca_file: Path | None, variable: str) -> ssl.SSLContext:
    """Return what TLS trusts: the system's authorities, or one of a file that a setting names."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{variable}={ca_file}: it is not a certificate that can be read ({type(error).__name__}); name a PEM file"
        ) from None


def _is_untrusted(error: httpx.TransportError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "SSL" in str(error)


def _unreachable(url: str, error: httpx.TransportError, setting: Callable[[str], str]) -> str:
    if "certificate is not valid for" in str(error):
        return f"{url}: its certificate is another host's; check {setting('url')}"
    if "certificate has expired" in str(error):
        return f"{url}: its certificate has expired; have it renewed"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{url}: its certificate is not trusted; name its authority in {setting('ca_file')}"
    if "SSL" in str(error):
        return f"{url}: it does not speak TLS; an --insecure server is asked by http://"
    reason = "it does not answer in time" if isinstance(error, httpx.TimeoutException) else "it cannot be reached"
    return f"{url}: {reason}; check the network and {setting('url')}"


def _message(answer: httpx.Response) -> str:
    """Return the reason that an answer gives, whose body is still to be read."""
    try:
        answer.read()
        return str(answer.json().get("message") or "no reason given")
    except (ValueError, AttributeError, *_BREAKS):
        return "no reason given"
