"""What goes with the runs, from GitHub's answers over HTTP to staging: whole, once, and with gaps that are stated."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs import context
from phoenix_metrics.defs.intake import Visit
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.demo.api import app
from phoenix_metrics.demo.repositories import PLATFORM
from phoenix_metrics.pipeline import run_sync
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, list_files, write_batch
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.conftest import publish_landing, settings_for
from tests.conftest import rows as published
from tests.demo.conftest import serving
from tests.github_server import Answer, Fault, GitHub
from tests.world import Limit, World
from tests.world import serving as serving_world
from tests.world.routes import Answer as WorldAnswer

NOW = datetime.now(UTC)
Loop = Callable[[Settings, context.ClientFor, context.Clock], list[Visit]]
BASE = "/repositories/1"
WORKFLOW = {"id": 10, "name": "CI", "path": ".github/workflows/ci.yml", "state": "active", "created_at": None}


@dataclass
class Shop:
    """What the small GitHub's repository and organisation have besides runs."""

    releases: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    states: dict[int, list[str]] = field(default_factory=dict)  # of a deployment, oldest first
    rules: list[dict[str, Any]] = field(default_factory=list)
    protection: dict[str, Any] | None = None
    runners: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    sums: list[dict[str, Any]] | None = None
    has_lines: bool = True
    files: dict[str, str] = field(default_factory=dict)  # workflow files, by name

    def answers(self) -> dict[str, Any]:
        """Return them as the small GitHub's answers, by address."""
        return {
            f"{BASE}/releases": lambda match, query: self.releases,
            rf"{BASE}/git/ref/tags/(.*)": lambda match, query: self._tag(match[1]),
            rf"{BASE}/git/tags/(.*)": lambda match, query: {"object": {"type": "commit", "sha": match[1][::-1]}},
            f"{BASE}/pulls": lambda match, query: sorted(self.pulls, key=lambda p: p["updated_at"], reverse=True),
            f"{BASE}/deployments": lambda match, query: self.deployments[::-1],
            rf"{BASE}/deployments/(\d+)/statuses": lambda match, query: self._states(int(match[1])),
            f"{BASE}/rules/branches/main": lambda match, query: self.rules,
            f"{BASE}/branches/main": lambda match, query: {
                "name": "main",
                "protected": self.protection is not None,
                "protection": self.protection or {"enabled": False},
            },
            rf"{BASE}/contents/\.github/workflows": lambda match, query: [self._file(name) for name in self.files],
            rf"{BASE}/contents/\.github/workflows/(.*)": lambda match, query: self._file(match[1]),
            f"{BASE}/actions/runners": lambda match, query: ("runners", []),
            "/users/acme": {"login": "acme", "type": "Organization"},
            "/orgs/acme/actions/runners": lambda match, query: ("runners", self.runners),
            "/orgs/acme/actions/hosted-runners": ("runners", []),
            "/orgs/acme/actions/runner-groups": ("runner_groups", []),
            "/organizations/acme/settings/billing/usage": self._usage,
            "/organizations/acme/settings/billing/usage/summary": self._sums,
        }

    def _tag(self, name: str) -> Any:
        return {"object": self.tags[name]} if name in self.tags else None

    def _states(self, number: int) -> Any:
        return [state(number, order, told) for order, told in enumerate(self.states.get(number, []))][::-1]

    def _file(self, name: str) -> Any:
        content = self.files[name].encode()
        sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        coded = {"encoding": "base64", "content": base64.encodebytes(content).decode()}
        return {"type": "file", "path": f".github/workflows/{name}", "sha": sha, "size": len(content), **coded}

    def _usage(self, match: object, query: dict[str, str]) -> Any:
        month = f"{int(query['year']):04d}-{int(query['month']):02d}"
        lines = [line for line in self.lines if line["date"].startswith(month)]
        return {"usageItems": lines} if self.has_lines else Answer(404, {"message": "Not Found"})

    def _sums(self, match: object, query: dict[str, str]) -> Any:
        if self.sums is None:
            return Answer(403, {"message": "Resource not accessible"}, {"x-accepted-github-permissions": "x=read"})
        return {"timePeriod": {}, "organization": "acme", "usageItems": self.sums}


@pytest.fixture
def shop(github: GitHub) -> Shop:
    """A repository with nothing besides runs, which tests fill."""
    world = Shop()
    github.extra |= world.answers()
    return world


@pytest.fixture
def measured(github: GitHub, settings: Settings, shop: Shop) -> Settings:
    """Settings whose repository was just synced."""
    land_sync(settings.home, github)
    return settings


def land_sync(home: Path, github: GitHub) -> None:
    """Land what a pass over a repository leaves behind."""
    repository = github.description()
    write_batch(home, "github_repositories", [Record(github.repository_id, 1, NOW, as_text(repository))])
    sync = {"repository": github.full_name, "repository_id": github.repository_id, "state": "ok"}
    payload = as_text({**sync, "finished_at": NOW.isoformat()})
    write_batch(home, "github_syncs", [Record(github.repository_id, None, NOW, payload)])


