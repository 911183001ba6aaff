"""A GitHub of any size that is computed, not stored: N runs, evenly spaced over a year, each with a few jobs."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
JOBS = 3


class Handler(BaseHTTPRequestHandler):
    """Answers what one pass of ingestion asks."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    count = 0
    base = ""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a list or an object."""
        url = urlsplit(self.path)
        query, parts = dict(parse_qsl(url.query)), url.path.strip("/").split("/")
        link = None
        if parts[-1] == "jobs":
            payload: object = {"total_count": JOBS, "jobs": [job(int(parts[-2]), number) for number in range(JOBS)]}
        elif parts[-1] == "runs":
            payload, link = self.runs(query)
        elif parts[-1] == "workflows":
            payload = {"total_count": 0, "workflows": []}
        else:
            payload = {"id": 1, "full_name": "acme/shop", "default_branch": "main", "private": True}
        body = json.dumps(payload).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        if link:
            self.send_header("link", f'<{self.base}{url.path}?{link}>; rel="next"')
        self.end_headers()
        self.wfile.write(body)

    def runs(self, query: dict[str, str]) -> tuple[object, str | None]:
        """Return one page of the runs created in a window, newest first, and the next page's query."""
        if "status" in query:
            return {"total_count": 0, "workflow_runs": []}, None
        low, _, high = query["created"].removeprefix(">=").partition("..")
        first, last = index_of(low, self.count), index_of(high, self.count) if high else self.count - 1
        first, last = max(first, 0), min(last, self.count - 1)
        page = int(query.get("page", 1))
        newest = last - (page - 1) * 100
        payload = {
            "total_count": max(last - first + 1, 0),
            "workflow_runs": [run(i, self.count) for i in range(newest, max(newest - 100, first - 1), -1)],
        }
        return payload, f"created={query['created']}&per_page=100&page={page + 1}" if newest - 100 >= first else None


def index_of(text: str, count: int) -> int:
    """Return the number of the first run created at a time or after."""
    since = datetime.fromisoformat(text) - FIRST
    return -((-since * count) // SPAN)


def created(index: int, count: int) -> datetime:
    """Return when a run was created."""
    return (FIRST + index * SPAN / count).replace(microsecond=0)


def run(index: int, count: int) -> dict[str, object]:
    """Return a run that took ten minutes; one in nine failed."""
    at = created(index, count)
    return {
        "id": index + 1,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "workflow_id": 10,
        "run_number": index + 1,
        "run_attempt": 1,
        "event": "push",
        "head_branch": "main",
        "head_sha": f"{index:040x}",
        "display_title": f"change {index}",
        "status": "completed",
        "conclusion": "failure" if index % 9 == 0 else "success",
        "created_at": iso(at),
        "run_started_at": iso(at),
        "updated_at": iso(at + timedelta(minutes=10)),
        "html_url": f"https://github.com/acme/shop/actions/runs/{index}",
        "actor": {"id": 5, "login": "ada", "type": "User"},
        "repository": {"id": 1, "full_name": "acme/shop", "fork": False, "description": "x" * 4000},
        "head_repository": {"id": 1, "full_name": "acme/shop", "fork": False, "description": "x" * 4000},
    }


def job(run_id: int, number: int) -> dict[str, object]:
    """Return one job of a run, with ten steps."""
    at = iso(FIRST + timedelta(seconds=run_id))
    step = {"status": "completed", "conclusion": "success", "started_at": at, "completed_at": at}
    return {
        "id": run_id * JOBS + number,
        "run_id": run_id,
        "run_attempt": 1,
        "name": f"test ({number})",
        "status": "completed",
        "conclusion": "success",
        "created_at": at,
        "started_at": at,
        "completed_at": at,
        "labels": ["ubuntu-latest"],
        "runner_id": 7,
        "runner_name": "GitHub Actions 7",
        "runner_group_name": "GitHub Actions",
        "steps": [{**step, "number": i, "name": f"step {i}"} for i in range(1, 11)],
    }


def iso(at: datetime) -> str:
    """Return a time as GitHub writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.count, Handler.base = options.runs, f"http://127.0.0.1:{server.server_address[1]}"
    print(Handler.base, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
