"""Argo CD's REST API over httpx: reading only, and never with `refresh`, which makes a server reconcile.

Paths and meanings: argoproj/argo-cd, `assets/swagger.json`, and `server/application/application.go`.
"""

import http
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

_ATTEMPTS = 4
_BACK_OFF = 0.5  # seconds; doubles with each attempt
_TIMEOUT = httpx.Timeout(30, read=120)  # a list of thousands of applications is made before its first byte is sent
_JSON = "application/json"
_STREAM = "text/event-stream"  # with keep-alives every 15 seconds, so that a dead connection is noticed
_PASSING = (http.HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600))


@dataclass(frozen=True)
class Change:
    """What a stream tells of an application: ADDED, MODIFIED or DELETED, and the application, in part perhaps."""

    kind: str
    application: dict[str, Any]


class ArgoCDClient:
    """Reads one Argo CD server; safe to use from several threads.

    Raises SettingsError for a certificate authority that cannot be read; every call raises a SourceError of one line
    that names the server when it does not answer as Argo CD does.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr | None,
        ca_file: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._sleep = sleep
        headers = {"User-Agent": "phoenix-metrics"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._http = httpx.Client(headers=headers, verify=_trusted(ca_file), timeout=_TIMEOUT)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def version(self) -> str:
        """Return the server's version, such as v3.2.0."""
        return str(self.get("version")["Version"])

    def applications(self, *, fields: tuple[str, ...] = (), selector: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the applications that the token may see, one at a time, so that thousands need little memory.

        `fields` are paths below `items.` that the server's list knows; it leaves out others without a word. Where the
        answer breaks off, what was yielded is right, but what was not is not known to be gone.
        """
        parameters = {"fields": ",".join(f"items.{field}" for field in fields), "selector": selector or ""}
        with self._answer("v1/applications", {key: text for key, text in parameters.items() if text}) as answer:
            try:
                yield from ijson.items(ijson.from_iter(answer.iter_bytes()), "items.item", use_float=True)
            except (ijson.JSONError, httpx.TransportError) as error:
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

    def watch(self, *, fields: tuple[str, ...] = (), selector: str | None = None) -> Iterator[Change]:
        """Yield every application as ADDED, then each change as it comes; `fields` are any paths below it.

        Ends only by an error: proxies cut streams, and a server that is busy drops changes without a word, so that
        whoever watches also lists from time to time.
        """
        parameters = {
            "fields": ",".join(("result.type", *(f"result.application.{field}" for field in fields))) if fields else "",
            "selector": selector or "",
        }
        asked = {key: text for key, text in parameters.items() if text}
        with self._answer("v1/stream/applications", asked, _STREAM) as answer:
            try:
                yield from filter(None, map(self._change, answer.iter_lines()))
            except httpx.TransportError as error:
                raise ConnectionFailedError(f"{self.url}: the stream of changes breaks off") from error
        raise ConnectionFailedError(f"{self.url}: the stream of changes ends")

    def _change(self, line: str) -> Change | None:
        """Return the change that a line of a stream tells, None for a keep-alive."""
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
            except (ValueError, httpx.TransportError) as error:
                raise ConnectionFailedError(f"{self.url}: its answer to {path} breaks off; run again later") from error

    def _of(self, name: str, path: str, namespace: str, project: str, **parameters: str) -> dict[str, Any]:
        where = {"appNamespace": namespace, "project": project}
        found: dict[str, Any] = self.get(f"v1/applications/{quote(name, safe='')}{path}", **where, **parameters)
        return found

    @contextmanager
    def _answer(self, path: str, parameters: dict[str, str], accept: str = _JSON) -> Iterator[httpx.Response]:
        """Lend an answer whose status is good and whose body, still to be read, is JSON or a stream of it."""
        answer = self._sent(path, parameters, accept)
        try:
            self._refuse(answer, path)
            yield answer
        finally:
            answer.close()

    def _sent(self, path: str, parameters: dict[str, str], accept: str) -> httpx.Response:
        """Return an answer, whatever it says; what passes is tried again."""
        address, headers = f"{self.url}/api/{path}", {"Accept": accept}
        request = self._http.build_request("GET", address, params=parameters, headers=headers)
        for attempt in range(_ATTEMPTS):
            is_last = attempt == _ATTEMPTS - 1
            try:
                answer = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                if is_last or _is_untrusted(error):
                    raise ConnectionFailedError(_unreachable(self.url, error)) from None
            else:
                if answer.status_code not in _PASSING:
                    return answer
                answer.close()
                if is_last:
                    raise ConnectionFailedError(
                        f"{self.url}: Argo CD keeps failing ({answer.status_code}); run again later"
                    )
            self._sleep(_BACK_OFF * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _refuse(self, answer: httpx.Response, path: str) -> None:
        """Raise the SourceError that an answer stands for, unless it is a good one."""
        status, kind = answer.status_code, answer.headers.get("content-type", "")
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise CredentialError(f"{self.url}: Argo CD refuses the token, or it expired; check PHOENIX_ARGOCD_TOKEN")
        if status == http.HTTPStatus.FORBIDDEN:
            raise AccessError(
                f"{self.url}: the token may not read {path}; its role needs applications, get", "applications, get"
            )
        if not kind.startswith((_JSON, _STREAM)):
            raise SourceError(
                f"{self.url}: answers {path} with {kind or 'nothing'} ({status}), not with JSON: a login page, or the "
                "server's root path is missing from PHOENIX_ARGOCD_URL"
            )
        if status == http.HTTPStatus.NOT_FOUND:
            raise RepositoryError(f"{self.url}: {path} does not exist or this token may not see it")
        if status != http.HTTPStatus.OK:
            answer.read()
            raise SourceError(f"{self.url}: Argo CD answered {path} with {status} ({_message(answer)})")


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"PHOENIX_ARGOCD_CA_FILE={ca_file}: it is not a certificate that can be read ({type(error).__name__}); "
            "name a PEM file"
        ) from None


def _is_untrusted(error: httpx.TransportError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "SSL" in str(error)


def _unreachable(url: str, error: httpx.TransportError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{url}: its certificate is not trusted; name its authority in PHOENIX_ARGOCD_CA_FILE"
    if "SSL" in str(error):
        return f"{url}: it does not speak TLS; an --insecure server is asked by http://"
    reason = "it does not answer in time" if isinstance(error, httpx.TimeoutException) else "it cannot be reached"
    return f"{url}: {reason}; check the network and PHOENIX_ARGOCD_URL"


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message") or "no reason given")
    except (ValueError, AttributeError):
        return "no reason given"