def visit(loop: Loop, settings: Settings, days: int = 0) -> list[tuple[str, str]]:
    """Run a loop once, some days from now; return each visit's subject and state."""
    return [(done.subject, done.state) for done in run(loop, settings, days)]


def run(loop: Loop, settings: Settings, days: int = 0) -> list[Visit]:
    return loop(settings, Connections(settings).client_for, lambda: datetime.now(UTC) + timedelta(days=days))


def staged(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Load landing and ask staging."""
    with writing(home) as connection:
        load_landing(connection, home)
        return connection.execute(query).fetchall()


def release(number: int, published_at: str, **changes: Any) -> dict[str, Any]:
    kept = {"id": number, "tag_name": f"v{number}", "target_commitish": "main", "name": f"Release {number}"}
    times = {"created_at": published_at, "published_at": published_at, "updated_at": None}
    rest = {"draft": False, "prerelease": False, "author": {"id": 5, "login": "ada"}, "html_url": "u", "body": "long"}
    return {**kept, **times, **rest, **changes}


def pull(number: int, updated_at: str, **changes: Any) -> dict[str, Any]:
    repository = {"id": 1, "full_name": "acme/shop", "description": "bulky"}
    kept = {"id": number * 10, "number": number, "title": f"Change {number}", "state": "open", "draft": False}
    times = {"created_at": "2026-01-01T08:00:00Z", "updated_at": updated_at, "closed_at": None, "merged_at": None}
    ends = {"head": {"ref": "it", "sha": f"h{number}", "repo": repository}, "base": {"ref": "main", "sha": "b"}}
    rest = {"user": {"id": 5, "login": "ada", "type": "User"}, "labels": [], "merge_commit_sha": None, "html_url": "u"}
    return {**kept, **times, **ends, **rest, **changes}


def test_releases_come_with_the_commit_of_their_tag(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Lightweight, annotated and deleted tags; drafts and what is older than the history are left out."""
    shop.releases = [
        release(5, "2026-02-05T08:00:00Z"),
        release(4, "2026-02-04T08:00:00Z"),
        release(3, "2026-02-03T08:00:00Z", tag_name="lib/v3 rc"),
        {**release(2, "2026-02-02T08:00:00Z"), "draft": True, "published_at": None},
        release(1, "2025-12-31T08:00:00Z"),
    ]
    shop.tags = {"v5": {"type": "commit", "sha": "abc"}, "lib/v3%20rc": {"type": "tag", "sha": "fed"}}
    assert visit(context.visit_releases, measured) == [("acme/shop", "ok")]
    query = "select release_id, tag, commit_sha from staging.github_releases order by release_id"
    assert staged(measured.home, query) == [(3, "lib/v3 rc", "def"), (4, "v4", None), (5, "v5", "abc")]


def test_a_second_visit_fetches_only_news(github: GitHub, shop: Shop, measured: Settings) -> None:
    """One request when nothing changed and no file; a release that was changed later is read again."""
    shop.releases = [release(number, f"2026-02-0{number}T08:00:00Z") for number in (2, 1)]
    visit(context.visit_releases, measured)
    before = len(github.requests)
    visit(context.visit_releases, measured, days=1)
    assert len(github.requests) - before == 1
    assert len([file for file in list_files(measured.home) if file.startswith("github_releases")]) == 1
    shop.releases[1] = {**shop.releases[1], "name": "Mended", "updated_at": "2026-02-09T08:00:00Z"}
    visit(context.visit_releases, measured, days=2)
    query = "select release_id, name from staging.github_releases order by release_id"
    assert staged(measured.home, query) == [(1, "Mended"), (2, "Release 2")]


def test_a_visit_that_is_not_due_asks_nothing(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Each loop keeps its cadence in the data: a second pass right after the first makes no request at all."""
    loops = [context.visit_releases, context.visit_pull_requests, context.visit_rules, context.visit_runners]
    loops += [context.visit_deployments, context.visit_workflow_files]
    for loop in [*loops, context.visit_billing]:
        assert visit(loop, measured)
    before = len(github.requests)
    for loop in [*loops, context.visit_billing]:
        assert visit(loop, measured) == []
    assert len(github.requests) == before


def test_pull_requests_keep_their_newest_state(github: GitHub, shop: Shop, measured: Settings) -> None:
    """250 are read on three pages; later only the first page, up to what is known, and the merge is in."""
    shop.pulls = [pull(number, f"2026-02-01T{number // 60:02d}:{number % 60:02d}:00Z") for number in range(1, 251)]
    visit(context.visit_pull_requests, measured)
    assert github.counted(r"/pulls") == 3
    assert staged(measured.home, "select count(*), count(merge_commit_sha) from staging.github_pull_requests") == [
        (250, 0)
    ]
    merged = {"state": "closed", "merged_at": "2026-02-02T08:00:00Z", "merge_commit_sha": "m7"}
    shop.pulls[6] = pull(7, "2026-02-02T08:00:00Z", **merged)
    visit(context.visit_pull_requests, measured, days=1)
    assert github.counted(r"/pulls") == 4
    query = (
        "select number, state, merge_commit_sha, head_sha from staging.github_pull_requests "
        "where number in (7, 8) order by all"
    )
    assert staged(measured.home, query) == [(7, "merged", "m7", "h7"), (8, "open", None, "h8")]


def test_a_visit_that_is_cut_off_is_made_up_for(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The server fails on the second page: the first is kept, the cursor stays, and the next visit reads it all."""
    shop.pulls = [pull(number, f"2026-02-01T{number // 60:02d}:{number % 60:02d}:00Z") for number in range(1, 151)]
    github.faults.append(Fault(r"pulls.*page=2", status=422))
    [done] = run(context.visit_pull_requests, measured)
    assert (done.state, done.cursor) == ("failed", None)
    count = "select count(*) from staging.github_pull_requests"
    assert staged(measured.home, count) == [(100,)]
    [done] = run(context.visit_pull_requests, measured, days=1)
    assert done.state == "ok"
    assert done.cursor == "2026-01-01T00:00:00+00:00..2026-02-01T02:30:00+00:00"
    assert staged(measured.home, count) == [(150,)]


def test_a_kill_in_the_middle_loses_nothing(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The process dies while the second page is asked for: the first page is kept, the next visit due at once."""
    listed = github.extra[f"{BASE}/pulls"]
    shop.pulls = [pull(number, f"2026-02-01T{number // 60:02d}:{number % 60:02d}:00Z") for number in range(1, 151)]
    program = (
        "import os; from phoenix_metrics.defs.context import load_settings, visit_pull_requests; "
        "from phoenix_metrics.sources.github.connections import Connections; "
        "settings = load_settings(os.environ); visit_pull_requests(settings, Connections(settings).client_for)"
    )
    environ = {"PHOENIX_HOME": str(measured.home), "PHOENIX_GITHUB_API_URL": github.url}
    environ |= {"PHOENIX_GITHUB_REPOSITORIES": "acme/shop", "PHOENIX_GITHUB_SINCE": "2026-01-01"}
    process = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **environ}, cwd=CHECKOUT)

    def kill(match: object, query: dict[str, str]) -> Any:
        if query.get("page") == "2":
            process.kill()
        return listed(match, query)

    github.extra[f"{BASE}/pulls"] = kill
    assert process.wait(60) == -signal.SIGKILL
    count = "select count(*) from staging.github_pull_requests"
    assert staged(measured.home, count) == [(100,)]
    github.extra[f"{BASE}/pulls"] = listed
    assert visit(context.visit_pull_requests, measured) == [("acme/shop", "ok")]
    assert staged(measured.home, count) == [(150,)]


def test_a_longer_history_is_read_when_it_is_wanted(github: GitHub, shop: Shop, measured: Settings) -> None:
    """A PHOENIX_GITHUB_SINCE further back brings the older ones, once."""
    shop.pulls = [pull(2, "2026-02-01T08:00:00Z"), pull(1, "2025-06-01T08:00:00Z")]
    visit(context.visit_pull_requests, measured)
    count = "select count(*) from staging.github_pull_requests"
    assert staged(measured.home, count) == [(1,)]
    longer = settings_for(github, measured.home, PHOENIX_GITHUB_SINCE="2025-01-01")
    [done] = run(context.visit_pull_requests, longer, days=1)
    assert staged(measured.home, count) == [(2,)]
    assert done.cursor == "2025-01-01T00:00:00+00:00..2026-02-01T08:00:00+00:00"
    assert [done.landed.total() for done in run(context.visit_pull_requests, measured, days=2)] == [0]


def deployment(number: int, created_at: datetime, **changes: Any) -> dict[str, Any]:
    at = created_at.isoformat()
    kept = {"id": number, "sha": f"{number:040x}", "ref": "main", "task": "deploy", "environment": "production"}
    rest = {"payload": {"service": "api", "token": "s3cret"}, "description": "long", "creator": {"login": "ada"}}
    return {**kept, "created_at": at, "updated_at": at, **rest, **changes}


def state(deployment_id: int, order: int, told: str) -> dict[str, Any]:
    at = f"2026-02-10T08:{order:02d}:00Z"
    times = {"created_at": at, "updated_at": at}
    rest = {"environment": "production", "description": "", "creator": {"login": "ada"}, "log_url": "bulky"}
    return {"id": deployment_id * 100 + order, "state": told, **times, **rest}


NEWEST_STATES = """
    select deployment_id, arg_max(state, status_id)
    from staging.github_deployments left join staging.github_deployment_statuses using (deployment_id)
    group by deployment_id order by deployment_id
"""


def test_deployments_come_with_their_states(github: GitHub, shop: Shop, measured: Settings) -> None:
    """What is older than the history is left out; of a payload only the service's name is kept."""
    days = [datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)]
    shop.deployments = [deployment(number, day) for number, day in enumerate(days, 1)]
    shop.states = {2: ["in_progress", "success"]}
    assert visit(context.visit_deployments, measured) == [("acme/shop", "ok")]
    assert staged(measured.home, NEWEST_STATES) == [(2, "success"), (3, None)]
    assert staged(measured.home, "select distinct service, creator from staging.github_deployments") == [("api", "ada")]
    landed = staged(measured.home, "select distinct description from staging.github_deployment_statuses")
    assert landed == [("",)]


def test_deployments_that_ended_are_not_asked_for_again(github: GitHub, shop: Shop, measured: Settings) -> None:
    """An idle visit is the list alone; a new deployment costs one request more, wherever its neighbours stand."""
    shop.deployments = [deployment(number, NOW - timedelta(minutes=30 - number)) for number in range(1, 13)]
    shop.states = {number: ["in_progress", "success"] for number in range(1, 13)}
    visit(context.visit_deployments, measured)
    assert (len(github.requests), github.counted("/statuses")) == (13, 12)
    visit(context.visit_deployments, measured, days=1)
    assert len(github.requests) == 14
    shop.deployments.append(deployment(13, NOW))
    shop.states[13] = ["failure"]
    visit(context.visit_deployments, measured, days=2)
    assert len(github.requests) == 16
    assert staged(measured.home, NEWEST_STATES)[-2:] == [(12, "success"), (13, "failure")]


def test_a_late_state_of_an_open_deployment_is_found(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Pages behind the newest, days later, the one deployment that had not ended is asked again until it has."""
    created = [NOW - timedelta(days=9) + timedelta(minutes=number) for number in range(250)]
    shop.deployments = [deployment(number, at) for number, at in enumerate(created, 1)]
    shop.states = {number: ["success"] for number in range(2, 251)} | {1: ["waiting"]}
    visit(context.visit_deployments, measured)
    assert github.counted(r"/deployments\?") == 3
    before = len(github.requests)
    shop.states[1] += ["in_progress", "failure"]
    visit(context.visit_deployments, measured, days=1)
    assert github.requests[before:][-1].startswith(f"{BASE}/deployments/1/statuses")
    assert staged(measured.home, NEWEST_STATES)[0] == (1, "failure")
    before = github.counted("/statuses")
    visit(context.visit_deployments, measured, days=2)
    assert github.counted("/statuses") == before


def test_deployments_that_were_cut_off_go_on_where_they_stopped(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The server fails in the middle; what is stored is not asked for again, so that a small budget gets through."""
    shop.deployments = [deployment(number, NOW - timedelta(hours=number)) for number in range(40, 0, -1)]
    shop.states = {number: ["success"] for number in range(1, 41)}
    github.faults.append(Fault(r"/deployments/25/statuses", status=422))
    [done] = run(context.visit_deployments, measured)
    assert (done.state, done.cursor) == ("failed", None)
    assert len(staged(measured.home, NEWEST_STATES)) == 20
    before = github.counted("/statuses")
    [done] = run(context.visit_deployments, measured, days=1)
    assert (done.state, github.counted("/statuses") - before) == ("ok", 20)
    assert len(staged(measured.home, NEWEST_STATES)) == 40


def test_rules_fall_back_to_classic_protection(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The branch is asked only where no ruleset holds."""
    status = {"enforcement_level": "everyone", "contexts": ["test"], "checks": [{"context": "test", "app_id": None}]}
    shop.protection = {"enabled": True, "required_status_checks": status}
    visit(context.visit_rules, measured)
    query = "select protection, required_checks from staging.github_branch_rules"
    assert staged(measured.home, query) == [("classic", [{"context": "test", "app_id": None}])]
    parameters = {"required_status_checks": [{"context": "lint", "integration_id": 15368}]}
    shop.rules = [{"type": "required_status_checks", "ruleset_id": 1, "parameters": parameters}]
    visit(context.visit_rules, measured, days=1)
    assert staged(measured.home, query) == [("rulesets", [{"context": "lint", "app_id": 15368}])]
    assert github.counted(r"/branches/main$") == 1


def test_workflow_files_cost_one_request_a_day(github: GitHub, shop: Shop, measured: Settings) -> None:
    """A request for the list and one for each file; a day later, with nothing new, one; a change is another."""
    shop.files = {
        "ci.yml": "on: push\njobs:\n  test: {}\n  ship: {needs: test}\n",
        "nightly.yml": "on:\n  schedule:\n  - cron: 0 2 * * *\n    timezone: Europe/Berlin\njobs:\n  night: {}\n",
    }
    counts = []
    for days in range(4):
        if days == 2:
            shop.files["nightly.yml"] = shop.files["nightly.yml"].replace("0 2", "30 3")
        if days == 3:
            del shop.files["nightly.yml"]
        before = len(github.requests)
        assert visit(context.visit_workflow_files, measured, days) == [("acme/shop", "ok")]
        counts.append(len(github.requests) - before)
    assert counts == [3, 1, 2, 1]
    versions = staged(
        measured.home, "select path, sha is null from staging.github_workflow_files order by fetched_at, path"
    )
    assert versions == [
        (".github/workflows/ci.yml", False),
        (".github/workflows/nightly.yml", False),
        (".github/workflows/nightly.yml", False),
        (".github/workflows/nightly.yml", True),
    ]
    crons = staged(measured.home, "select cron, timezone from staging.github_workflow_crons order by fetched_at")
    assert crons == [("0 2 * * *", "Europe/Berlin"), ("30 3 * * *", "Europe/Berlin")]
    needs = "select job_key, needed_key, is_direct from staging.github_workflow_needs"
    assert staged(measured.home, needs) == [("ship", "test", True)]


def test_a_workflow_file_that_cannot_be_read_is_a_gap(github: GitHub, shop: Shop, measured: Settings) -> None:
    """It is stated by its name until it can be; a token that may not read files at all is one, too."""
    write_batch(measured.home, "github_workflows", [Record(1, 10, NOW, as_text(WORKFLOW))])
    shop.files = {"ci.yml": "jobs: ["}
    assert visit(context.visit_workflow_files, measured) == [("acme/shop", "ok")]
    publish_landing(measured.home)
    query = "select subject, state, note from marts.data_health where source like 'github_workflow_file%'"
    [gap] = published(measured.home, query)
    assert (gap["subject"], gap["state"]) == ("acme/shop/.github/workflows/ci.yml", "partial")
    assert gap["note"].startswith("it is not YAML that can be read (line 1: ")
    shop.files = {"ci.yml": "jobs: {test: {}}"}
    visit(context.visit_workflow_files, measured, days=1)
    publish_landing(measured.home)
    assert published(measured.home, query) == []
    headers = {"x-accepted-github-permissions": "contents=read"}
    github.faults.append(Fault(r"/contents/", status=403, headers=headers, body={"message": "Resource not accessible"}))
    assert visit(context.visit_workflow_files, measured, days=2) == [("acme/shop", "no_access")]
    publish_landing(measured.home)
    [gap] = published(measured.home, query)
    assert (gap["subject"], gap["state"]) == ("acme/shop", "no_access")
    assert "it needs contents=read" in gap["note"]


def test_checks_of_third_parties_are_read_once_a_commit(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Two requests for each commit whose runs have ended; GitHub's own jobs are left out, nothing is asked twice."""
    own, codecov = {"id": 1, "slug": "github-actions"}, {"id": 254, "slug": "codecov"}
    for number in (1, 2, 3):
        made = github.add_run(number, f"2026-02-0{number}T08:00:00Z", None if number == 3 else "success")
        write_batch(measured.home, "github_runs", [Record(1, number, NOW, as_text(made))])
    check = {"status": "completed", "conclusion": "success", "started_at": None, "completed_at": None, "output": {}}
    github.extra[rf"{BASE}/commits/(\w+)/check-runs"] = lambda match, query: (
        "check_runs",
        [
            {**check, "id": int(match[1], 16) * 10 + i, "name": app["slug"], "app": app}
            for i, app in enumerate([own, codecov])
        ],
    )
    github.extra[rf"{BASE}/commits/(\w+)/statuses"] = lambda match, query: [
        {"id": int(match[1], 16), "context": "ci/old", "state": "success", "created_at": "2026-02-01T08:00:00Z"}
    ]
    visit(context.visit_checks, measured)
    assert github.counted("/commits/") == 4
    query = "select check_run_id, app from staging.github_check_runs order by all"
    assert staged(measured.home, query) == [(11, "codecov"), (21, "codecov")]
    assert staged(measured.home, "select status_id from staging.github_commit_statuses order by all") == [(1,), (2,)]
    visit(context.visit_checks, measured, days=1)
    assert github.counted("/commits/") == 4


def test_runners_of_organisation_and_repository(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Four lists, each a visit of its own; the owner of a repository is asked without being configured."""
    labels = [{"id": 1, "name": "self-hosted", "type": "read-only"}, {"name": "GPU", "type": "custom"}]
    shop.runners = [{"id": 3, "name": "big", "os": "linux", "status": "online", "busy": True, "labels": labels}]
    machine = {"id": "4-core", "cpu_cores": 4, "memory_gb": 16, "storage_gb": 150}
    hosted = {"id": 4, "name": "ubuntu-latest-m", "platform": "linux-x64", "status": "Ready"}
    github.extra |= {
        f"{BASE}/actions/runners": ("runners", [{**shop.runners[0], "id": 5, "labels": []}]),
        "/orgs/acme/actions/hosted-runners": ("runners", [{**hosted, "machine_size_details": machine}]),
        "/orgs/acme/actions/runner-groups": ("runner_groups", [{"id": 1, "name": "Default", "default": True}]),
    }
    assert visit(context.visit_runners, measured) == [("acme/shop", "ok"), *[("acme", "ok")] * 3]
    query = "select scope, runner_id, label_set, is_busy from staging.github_runners order by runner_id"
    assert staged(measured.home, query) == [("acme", 3, "gpu,self-hosted", True), ("1", 5, "", True)]
    query = "select organization, name, cpu_cores from staging.github_hosted_runners"
    assert staged(measured.home, query) == [("acme", "ubuntu-latest-m", 4)]
    assert staged(measured.home, "select organization, name from staging.github_runner_groups") == [("acme", "Default")]


def test_a_person_has_no_runners_to_list(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The owner of a repository may be a person; that is no gap."""
    github.extra["/users/acme"] = {"login": "acme", "type": "User"}
    assert visit(context.visit_billing, measured) == [("acme", "ok")]
    assert github.counted("/organizations/") == 0


LINE = {
    "product": "Actions",
    "sku": "Actions Linux",
    "unitType": "minutes",
    "quantity": 100.5,
    "pricePerUnit": 0.006,
    "grossAmount": 0.603,
    "discountAmount": 0.1,
    "netAmount": 0.503,
    "organizationName": "acme",
    "repositoryName": "acme/shop",
}
SUM = {
    "product": "Actions",
    "sku": "actions_linux",
    "unitType": "Minutes",
    "pricePerUnit": 0.006,
    "grossQuantity": 100.5,
    "grossAmount": 0.603,
    "discountQuantity": 0,
    "discountAmount": 0.1,
    "netQuantity": 100.5,
    "netAmount": 0.503,
}
MONEY = "product, sku, unit, quantity, price_per_unit, gross_amount, discount_amount, net_amount"


def test_both_shapes_of_the_bill_come_to_the_same(
    github: GitHub, shop: Shop, measured: Settings, tmp_path: Path
) -> None:
    """An organisation that answers with lines and one that gives only sums have equal rows, but for the period."""
    today = datetime.now(UTC).date()
    recent = settings_for(github, measured.home, PHOENIX_GITHUB_SINCE=today.replace(day=1).isoformat())
    shop.lines = [{"date": today.isoformat(), **LINE}, {"date": today.isoformat(), **LINE, "product": "Copilot"}]
    visit(context.visit_billing, recent)
    by_line = staged(recent.home, f"select {MONEY}, period, repository from staging.github_billing_usage")
    summed = settings_for(github, tmp_path / "summed", PHOENIX_GITHUB_SINCE=today.replace(day=1).isoformat())
    land_sync(summed.home, github)
    shop.has_lines, shop.sums = False, [SUM]
    assert visit(context.visit_billing, summed) == [("acme", "ok")]
    by_sum = staged(summed.home, f"select {MONEY}, period, repository from staging.github_billing_usage")
    money = ("actions", "actions_linux", "minutes", 100.5, 0.006, 0.603, 0.1, 0.503)
    assert (by_line, by_sum) == ([(*money, "day", "acme/shop")], [(*money, "month", "")])


def test_settled_days_of_a_bill_are_not_read_again(github: GitHub, shop: Shop, measured: Settings) -> None:
    """Every month of the history once, then only days of the last days; a corrected line replaces what it said."""
    today = datetime.now(UTC).date()
    first = today.replace(day=1) - timedelta(days=40)
    recent = settings_for(github, measured.home, PHOENIX_GITHUB_SINCE=first.isoformat())
    months = {(first + timedelta(days=day)).strftime("%Y-%m") for day in range((today - first).days + 1)}
    shop.lines = [{"date": day.isoformat(), **LINE} for day in (first, today)]
    [done] = run(context.visit_billing, recent)
    assert github.counted("billing/usage") == len(months)
    assert (done.cursor, done.landed.total()) == ((today - context_settled()).isoformat(), 2)
    shop.lines = [{"date": day.isoformat(), **LINE, "quantity": 7} for day in (first, today)]
    [done] = run(context.visit_billing, recent, days=1)
    assert done.landed.total() == 1
    query = "select quantity from staging.github_billing_usage order by starts_on"
    assert staged(recent.home, query) == [(100.5,), (7.0,)]


def context_settled() -> timedelta:
    """How old a day of a bill is when it counts as settled."""
    return timedelta(days=5)


def test_a_missing_permission_is_a_stated_gap(github: GitHub, shop: Shop, measured: Settings) -> None:
    """A token without four permissions: each is named in data_health, and everything else is there."""
    shop.releases = [release(1, "2026-02-01T08:00:00Z")]
    forbidden = {"message": "Resource not accessible by personal access token"}
    for path, permission in (
        (f"{BASE}/pulls", "pull_requests=read"),
        (f"{BASE}/deployments", "deployments=read"),
        ("/orgs/acme/actions/hosted-runners", "organization_administration=read"),
    ):
        github.faults.append(Fault(path, 403, {"x-accepted-github-permissions": permission}, forbidden, count=9))
    shop.has_lines = False
    loops = (context.visit_releases, context.visit_pull_requests, context.visit_deployments, context.visit_runners)
    for loop in (*loops, context.visit_billing):
        visit(loop, measured)
    publish_landing(measured.home)
    gaps = published(measured.home, "from marts.data_health where source <> 'github' order by source, subject")
    assert [(gap["source"], gap["subject"], gap["state"], gap["last_success_at"]) for gap in gaps] == [
        ("github_billing", "acme", "no_access", None),
        ("github_deployments", "acme/shop", "no_access", None),
        ("github_hosted_runners", "acme", "no_access", None),
        ("github_pull_requests", "acme/shop", "no_access", None),
    ]
    notes = " ".join(str(gap["note"]) for gap in gaps)
    for permission in ("pull_requests=read", "deployments=read", "organization_administration=read"):
        assert permission in notes
    assert staged(measured.home, "select count(*) from staging.github_releases") == [(1,)]


def test_a_forbidden_part_never_fails_the_run(
    github: GitHub, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole pass through Dagster with one part forbidden and one switched off publishes all the rest."""
    for name in [name for name in os.environ if name.startswith(("PHOENIX_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("PHOENIX_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    monkeypatch.setenv("PHOENIX_GITHUB_API_URL", github.url)
    monkeypatch.setenv("PHOENIX_GITHUB_REPOSITORIES", github.full_name)
    monkeypatch.setenv("PHOENIX_GITHUB_SINCE", "2026-01-01")
    monkeypatch.setenv("PHOENIX_GITHUB_CONTEXT", "releases,pull_requests,rules,runners")
    github.add_run(1, "2026-01-02T08:00:00Z")
    shop.pulls = [pull(1, "2026-02-01T08:00:00Z")]
    github.extra[f"{BASE}/releases"] = Answer(403, {"message": "Resource not accessible"})
    report = run_sync(load_settings(os.environ))
    assert (report.run_count, report.failed_sources) == (1, {})
    assert staged(home, "select count(*) from staging.github_pull_requests") == [(1,)]
    assert github.counted("billing") == 0
    gaps = published(home, "select source, subject, state from marts.data_health where state = 'no_access'")
    assert gaps == [{"source": "github_releases", "subject": "acme/shop", "state": "no_access"}]


def test_a_gap_that_is_mended_is_not_stated_any_more(github: GitHub, shop: Shop, measured: Settings) -> None:
    """The newest visit counts."""
    github.faults.append(Fault(f"{BASE}/releases", 403, body={"message": "no"}, count=1))
    assert visit(context.visit_releases, measured) == [("acme/shop", "no_access")]
    assert visit(context.visit_releases, measured, days=1) == [("acme/shop", "ok")]
    publish_landing(measured.home)
    assert published(measured.home, "select source from marts.data_health") == [{"source": "github"}]


def failed_job(github: GitHub, job_id: int, conclusion: str = "failure", **changes: Any) -> dict[str, Any]:
    """Return a job of run 1 that ended an hour ago."""
    ended = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": job_id, "run_id": 1, "run_attempt": 1, "name": "unit", "status": "completed", "runner_id": 5,
            "conclusion": conclusion, "started_at": ended, "completed_at": ended, **changes}  # fmt: skip


def land_jobs(home: Path, github: GitHub, jobs: list[dict[str, Any]], conclusion: str = "failure") -> None:
    """Land a run with its jobs."""
    at = NOW.isoformat()
    run = {"id": 1, "run_attempt": 1, "status": "completed", "conclusion": conclusion, "created_at": at}
    run |= {"run_started_at": at, "updated_at": at, "workflow_id": 3, "name": "CI", "path": "ci.yml"}
    write_batch(home, "github_runs", [Record(github.repository_id, 1, NOW, as_text(run))])
    records = [Record(github.repository_id, job["id"], NOW, as_text(job)) for job in jobs]
    write_batch(home, "github_jobs", records)


def said(github: GitHub, messages: dict[int, list[str] | None]) -> None:
    """Let the small GitHub have annotations of some jobs; a job with None is not known to it."""

    def answer(match: Any, query: dict[str, str]) -> Any:
        told = messages.get(int(match[1]))
        if told is None:
            return Answer(404, {"message": "Not Found"})
        return [{"path": ".github", "annotation_level": "failure", "title": "", "message": text} for text in told]

    github.extra[rf"{BASE}/check-runs/(\d+)/annotations"] = answer


def test_annotations_are_read_once_of_jobs_that_did_not_pass(github: GitHub, measured: Settings) -> None:
    """A request for each, and what the runner said decides the class; one that GitHub does not know is asked once."""
    old = (NOW - timedelta(days=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    jobs = [failed_job(github, 1), failed_job(github, 2, name="lint"), failed_job(github, 3, "cancelled")]
    jobs += [failed_job(github, 4, "success"), failed_job(github, 5, completed_at=old), failed_job(github, 6)]
    land_jobs(measured.home, github, jobs)
    said(github, {1: ["Process completed with exit code 137."], 2: [], 3: ["The operation was canceled."]})
    assert visit(context.visit_annotations, measured) == [("acme/shop", "ok")]
    assert github.counted("annotations") == 4
    assert visit(context.visit_annotations, measured, days=1) == [("acme/shop", "ok")]
    assert github.counted("annotations") == 4
    assert staged(
        measured.home, "select job_id, annotation_count, message from staging.github_annotations order by 1"
    ) == [
        (1, 1, "Process completed with exit code 137."),
        (2, 0, None),
        (3, 1, "The operation was canceled."),
        (6, None, None),
    ]
    publish_landing(measured.home)
    query = "select job_id, failure_class, message from marts.job_failures where job_id < 3 order by job_id"
    assert published(measured.home, query) == [
        {"job_id": 1, "failure_class": "out_of_memory", "message": "Process completed with exit code 137."},
        {"job_id": 2, "failure_class": "lint", "message": None},
    ]


def test_annotations_of_stopped_runs_are_not_asked_for(github: GitHub, measured: Settings) -> None:
    """What was cancelled with its run has no secret to tell."""
    land_jobs(measured.home, github, [failed_job(github, 1, "cancelled")], conclusion="cancelled")
    said(github, {})
    assert visit(context.visit_annotations, measured) == [("acme/shop", "ok")]
    assert github.counted("annotations") == 0


def test_a_visit_reads_the_annotations_of_few_jobs(github: GitHub, measured: Settings) -> None:
    """The newest first, fifty of a repository a visit; the next visits go on with the rest."""
    times = [(NOW - timedelta(hours=1, seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ") for number in range(60)]
    jobs = [failed_job(github, number, completed_at=at) for number, at in enumerate(times, 1)]
    land_jobs(measured.home, github, jobs)
    said(github, {number: [] for number in range(1, 61)})
    query = "select count(*), max(job_id) from staging.github_annotations"
    visit(context.visit_annotations, measured)
    assert staged(measured.home, query) == [(50, 50)]
    visit(context.visit_annotations, measured, days=1)
    assert staged(measured.home, query) == [(60, 60)]
    assert github.counted("annotations") == 60


def test_forbidden_annotations_are_a_stated_gap(github: GitHub, measured: Settings) -> None:
    """A token without the permission: one request, a row of data_health, and classes without messages."""
    land_jobs(measured.home, github, [failed_job(github, 1), failed_job(github, 2)])
    github.extra[rf"{BASE}/check-runs/(\d+)/annotations"] = Answer(403, {"message": "Resource not accessible"})
    assert visit(context.visit_annotations, measured) == [("acme/shop", "no_access")]
    assert github.counted("annotations") == 1
    publish_landing(measured.home)
    stated = "select source, state from marts.data_health where state <> 'ok' and source <> 'cost'"
    assert published(measured.home, stated) == [{"source": "github_annotations", "state": "no_access"}]
    assert published(measured.home, "select distinct failure_class from marts.job_failures") == [
        {"failure_class": "unit_tests"}
    ]


def test_side_loops_leave_half_of_a_budget_to_the_runs(tmp_path: Path) -> None:
    """Eight repositories, a budget for three visits above its half: the others are visited in the next hour, first."""
    world = World(NOW.replace(minute=0))
    names = {world.add_repository(f"r{number}").full_name for number in range(8)}
    with serving_world(world) as server:
        server.extra[r"/repositories/\d+/releases"] = WorldAnswer(200, [])
        environ = {"PHOENIX_HOME": str(tmp_path), "PHOENIX_GITHUB_API_URL": server.url}
        settings = load_settings({**environ, "PHOENIX_GITHUB_ORGANIZATIONS": "acme", "PHOENIX_GITHUB_SINCE": "7d"})
        sync_github(settings, Poll(), clock=lambda: world.now)
        used = server.used.total()
        server.limits["core"] = Limit(2 * (used + 3))
        first = context.visit_releases(settings, Connections(settings).client_for, lambda: world.now)
        assert server.used.total() == used + 3
        world.advance(hours=1)
        server.limits["core"] = Limit()
        second = context.visit_releases(settings, Connections(settings).client_for, lambda: world.now)
    read = [done.subject for done in first if done.state == "ok"]
    assert len(read) == 3
    assert {done.state for done in first} == {"ok", "partial"}
    assert {done.state for done in second} == {"ok"}
    assert {done.subject for done in second} == names - set(read)


def test_the_demo_organisation_has_no_gaps(tmp_path: Path) -> None:
    """It answers every question about what goes with the runs."""
    with serving(app(days=1)) as address:
        platform = GitHub("phoenix/platform", PLATFORM.id, url=address)
        land_sync(tmp_path, platform)
        settings = settings_for(platform, tmp_path, PHOENIX_GITHUB_CHECKS="true")
        loops = [context.visit_releases, context.visit_pull_requests, context.visit_checks, context.visit_rules]
        loops += [context.visit_deployments, context.visit_annotations, context.visit_workflow_files]
        visits = [
            done for loop in [*loops, context.visit_runners, context.visit_billing] for done in run(loop, settings)
        ]
    assert [done.loop for done in visits if done.state != "ok"] == []
    assert {done.subject for done in visits} == {"phoenix/platform", "phoenix"}
