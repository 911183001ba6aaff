"""A small GitHub for tests: the Actions endpoints over runs written by hand, with faults on demand, on real HTTP."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

STATUSES = {"queued", "in_progress", "completed", "waiting", "requested", "pending"}


@dataclass
class Fault:
    """What happens to the next `count` requests whose path matches `path`."""

    path: str
    status: int = 502
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: {"message": "scripted fault"})
    breaks_off: bool = False
    count: int = 1


@dataclass
class Answer:
    """An answer word for word; a payload of bytes is sent as it is."""

    status: int
    payload: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class GitHub:
    """One repository as GitHub holds it; tests change it and its faults at will."""

    full_name: str = "acme/shop"
    repository_id: int = 1
    attempts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)  # the Authorization of each request, "" without one
    renamed_from: str | None = None
    token: str | None = None
    fails_from: int | None = None  # the number of the first request that is refused, and all after it
    remaining: int = 5000
    limit: int = 5000
    resets_at: int = 4102444800  # when the budget refills, in seconds since 1970
    url: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # more answers, by pattern of the path; see `answer`
    posted: list[tuple[str, Any]] = field(default_factory=list)  # paths and payloads of the POST requests
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_run(
        self, run_id: int, created_at: str, conclusion: str | None = "success", **changes: Any
    ) -> dict[str, Any]:
        """Add a run that took ten minutes, with one job of the same fate; `changes` overwrite fields of the run."""
        status = "completed" if conclusion else "in_progress"
        run = {
            "id": run_id,
            "name": "CI",
            "path": ".github/workflows/ci.yml",
            "workflow_id": 10,
            "run_number": run_id,
            "run_attempt": 1,
            "event": "push",
            "head_branch": "main",
            "head_sha": f"{run_id:040x}",
            "display_title": f"change {run_id}",
            "status": status,
            "conclusion": conclusion,
            "created_at": created_at,
            "run_started_at": created_at,
            "updated_at": created_at[:14] + "10" + created_at[16:],
            "html_url": f"https://github.com/{self.full_name}/actions/runs/{run_id}",
            "actor": {"id": 5, "login": "ada", "type": "User"},
            "triggering_actor": {"id": 5, "login": "ada", "type": "User"},
            "repository": {"id": self.repository_id, "full_name": self.full_name, "fork": False},
            "head_repository": {"id": self.repository_id, "full_name": self.full_name, "fork": False},
            **changes,
        }
        self.attempts[run_id] = [run]
        self.jobs[run_id] = [self.job(run, run_id * 100, conclusion)]
        return run

    def job(self, run: dict[str, Any], job_id: int, conclusion: str | None, **changes: Any) -> dict[str, Any]:
        """Return a job of a run's attempt that waited five seconds and then ran to the run's end."""
        started = run["run_started_at"][:17] + "05Z"
        return {
            "id": job_id,
            "run_id": run["id"],
            "run_attempt": run["run_attempt"],
            "name": "test (3.12)",
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "created_at": run["run_started_at"],
            "started_at": started,
            "completed_at": run["updated_at"] if conclusion else None,
            "labels": ["ubuntu-latest"],
            "runner_id": 7,
            "runner_name": "GitHub Actions 7",
            "runner_group_name": "GitHub Actions",
            "html_url": f"{run['html_url']}/job/{job_id}",
            "steps": [
                {
                    "number": 1,
                    "name": "Set up job",
                    "status": "completed",
                    "conclusion": "success",
                    "started_at": started,
                    "completed_at": started,
                }
            ],
            **changes,
        }

    def rerun(self, run_id: int, started_at: str, conclusion: str | None) -> None:
        """Add an attempt with a job of its own; the earlier attempts stay."""
        earlier = self.attempts[run_id][-1]
        latest = {
            **earlier,
            "run_attempt": earlier["run_attempt"] + 1,
            "run_started_at": started_at,
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "updated_at": started_at[:14] + "20" + started_at[16:],
        }
        self.attempts[run_id].append(latest)
        self.jobs[run_id].append(self.job(latest, run_id * 100 + latest["run_attempt"], conclusion))

    def latest(self) -> list[dict[str, Any]]:
        """Return the latest attempt of every run, newest first."""
        runs = [attempts[-1] for attempts in self.attempts.values()]
        return sorted(runs, key=lambda run: (run["created_at"], run["id"]), reverse=True)

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return a list (for paging), a key and a list, an object, an Answer, or None for what is not there.

        What `extra` holds for a path wins: one of these, or a function of the match and the query that returns one.
        """
        for pattern, found in self.extra.items():
            if match := re.fullmatch(pattern, path):
                return found(match, query) if callable(found) else found
        base = rf"/(?:repos/{re.escape(self.full_name)}|repositories/{self.repository_id})"
        if path == f"/orgs/{self.full_name.split('/')[0]}/repos":
            return [self.description()]
        if re.fullmatch(base, path):
            return self.description()
        if re.fullmatch(base + "/actions/workflows", path):
            return "workflows", [{"id": 10, "name": "CI", "path": ".github/workflows/ci.yml", "state": "active"}]
        if re.fullmatch(base + "/actions/runs", path):
            return "workflow_runs", [run for run in self.latest() if _matches(run, query)]
        if match := re.fullmatch(base + r"/actions/runs/(\d+)(?:/attempts/(\d+))?", path):
            attempts = self.attempts.get(int(match[1]), [])
            wanted = int(match[2]) if match[2] else len(attempts)
            return next((attempt for attempt in attempts if attempt["run_attempt"] == wanted), None)
        if match := re.fullmatch(base + r"/actions/runs/(\d+)/jobs", path):
            return "jobs", self.jobs.get(int(match[1]), [])
        return None

    def description(self) -> dict[str, Any]:
        """Return the repository object."""
        return {
            "id": self.repository_id,
            "full_name": self.full_name,
            "default_branch": "main",
            "private": True,
            "archived": False,
            "html_url": f"https://github.com/{self.full_name}",
            "pushed_at": f"2026-01-01T00:00:{len(self.requests) % 60:02d}Z",
        }

    def counted(self, pattern: str) -> int:
        """Return how many requests were made whose path matches."""
        return sum(1 for request in self.requests if re.search(pattern, request))


