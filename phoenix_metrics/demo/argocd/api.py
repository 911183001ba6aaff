"""Argo CD's REST API over a cluster: paths, refusals, fields and streams as the real server has them.

argoproj/argo-cd, `assets/swagger.json` and `server/application/application.go`.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from phoenix_metrics.demo.argocd import projection, selection, totals
from phoenix_metrics.demo.argocd.cluster import Cluster

Clock = Callable[[], datetime]
Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

DEFAULT_NAMESPACE = "argocd"
_UI = "<!doctype html><html><head><title>Argo CD</title></head><body></body></html>"
_SMALLEST_PACKED = 1024  # bytes
_LOOKS_EVERY = 0.05  # seconds between two looks for changes
_KEEP_ALIVE = 15.0  # seconds between the comments of an event stream
_DENIED = (403, 7, "permission denied")
_NO_SESSION = (401, 16, "no session information")
_INVALID = (401, 16, "invalid session: token is expired or revoked")


class RefusalError(Exception):
    """An answer that is none; it has a status, a gRPC code and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Faults:
    """What visitors did that a real Argo CD would suffer from."""

    refreshes: list[str] = field(default_factory=list)  # addresses asked with `refresh`, each of which reconciles


def routes(
    cluster: Cluster, clock: Clock, root: str = "/argo-cd", token: str | None = None, faults: Faults | None = None
) -> list[Route]:
    """Return every address below a root path; without a token everybody may read."""
    return list(_Server(cluster, clock, root.rstrip("/"), token, faults or Faults()).routes())


