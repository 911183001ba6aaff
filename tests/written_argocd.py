"""A small Argo CD for tests: applications, events and trees written by hand, with faults on demand, on real HTTP."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "https://git.example/configs"
SHA = f"{1:040x}"
LISTED = {
    *(f"metadata.{name}" for name in ("name", "namespace", "labels", "creationTimestamp")),
    *(f"status.{name}" for name in ("summary", "sync.status", "health", "resources")),
    *(f"status.operationState.{name}" for name in ("phase", "startedAt", "finishedAt")),
    *("spec", "operation.sync"),
}


@dataclass
class Fault:
    """What happens to the next `count` requests whose path matches."""

    path: str
    status: int = 503
    body: str = '{"code": 14, "message": "scripted fault"}'
    kind: str = "application/json"
    breaks_off: bool = False
    count: int = 1


@dataclass
class Clock:
    """What time it is for the server and for us."""

    now: datetime = datetime(2026, 1, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)

    def text(self, **ago: float) -> str:
        return f"{self.now - timedelta(**ago):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class ArgoCD:
    """One server and what it holds; tests change it and its faults at will."""

    clock: Clock = field(default_factory=Clock)
    applications: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # names that the token may not see
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    manifests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: str = ""
    token: str | None = None
    root: str = ""
    is_ahead: timedelta = timedelta()
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, namespace: str = "argocd", project: str = "default", **labels: str) -> dict[str, Any]:
        """Add an application that was synced an hour and a half ago and has been healthy since."""
        state = {
            "phase": "Succeeded",
            "startedAt": self.clock.text(minutes=92),
            "finishedAt": self.clock.text(minutes=91),
            "operation": {"sync": {"revision": SHA}, "initiatedBy": {"automated": True}},
            "syncResult": {"revision": SHA, "source": {"repoURL": REPOSITORY, "path": name}},
        }
        entry = {
            "id": 0,
            "revision": SHA,
            "deployStartedAt": state["startedAt"],
            "deployedAt": state["finishedAt"],
            "source": {"repoURL": REPOSITORY, "path": name},
        }
        found: dict[str, Any] = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{namespace}-{name}",
                "creationTimestamp": self.clock.text(hours=3),
                "labels": labels,
            },
            "spec": {"project": project, "source": {"repoURL": REPOSITORY, "path": name}},
            "status": {
                "history": [entry],
                "operationState": state,
                "sync": {"status": "Synced", "revision": SHA},
                "health": {"status": "Healthy", "lastTransitionTime": self.clock.text(minutes=90)},
                "summary": {"images": [f"ghcr.io/acme/{name}:1"]},
                "reconciledAt": self.clock.text(minutes=1),
            },
        }
        self.applications[namespace, name] = found
        return found

    def sync(self, name: str, namespace: str = "argocd", phase: str = "Succeeded") -> None:
        """Let an operation begin a minute ago and end now, and Argo CD compare the application a second later."""
        status = self.applications[namespace, name]["status"]
        status["operationState"] |= {
            "phase": phase,
            "startedAt": self.clock.text(minutes=1),
            "finishedAt": self.clock.text(),
        }
        status["reconciledAt"] = self.clock.text(seconds=-1)

    def tell(self, name: str, uid: str, message: str, reason: str = "OperationCompleted") -> None:
        """Add an event that was written just now."""
        event = {
            "metadata": {"uid": uid, "annotations": {"user": "ada"}},
            "involvedObject": {"uid": f"uid-argocd-{name}"},
            "type": "Normal",
            "reason": reason,
            "message": message,
            "firstTimestamp": self.clock.text(),
            "lastTimestamp": self.clock.text(),
            "count": 1,
        }
        self.events.setdefault(name, []).append(event)

    def asked(self, pattern: str) -> list[str]:
        """Return the requests whose path matches."""
        return [request for request in self.requests if re.search(pattern, request)]

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Return status and payload of a path below the root."""
        if path == "/api/version":
            return 200, {"Version": "v3.2.0"}
        if path == "/api/v1/applications":
            items = [self.picked(one, query) for one in self.applications.values() if self.is_listed(one, query)]
            return 200, {"metadata": {}, "items": items or None}
        match = re.fullmatch(r"/api/v1/applications/([^/]+)(/.*)?", path)
        if match is None:
            return 404, {"code": 5, "message": "not found"}
        one = self.applications.get((query.get("appNamespace", ["argocd"])[0], match[1]))
        is_other = one is not None and query.get("project", [one["spec"]["project"]]) != [one["spec"]["project"]]
        if match[1] in self.hidden or (one is None and "project" not in query):
            return 403, {"code": 7, "message": "permission denied"}
        if one is None or is_other:
            return 404, {"code": 5, "message": "not found"}
        return self.belonging(match[1], match[2] or "", one, query)

    def belonging(
        self, name: str, part: str, application: dict[str, Any], query: dict[str, list[str]]
    ) -> tuple[int, Any]:
        manifests = self.manifests.get(name, [])
        if part == "":
            return 200, application
        if part == "/events":
            return 200, {"items": self.events.get(name)}
        if part == "/resource-tree":
            return 200, {"nodes": [_node(manifest) for manifest in manifests] or None}
        if part == "/resource":
            wanted = (query["kind"][0], query["resourceName"][0])
            found = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == wanted]
            return (200, {"manifest": json.dumps(found[0])}) if found else (400, {"code": 3, "message": "not in tree"})
        told = self.revisions.get(part.split("/")[2])
        return (200, told) if told else (400, {"code": 2, "message": "unknown revision"})

    def is_listed(self, application: dict[str, Any], query: dict[str, list[str]]) -> bool:
        labels = application["metadata"]["labels"]
        pairs = [pair.split("=") for text in query.get("selector", []) for pair in text.split(",")]
        is_selected = all(labels.get(key) == value for key, value in pairs)
        is_ours = application["spec"]["project"] in query.get("projects", [application["spec"]["project"]])
        return is_selected and is_ours and application["metadata"]["name"] not in self.hidden

    def picked(self, application: dict[str, Any], query: dict[str, list[str]]) -> dict[str, Any]:
        """Return of an application what `fields` name and a list knows; a list without fields gives the whole."""
        if "fields" not in query:
            return application
        found: dict[str, Any] = {}
        for name in query["fields"][0].split(","):
            path = name.removeprefix("items.")
            value: Any = application if path in LISTED else None
            for part in path.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None:
                *parents, last = path.split(".")
                target = found
                for part in parents:
                    target = target.setdefault(part, {})
                target[last] = value
        return found