def _matches(run: dict[str, Any], query: dict[str, str]) -> bool:
    if "created" in query:
        low, _, high = query["created"].removeprefix(">=").partition("..")
        if not low <= run["created_at"] <= (high or "9999"):
            return False
    if "status" in query:
        return bool(query["status"] == run["status" if query["status"] in STATUSES else "conclusion"])
    return True


@contextmanager
def serving(github: GitHub) -> Iterator[GitHub]:
    """Serve it on loopback while the block runs."""

    class Handler(_Handler):
        world = github

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    world: GitHub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.world.lock:
            self.world.posted.append((self.path, json.loads(body) if body else None))
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        with self.world.lock:
            self.world.requests.append(self.path)
            self.world.credentials.append(self.headers.get("Authorization", ""))
            self.world.remaining = max(self.world.remaining - 1, 0)
            fault = next((f for f in self.world.faults if f.count > 0 and re.search(f.path, self.path)), None)
            if fault:
                fault.count -= 1
        if fault and not fault.breaks_off:
            return self.send(fault.status, fault.body, fault.headers)
        if self.world.fails_from is not None and len(self.world.requests) >= self.world.fails_from:
            return self.send(422, {"message": "out of order"})
        is_app = url.path.startswith("/app/")  # which signs, and has no token
        if self.world.token and not is_app and self.headers.get("Authorization", "").split(" ")[-1] != self.world.token:
            return self.send(401, {"message": "Bad credentials"})
        if self.world.renamed_from and url.path == f"/repos/{self.world.renamed_from}":
            return self.send(
                301,
                {"message": "Moved Permanently"},
                {"Location": f"{self.world.url}/repositories/{self.world.repository_id}"},
            )
        with self.world.lock:
            found = self.world.answer(url.path, query)
        if found is None:
            return self.send(404, {"message": "Not Found"})
        if isinstance(found, Answer):
            return self.send(found.status, found.payload, found.headers)
        if isinstance(found, dict):
            return self.send(200, found, breaks_off=bool(fault))
        key, items = found if isinstance(found, tuple) else (None, found)
        return self.send_page(url.path, query, key, items, breaks_off=bool(fault))

    def send_page(
        self, path: str, query: dict[str, str], key: str | None, items: list[Any], *, breaks_off: bool
    ) -> None:
        size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
        reachable = items[:1000] if query.keys() & {"created", "status"} else items
        part = reachable[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(reachable):
            path = path.replace(f"/repos/{self.world.full_name}", f"/repositories/{self.world.repository_id}")
            following = urlencode({**query, "page": number + 1})
            headers["Link"] = f'<{self.world.url}{path}?{following}>; rel="next"'
        self.send(200, {"total_count": len(items), key: part} if key else part, headers, breaks_off=breaks_off)

    def send(
        self, status: int, payload: Any, headers: dict[str, str] | None = None, *, breaks_off: bool = False
    ) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        budget = {
            "x-ratelimit-limit": self.world.limit,
            "x-ratelimit-remaining": self.world.remaining,
            "x-ratelimit-reset": self.world.resets_at,
            "x-ratelimit-resource": "core",
        }
        for name, value in {**budget, "content-length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if breaks_off else body)
        self.wfile.flush()
        if breaks_off:
            self.close_connection = True
