"""How long a pass over Argo CD takes, what it asks for and how much memory it needs, for 5,000 applications.

    bench_argocd.py [--applications 5000] [--changed 50]

The server computes its answers in a process of its own, packed by gzip as Argo CD's are; an application has ten history
entries and forty resources, some 20 kB. Each pass is a process of its own, too; what it landed is loaded in between.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from machine import describe_machine

HISTORY, RESOURCES = 10, 40
START = datetime(2026, 1, 2, 12, tzinfo=UTC)
FIXED: dict[str, dict[str, Any]] = {
    "version": {"Version": "v3.2.0"},
    "metadata": {"author": "Ada <ada@example.com>", "date": "2026-01-01T00:00:00Z", "message": "Update images"},
    "events": {"items": None},
}
PASSES = (  # what is told of it, minutes since the start, whether applications change before
    ("full list, all new", 0, False),
    ("probe, nothing changed", 5, False),
    ("probe, some changed", 10, True),
    ("full list, nothing changed", 30, False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applications", type=int, default=5000)
    parser.add_argument("--changed", type=int, default=50)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pass", dest="minutes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.applications)
    elif options.minutes is not None:
        one_pass(START + timedelta(minutes=options.minutes))
    elif options.load:
        load()
    else:
        measure(options.applications, options.changed)


def measure(applications: int, changed: int) -> None:
    """Make the passes one after the other and print their figures."""
    print(describe_machine())
    heads = ("landed", "requests", "asks s", "pass s", "peak MB")
    print(f"{f'{applications:,} applications':<30}" + "".join(f"{head:>10}" for head in heads))
    command = [sys.executable, __file__, "--serve", "--applications", str(applications)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory(prefix="phoenix-bench-") as home,
    ):
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        environ = {**os.environ, "PHOENIX_HOME": home, "PHOENIX_ARGOCD_URL": url, "PHOENIX_ARGOCD_TOKEN": "x"}
        try:
            for name, minutes, is_changed in PASSES:
                if is_changed:
                    urlopen(Request(f"{url}/_changed/{changed}", method="PUT")).close()
                found = json.loads(child(environ, "--pass", str(minutes)))
                figures = f"{found['landed']:>10,}{found['requests']:>10,}{found['asking']:>10.1f}"
                print(f"{name:<30}{figures}{found['seconds']:>10.1f}{found['peak MB']:>10.0f}")
                child(environ, "--load")
        finally:
            server.kill()


def child(environ: dict[str, str], *arguments: str) -> str:
    """Run this file in a process of its own and return its last line."""
    done = subprocess.run([sys.executable, __file__, *arguments], env=environ, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip().rpartition("\n")[2]


def load() -> None:
    """Bring what was landed into staging, as the pipeline does between two passes."""
    from phoenix_metrics.settings import load_settings
    from phoenix_metrics.warehouse.staging import load_landing
    from phoenix_metrics.warehouse.store import writing

    home = load_settings(os.environ).home
    with writing(home) as connection:
        load_landing(connection, home)


def one_pass(now: datetime) -> None:
    """Make one pass; print figures as JSON."""
    from phoenix_metrics.defs.argocd import ask_argocd, sync_argocd
    from phoenix_metrics.settings import load_settings

    settings = load_settings(os.environ)
    ask_argocd(settings.home, "argocd", now)  # loads what a process loads once
    started = time.perf_counter()
    ask_argocd(settings.home, "argocd", now)
    asked = time.perf_counter()
    [done] = sync_argocd(settings, lambda: now)
    ended = time.perf_counter()
    if done.state != "ok":
        sys.exit(f"the pass ended as {done.state}: {done.note}")
    figures = {
        "landed": done.landed["argocd_applications"],
        "requests": done.request_count,
        "asking": asked - started,  # a part of the pass
        "seconds": ended - asked,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def application(number: int, changes: int) -> dict[str, Any]:
    """Return an application that was synced in the last days, and again for each change."""
    started, finished = (START + timedelta(minutes=6 + changes if changes else -600, seconds=s) for s in (0, 9))
    source = {"repoURL": "https://git.example/configs", "path": f"services/{number}", "targetRevision": "main"}
    revision = f"{number % 100 + 1000 * changes + 1:040x}"
    history = [
        {
            "id": at,
            "revision": f"{at * 100 + number % 100:040x}",
            "deployStartedAt": text(finished - timedelta(days=HISTORY - at)),
            "deployedAt": text(finished - timedelta(days=HISTORY - at)),
            "source": source,
            "initiatedBy": {"automated": True},
        }
        for at in range(HISTORY)
    ]
    resources = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "prod", "name": f"part-{at}"}
        for at in range(RESOURCES)
    ]
    state = {
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "startedAt": text(started),
        "finishedAt": text(finished),
        "operation": {"sync": {"revision": revision, "source": source}, "initiatedBy": {"automated": True}},
        "syncResult": {
            "revision": revision,
            "source": source,
            "resources": [
                {**one, "status": "Synced", "syncPhase": "Sync", "message": f"deployment.apps/{one['name']} configured"}
                for one in resources
            ],
        },
    }
    return {
        "metadata": {
            "name": f"app-{number:05}",
            "namespace": "argocd",
            "uid": f"uid-{number}",
            "creationTimestamp": "2025-01-01T00:00:00Z",
            "labels": {"environment": "production", "team": f"team-{number % 20}"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(source) * 8},
        },
        "spec": {"project": "default", "source": source, "syncPolicy": {"automated": {}}},
        "status": {
            "history": history,
            "operationState": state,
            "resources": [{**one, "status": "Synced", "health": {"status": "Healthy"}} for one in resources],
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": "Healthy", "lastTransitionTime": text(finished)},
            "summary": {"images": [f"ghcr.io/acme/service-{number}:main-{revision[-7:]}"]},
            "reconciledAt": text(finished + timedelta(minutes=1)),
        },
    }


def listed(whole: dict[str, Any]) -> dict[str, Any]:
    """Return what the cheap list tells of an application."""
    status, state = whole["status"], whole["status"]["operationState"]
    return {
        "metadata": {key: whole["metadata"][key] for key in ("name", "namespace", "creationTimestamp")},
        "status": {
            "operationState": {key: state[key] for key in ("phase", "startedAt", "finishedAt")},
            "sync": {"status": status["sync"]["status"]},
            "health": status["health"],
            "summary": status["summary"],
        },
    }


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class _Handler(BaseHTTPRequestHandler):
    """Answers from the number of an application; a PUT of /_changed/N lets the first N change."""

    protocol_version = "HTTP/1.1"
    count = 0
    changed = 0

    def log_message(self, *arguments: object) -> None:
        pass

    def do_PUT(self) -> None:
        _Handler.changed = int(self.path.rpartition("/")[2])
        self.send(["{}"])

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        last = url.path.rpartition("/")[2]
        if last == "applications":
            self.send(self.content(is_cheap="fields" in parse_qs(url.query)))
        elif last in FIXED:
            self.send([json.dumps(FIXED[last])])
        else:
            self.send([json.dumps(self.application(int(last.removeprefix("app-"))))])

    def application(self, number: int) -> dict[str, Any]:
        return application(number, int(number < self.changed))

    def content(self, *, is_cheap: bool) -> Iterator[str]:
        yield '{"metadata": {}, "items": ['
        for number in range(self.count):
            whole = self.application(number)
            yield ("," if number else "") + json.dumps(listed(whole) if is_cheap else whole)
        yield "]}"

    def send(self, parts: Iterable[str]) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("Content-Encoding", "gzip")):
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        packer = zlib.compressobj(1, wbits=31)
        for part in parts:
            self.chunk(packer.compress(part.encode()))
        self.chunk(packer.flush())
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, body: bytes) -> None:
        if body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))


def serve(count: int) -> None:
    """Serve so many applications on loopback."""
    _Handler.count = count
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