class _Server:
    """Joins the cluster and the clock behind the addresses."""

    def __init__(self, cluster: Cluster, clock: Clock, root: str, token: str | None, faults: Faults) -> None:
        self._cluster = cluster
        self._clock = clock
        self._root = root
        self._token = token
        self._faults = faults

    def routes(self) -> Iterator[Route]:
        """Yield the addresses; what is not the API is the user interface, which answers anything with its page."""
        api = f"{self._root}/api"
        one = f"{api}/v1/applications/{{name}}"
        yield Route(f"{api}/version", self._handler(self._version, is_open=True))
        yield Route(f"{api}/v1/session/userinfo", self._handler(self._user, is_open=True))
        yield Route(f"{api}/v1/applications", self._handler(self._list))
        yield Route(f"{api}/v1/stream/applications", self._stream)
        yield Route(one, self._handler(self._one))
        yield Route(f"{one}/events", self._handler(self._events))
        yield Route(f"{one}/resource-tree", self._handler(self._tree))
        yield Route(f"{one}/resource", self._handler(self._resource))
        yield Route(f"{one}/managed-resources", self._handler(self._managed))
        yield Route(f"{one}/revisions/{{revision:path}}/metadata", self._handler(self._revision))
        yield Route(f"{api}/{{path:path}}", self._handler(_unknown))
        yield Route(f"{self._root}/metrics", self._metrics)
        yield Route(f"{self._root}/{{path:path}}", _user_interface)

    def _handler(self, answer: Callable[[Request], Any], *, is_open: bool = False) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                self._admit(request, is_open=is_open)
                self._advance()
                return _json(request, answer(request))
            except RefusalError as error:
                return _refused(request, error)

        return handle

    def _admit(self, request: Request, *, is_open: bool) -> None:
        given = request.headers.get("authorization", "")
        if self._token is None or (is_open and not given):
            return
        if not given:
            raise RefusalError(*_NO_SESSION)
        if given != f"Bearer {self._token}":
            raise RefusalError(*_INVALID)

    def _advance(self) -> None:
        self._cluster.advance(int(self._clock().timestamp()))

    def _version(self, _: Request) -> Json:
        return {"Version": f"{self._cluster.version.text}+demo", "Compiler": "gc", "Platform": "linux/amd64"}

    def _user(self, request: Request) -> Json:
        if self._token is not None and "authorization" not in request.headers:
            return {}
        return {"loggedIn": True, "username": "phoenix-metrics", "iss": "argocd"}

    def _list(self, request: Request) -> Json:
        self._note_refresh(request)
        wanted = [one for one in self._cluster.applications() if selection.is_wanted(one, request.query_params)]
        if "refresh" in request.query_params:
            for one in wanted:
                self._cluster.refresh(one["metadata"]["name"], one["metadata"]["namespace"])
        names = projection.asked(request.query_params.getlist("fields"))
        if names:
            more = self._cluster.version.lists_more
            wanted = [projection.listed(one, names, lists_more=more) for one in wanted]
        return {"metadata": {"resourceVersion": str(self._cluster.latest)}, "items": wanted or None}

    def _one(self, request: Request) -> Json:
        self._note_refresh(request)
        found = self._application(request)
        if "refresh" not in request.query_params:
            return found
        name, namespace = _key(found)
        self._cluster.refresh(name, namespace)
        return self._cluster.application(name, namespace) or found

    def _events(self, request: Request) -> Json:
        events = self._cluster.events(*_key(self._application(request)))
        return {"metadata": {"resourceVersion": str(self._cluster.latest)}, "items": events or None}

    def _tree(self, request: Request) -> Json:
        nodes = self._cluster.tree(*_key(self._application(request)))
        return {"nodes": nodes or None}

    def _resource(self, request: Request) -> Json:
        name, namespace = _key(self._application(request))
        query = request.query_params
        kind, wanted = query.get("kind", ""), query.get("resourceName", "")
        found = self._cluster.resource(name, namespace, kind, wanted)
        if found is None or query.get("namespace", "") != found["metadata"]["namespace"]:
            place = f"{kind} {query.get('group', '')} {wanted}"
            raise RefusalError(400, 3, f"{place} not found as part of application {name}")
        return {"manifest": json.dumps(found)}

    def _managed(self, request: Request) -> Any:
        name, namespace = _key(self._application(request))
        query = request.query_params
        items = []
        for node in self._cluster.tree(name, namespace):
            is_asked = all(query.get(key, node.get(key, "")) == node.get(key, "") for key in ("group", "kind"))
            if "parentRefs" not in node and is_asked:
                live = json.dumps(self._cluster.resource(name, namespace, node["kind"], node["name"]))
                place = {key: node.get(key, "") for key in ("group", "kind", "namespace", "name")}
                items.append({**place, "liveState": live, "targetState": live})
        return projection.projected({"items": items or None}, projection.asked(query.getlist("fields"))) or {}

    def _revision(self, request: Request) -> Json:
        self._application(request)
        found = self._cluster.revision(request.path_params["revision"])
        if found is None:
            raise RefusalError(500, 2, f"rpc error: failed to get revision {request.path_params['revision']}")
        return found

    def _application(self, request: Request) -> Json:
        """Return the application of an address; what is not there is forbidden, unless its project was named."""
        query, name = request.query_params, request.path_params["name"]
        project = query.get("project", "")
        found = self._cluster.application(name, query.get("appNamespace", "") or DEFAULT_NAMESPACE)
        if found is not None and project in ("", found["spec"]["project"]):
            return found
        if project:
            raise RefusalError(404, 5, f'applications.argoproj.io "{name}" not found')
        raise RefusalError(*_DENIED)

    def _note_refresh(self, request: Request) -> None:
        if "refresh" in request.query_params:
            self._faults.refreshes.append(str(request.url))

    async def _stream(self, request: Request) -> Response:
        try:
            self._admit(request, is_open=False)
        except RefusalError as error:
            return _refused(request, error)
        is_sse = "text/event-stream" in request.headers.get("accept", "")
        kind = "text/event-stream" if is_sse else "application/json"
        return StreamingResponse(self._chunks(request, is_sse), headers={"content-type": kind})

    async def _chunks(self, request: Request, is_sse: bool) -> AsyncIterator[bytes]:
        """Yield all applications as ADDED unless told from where, then each change, and comments while all is quiet."""
        frame = b"data: %s\n\n" if is_sse else b"%s\n"
        names = projection.asked(request.query_params.getlist("fields"))
        last: dict[str, bytes] = {}  # of each application's name, whatever its namespace
        quiet = 0.0
        async for kind, application in self._watched(request):
            if application is None:
                quiet += _LOOKS_EVERY
                if is_sse and quiet >= _KEEP_ALIVE:
                    quiet = 0.0
                    yield b":\n"
                continue
            told = projection.projected({"result": {"type": kind, "application": application}}, names)
            chunk = json.dumps(told or {}).encode()
            if last.get(name := application["metadata"]["name"]) != chunk:
                last[name] = chunk
                quiet = 0.0
                yield frame % chunk

    async def _watched(self, request: Request) -> AsyncIterator[tuple[str, Json | None]]:
        """Yield what there is and what changes, of those asked for; nothing at all once at each look."""
        self._advance()
        seen = self._cluster.latest
        if "resourceVersion" not in request.query_params:
            for application in self._cluster.applications():
                if selection.is_wanted(application, request.query_params):
                    yield "ADDED", self._cluster.application(*_key(application))
        while True:
            self._advance()
            for change in self._cluster.changes(seen):
                seen = change.version
                if selection.is_wanted(change.application, request.query_params):
                    yield change.kind, change.application
            yield "", None
            await asyncio.sleep(_LOOKS_EVERY)

    async def _metrics(self, _: Request) -> Response:
        self._advance()
        return PlainTextResponse(totals.exposition(self._cluster))


def _key(application: Json) -> tuple[str, str]:
    return application["metadata"]["name"], application["metadata"]["namespace"]


def _unknown(_: Request) -> Json:
    raise RefusalError(404, 5, "Not Found")


async def _user_interface(_: Request) -> Response:
    return HTMLResponse(_UI)


def _refused(request: Request, error: RefusalError) -> Response:
    return _json(request, {"error": str(error), "code": error.code, "message": str(error)}, error.status)


def _json(request: Request, payload: object, status: int = 200) -> Response:
    body = json.dumps(payload, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", "") and len(body) >= _SMALLEST_PACKED:
        body, headers["content-encoding"] = gzip.compress(body, compresslevel=1), "gzip"
    return Response(body, status, headers)