def _node(manifest: dict[str, Any]) -> dict[str, Any]:
    group, _, version = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    owners = [{"kind": owner["kind"], "uid": owner["uid"]} for owner in metadata.get("ownerReferences", [])]
    place = {"group": group, "version": version, "kind": manifest["kind"], "uid": metadata["uid"]}
    return {**place, "name": metadata["name"], "namespace": metadata["namespace"], "parentRefs": owners}


@contextmanager
def serving(argocd: ArgoCD) -> Iterator[ArgoCD]:
    """Serve it on loopback while the block runs."""

    class Handler(_Handler):
        world = argocd

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    argocd.url = f"http://127.0.0.1:{server.server_address[1]}{argocd.root}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield argocd
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    world: ArgoCD

    def log_message(self, *arguments: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.world.clock() + self.world.is_ahead, usegmt=True)

    def do_GET(self) -> None:
        world, url = self.world, urlsplit(self.path)
        with world.lock:
            world.requests.append(self.path)
            world.tokens.append(self.headers.get("Authorization", ""))
            fault = next((one for one in world.faults if one.count > 0 and re.search(one.path, self.path)), None)
            if fault:
                fault.count -= 1
        if fault and not fault.breaks_off:
            return self.send(fault.status, fault.body, fault.kind)
        if url.path == "/metrics":
            return self.send(200, world.metrics, "text/plain")
        if not url.path.startswith(f"{world.root}/api/"):
            return self.send(200, "<!doctype html><title>Argo CD</title>", "text/html")
        path = url.path.removeprefix(world.root)
        if world.token and path != "/api/version" and self.headers.get("Authorization") != f"Bearer {world.token}":
            return self.send(401, '{"code": 16, "message": "no session information"}')
        with world.lock:
            status, payload = world.answer(path, parse_qs(url.query))
            text = json.dumps(payload)
        return self.send(status, text, breaks_off=bool(fault))

    def send(self, status: int, text: str, kind: str = "application/json", *, breaks_off: bool = False) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if breaks_off else body)
        self.wfile.flush()
        self.close_connection = self.close_connection or breaks_off
