"""The REST answers: what each path gives, in GitHub's order, under its filters and caps."""

import bisect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.world.objects import Attempt, Job, Repository, Run, iso
from tests.world.payloads import job_payload, repository_payload, run_payload, workflow_path, workflow_payload
from tests.world.state import World

STATUSES = {"queued", "in_progress", "completed", "waiting", "requested", "pending"}
CONCLUSIONS = {"success", "failure", "cancelled", "skipped", "timed_out", "action_required", "neutral", "stale"}
CAPPED_BY = {"actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"}
LIST_CAP = 1000  # results of a list of runs that is filtered
PAGE_SIZE, MAX_PAGE_SIZE = 30, 100

Query = Mapping[str, str]


@dataclass
class Answer:
    """A status, a payload and headers; a payload of bytes is sent as it is."""

    status: int
    payload: Any = None
    headers: dict[str, str] = field(default_factory=dict)


NOT_FOUND = Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})


def answer(world: World, path: str, query: Query) -> tuple[str, Answer]:
    """Return the kind of a route, under which its requests are counted, and its answer."""
    if match := re.fullmatch(r"/(?:orgs|users|organizations)/([^/]+)/repos", path):
        return "org_repos", _owned(world, match[1], query)
    if not (match := re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?|/repositories/(\d+)(/.*)?", path)):
        return "other", NOT_FOUND
    name, rest = match[1], match[2] or match[4] or ""
    kind, found, handler = _handler(rest, query)
    number = world.by_name.get(name.lower()) if name else int(match[3])
    if number is None and name.lower() in world.moved:
        return kind, moved(world, world.moved[name.lower()], rest, query)
    repository = world.repositories.get(number or 0)
    refusal = _refusal(repository, rest)
    if refusal or repository is None or handler is None:
        return kind, refusal or NOT_FOUND
    return kind, handler(_Asked(world, repository, found, query))


def moved(world: World, number: int, rest: str, query: Query) -> Answer:
    """Return the redirect from an old name; the address it names has the query string."""
    target = f"{world.url}/repositories/{number}{rest}" + (f"?{urlencode(query)}" if query else "")
    return Answer(301, {"message": "Moved Permanently", "url": target}, {"Location": target})


def created_range(text: str) -> tuple[str, str]:
    """Return the first and the last second that a `created` filter lets through, as GitHub writes times."""
    if ".." in text:
        low, high = text.split("..", 1)
    elif match := re.match(r"(>=|<=|>|<)", text):
        sign, bound = match[1], text[len(match[1]) :]
        step = timedelta(seconds=1) if sign == ">" else timedelta(seconds=-1) if sign == "<" else timedelta()
        edge = _edge(bound, is_end=sign in (">", "<="))
        shifted = iso(datetime.fromisoformat(edge) + step)
        low, high = (shifted, "*") if sign in (">", ">=") else ("*", shifted)
    else:
        low = high = text
    return _edge(low, is_end=False), _edge(high, is_end=True)


def _edge(text: str, *, is_end: bool) -> str:
    if text == "*":
        return "9999" if is_end else "0000"
    if "T" not in text:
        return text + ("T23:59:59Z" if is_end else "T00:00:00Z")
    moment = datetime.fromisoformat(text)
    return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@dataclass(frozen=True)
class _Asked:
    """A request to a repository that may be answered."""

    world: World
    repository: Repository
    match: re.Match[str]
    query: Query

    @property
    def path(self) -> str:
        return f"/repositories/{self.repository.repository_id}{self.match[0]}"

    def run(self) -> Run | None:
        run = self.world.runs.get(int(self.match["run"]))
        return run if run and run.repository is self.repository and run.gone is None else None

    def page(
        self, items: Sequence[Any], key: str | None, shape: Callable[[Any], Any], cap: int | None = None
    ) -> Answer:
        return _page(self.world, self.path, self.query, items, key=key, shape=shape, cap=cap)


def _page(
    world: World,
    path: str,
    query: Query,
    items: Sequence[Any],
    *,
    key: str | None,
    shape: Callable[[Any], Any],
    cap: int | None = None,
) -> Answer:
    size = min(max(int(query.get("per_page", PAGE_SIZE)), 1), MAX_PAGE_SIZE)
    number = max(int(query.get("page", 1)), 1)
    reachable = len(items) if cap is None else min(len(items), cap)
    part = [shape(item) for item in items[(number - 1) * size : min(number * size, reachable)]]
    last = max(-(-reachable // size), 1)
    links = {"prev": number - 1, "next": number + 1, "last": last if number < last else 0, "first": number > 1}
    shown = [
        f'<{world.url}{path}?{urlencode({**query, "page": int(page)})}>; rel="{name}"'
        for name, page in links.items()
        if 1 <= page <= last
    ]
    payload = {"total_count": len(items), key: part} if key else part
    return Answer(200, payload, {"Link": ", ".join(shown)} if shown else {})


def _refusal(repository: Repository | None, rest: str) -> Answer | None:
    if repository is None or repository.state in ("deleted", "hidden"):
        return NOT_FOUND
    if repository.state == "blocked":
        return Answer(451, {"message": "Repository access blocked", "block": {"reason": "dmca"}})
    if repository.state == "forbidden" and rest.startswith("/actions"):
        headers = {"x-accepted-github-permissions": "actions=read"}
        return Answer(403, {"message": "Resource not accessible by personal access token"}, headers)
    return None


def _owned(world: World, owner: str, query: Query) -> Answer:
    logins = {str(number): login for login, number in world.organizations.items()}
    login = logins.get(owner, owner).lower()
    if login not in world.organizations:
        return NOT_FOUND
    mine = [
        repository
        for repository in world.repositories.values()
        if repository.owner.lower() == login and repository.state not in ("deleted", "hidden")
        if query.get("type") not in ("private", "public") or repository.private == (query["type"] == "private")
    ]
    sort = query.get("sort", "created")
    column = {"created": "created_at", "updated": "updated_at", "pushed": "pushed_at"}.get(sort, "full_name")
    is_falling = query.get("direction", "asc" if column == "full_name" else "desc") == "desc"
    mine.sort(key=lambda repository: (getattr(repository, column), repository.repository_id), reverse=is_falling)
    path = f"/organizations/{world.organizations[login]}/repos"
    return _page(world, path, query, mine, key=None, shape=lambda found: repository_payload(found, world.url))


def _describe(asked: _Asked) -> Answer:
    return Answer(200, repository_payload(asked.repository, asked.world.url))


def _workflows(asked: _Asked) -> Answer:
    names = list(asked.repository.workflows)
    return asked.page(names, "workflows", lambda name: workflow_payload(asked.repository, name, asked.world.url))


def _runs(asked: _Asked) -> Answer:
    query = asked.query
    wanted = query.get("status")
    if wanted and wanted not in STATUSES | CONCLUSIONS:
        return Answer(422, {"message": "Validation Failed", "errors": [{"field": "status", "value": wanted}]})
    found: Sequence[Run] = asked.repository.runs
    if "created" in query:
        low, high = created_range(query["created"])
        first = bisect.bisect_left(found, low, key=lambda run: run.created_at)
        found = found[first : bisect.bisect_right(found, high, key=lambda run: run.created_at)]
    listed = [run for run in reversed(found) if _matches(run, query, asked.match.groupdict().get("workflow"))]
    cap = LIST_CAP if query.keys() & CAPPED_BY else None
    return asked.page(listed, "workflow_runs", lambda run: run_payload(run, run.latest, asked.world.url), cap)


def _matches(run: Run, query: Query, workflow: str | None) -> bool:
    fields = {"event": run.event, "branch": run.branch, "head_sha": run.sha, "check_suite_id": str(run.suite_id)}
    fields |= {"actor": "ada", "status": run.latest.status}
    if query.get("status") in CONCLUSIONS:
        fields["status"] = run.latest.conclusion or ""
    if workflow and workflow not in (
        str(run.repository.workflows[run.workflow]),
        workflow_path(run.workflow).split("/")[-1],
    ):
        return False
    return all(query[name] == value for name, value in fields.items() if name in query)


def _run(asked: _Asked) -> Answer:
    run = asked.run()
    return Answer(200, run_payload(run, run.latest, asked.world.url)) if run else NOT_FOUND


def _attempt(asked: _Asked) -> Answer:
    run = asked.run()
    attempt = _numbered(run, asked.match["attempt"]) if run else None
    return Answer(200, run_payload(run, attempt, asked.world.url)) if run and attempt else NOT_FOUND


def _run_jobs(asked: _Asked) -> Answer:
    run = asked.run()
    if run is None:
        return NOT_FOUND
    attempts = run.attempts if asked.query.get("filter") == "all" else run.attempts[-1:]
    jobs = _distinct(job for attempt in attempts for job in attempt.jobs)
    return asked.page(jobs, "jobs", lambda job: job_payload(run, job, asked.world.url))


def _attempt_jobs(asked: _Asked) -> Answer:
    run = asked.run()
    attempt = _numbered(run, asked.match["attempt"]) if run else None
    if run is None or attempt is None:
        return NOT_FOUND
    return asked.page(attempt.jobs, "jobs", lambda job: job_payload(run, job, asked.world.url))


def _job(asked: _Asked) -> Answer:
    for run in asked.repository.runs:
        for job in (job for attempt in reversed(run.attempts) for job in attempt.jobs):
            if str(job.job_id) == asked.match["job"]:
                return Answer(200, job_payload(run, job, asked.world.url))
    return NOT_FOUND


def _numbered(run: Run, number: str) -> Attempt | None:
    return run.attempts[int(number) - 1] if 1 <= int(number) <= len(run.attempts) else None


def _distinct(jobs: Iterable[Job]) -> list[Job]:
    """Leave out a job that two attempts share; two jobs under one number stay."""
    return list({id(job): job for job in jobs}.values())


def _nothing(asked: _Asked) -> Answer:
    return asked.page([], asked.match["key"] if asked.match["key"] == "artifacts" else None, lambda item: item)


_RUN = r"/actions/runs/(?P<run>\d+)"
_ROUTES: tuple[tuple[str, str, Callable[[_Asked], Answer]], ...] = (
    ("repository", "", _describe),
    ("workflows", "/actions/workflows", _workflows),
    ("runs", "/actions/runs", _runs),
    ("runs", "/actions/workflows/(?P<workflow>[^/]+)/runs", _runs),
    ("run", _RUN, _run),
    ("attempt", _RUN + r"/attempts/(?P<attempt>\d+)", _attempt),
    ("jobs", _RUN + "/jobs", _run_jobs),
    ("attempt_jobs", _RUN + r"/attempts/(?P<attempt>\d+)/jobs", _attempt_jobs),
    ("job", r"/actions/jobs/(?P<job>\d+)", _job),
    ("artifacts", r"/actions/(?P<key>artifacts)", _nothing),
    ("other", r"/(?P<key>releases|deployments|tags|pulls)", _nothing),
)


def _handler(rest: str, query: Query) -> tuple[str, re.Match[str], Callable[[_Asked], Answer]] | tuple[str, None, None]:
    for kind, pattern, handler in _ROUTES:
        if match := re.fullmatch(pattern, rest):
            filtered = "created" if "created" in query else "status" if "status" in query else ""
            return f"runs_{filtered}" if kind == "runs" and filtered else kind, match, handler
    return "other", None, None
