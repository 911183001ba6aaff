"""The API's manners: shapes, filters, pages, budget, and real clients."""

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import github
import jsonschema
import pytest

from phoenix_metrics.demo.api import app
from phoenix_metrics.demo.filters import BadFilterError, created_range

PROJECT = Path(__file__).parents[2]
OPENAPI = PROJECT.parent / "shared" / "reference" / "github-openapi.json"
RUNS = "/repos/phoenix/platform/actions/runs"


def _nullable(node):
    """Turn OpenAPI 3.0's `nullable` into JSON Schema's null type."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _nullable(value) for key, value in node.items()}
    if node.pop("nullable", False):
        if "type" not in node:
            return {"anyOf": [node, {"type": "null"}]}
        node["type"] = [node["type"], "null"]
        if "enum" in node:
            node["enum"] = [*node["enum"], None]
    return node


@pytest.fixture(scope="module")
def openapi():
    if not OPENAPI.exists():
        pytest.skip("GitHub's OpenAPI description is not next to this checkout")
    return _nullable(json.loads(OPENAPI.read_text("utf-8")))


def _errors(openapi, template, payload):
    answer = openapi["paths"][template]["get"]["responses"]["200"]
    if "$ref" in answer:
        answer = openapi["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = answer["content"]["application/json"]["schema"]
    validator = jsonschema.Draft4Validator(
        {**schema, "components": openapi["components"]}, format_checker=jsonschema.FormatChecker()
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(payload)]


def test_every_answer_is_valid_by_githubs_openapi(openapi, sixty_days):
    """Open, finished, failed, cancelled and re-run things all have the shape that GitHub describes."""
    get = sixty_days.ask
    repository = "/repos/{owner}/{repo}"
    paths = [("/rate_limit", "/rate_limit"), ("/orgs/{org}/repos", "/orgs/phoenix/repos")]
    paths += [
        (path, path.format(owner="phoenix", repo="platform", org="phoenix", branch="main"))
        for path in (
            *(f"/orgs/{{org}}/actions/{part}" for part in ("runners", "hosted-runners", "runner-groups")),
            *(f"/organizations/{{org}}/settings/billing/usage{part}" for part in ("", "/summary")),
            *(
                f"{repository}/{part}"
                for part in ("actions/artifacts", "releases", "pulls", "deployments", "rules/branches/{branch}")
            ),
        )
    ]
    paths += [(repository, "/repos/phoenix/platform")]
    for status in ("queued", "in_progress", "success", "failure", "cancelled", "startup_failure"):
        listed = f"{RUNS}?status={status}&per_page=20"
        paths.append((f"{repository}/actions/runs", listed))
        for run in get(listed).json()["workflow_runs"][:3]:
            url = f"{RUNS}/{run['id']}"
            template = f"{repository}/actions/runs/{{run_id}}"
            paths += [(template, url), (f"{template}/jobs", f"{url}/jobs?filter=all")]
            paths += [(f"{template}/attempts/{{attempt_number}}", f"{url}/attempts/1")]
            paths += [(f"{template}/attempts/{{attempt_number}}/jobs", f"{url}/attempts/1/jobs")]
    paths += _about_a_merged_change(get)
    job = sixty_days.runs(status="success")[0]["id"]
    job = get(f"{RUNS}/{job}/jobs").json()["jobs"][0]["id"]
    paths += [(f"{repository}/actions/jobs/{{job_id}}", f"/repos/phoenix/platform/actions/jobs/{job}")]
    paths += [(f"{repository}/actions/workflows", "/repos/phoenix/platform/actions/workflows")]
    assert {url: errors for template, url in paths if (errors := _errors(openapi, template, get(url).json()))} == {}
    assert len(paths) == 84


def _about_a_merged_change(get):
    """Addresses of what goes with runs, those of a commit and of a run being of one whose change was merged."""
    repository, platform = "/repos/{owner}/{repo}", "/repos/phoenix/platform"
    merged = next(one for one in get(f"{platform}/pulls?state=closed&per_page=100").json() if one["merged_at"])
    sha = merged["head"]["sha"]
    run = get(f"{RUNS}?head_sha={sha}").json()["workflow_runs"][0]["id"]
    return [
        *((f"{repository}/pulls", f"{platform}/pulls?{query}") for query in ("state=all&per_page=100", "sort=updated")),
        (f"{repository}/commits/{{ref}}/check-runs", f"{platform}/commits/{sha}/check-runs?filter=all"),
        (f"{repository}/commits/{{ref}}/statuses", f"{platform}/commits/{sha}/statuses"),
        (f"{repository}/actions/runs/{{run_id}}/artifacts", f"{RUNS}/{run}/artifacts"),
        (f"{repository}/actions/secrets", f"{platform}/actions/secrets"),
        (f"{repository}/branches/{{branch}}/protection", f"{platform}/branches/main/protection"),
        *(
            (
                f"/organizations/{{org}}/settings/billing/usage{part}",
                f"/organizations/phoenix/settings/billing/usage{part}?{period}",
            )
            for part in ("", "/summary")
            for period in ("year=2026&month=11&day=17", "year=2026&month=10")
        ),
    ]


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"status": "failure"}, lambda run: run["conclusion"] == "failure"),
        ({"status": "completed"}, lambda run: run["status"] == "completed"),
        ({"status": "in_progress"}, lambda run: run["status"] == "in_progress"),
        ({"branch": "develop"}, lambda run: run["head_branch"] == "develop"),
        ({"event": "schedule"}, lambda run: run["event"] == "schedule"),
        ({"actor": "hiro-tanaka"}, lambda run: run["actor"]["login"] == "hiro-tanaka"),
        ({"created": "2026-11-16"}, lambda run: run["created_at"][:10] == "2026-11-16"),
        ({"created": ">2026-11-16"}, lambda run: run["created_at"][:10] > "2026-11-16"),
        ({"created": ">=2026-11-16T10:00:00Z"}, lambda run: run["created_at"] >= "2026-11-16T10:00:00Z"),
        ({"created": "<2026-10-01"}, lambda run: run["created_at"] < "2026-10-01"),
        ({"created": "<=2026-10-01"}, lambda run: run["created_at"][:10] <= "2026-10-01"),
        ({"created": "2026-11-09..2026-11-10"}, lambda run: "2026-11-09" <= run["created_at"][:10] <= "2026-11-10"),
        (
            {"created": "2026-11-09..*", "branch": "main", "status": "success"},
            lambda run: (
                run["created_at"] >= "2026-11-09" and (run["head_branch"], run["conclusion"]) == ("main", "success")
            ),
        ),
    ],
)
def test_filters_agree_with_a_look_at_every_run(sixty_days, every_run, filters, passes):
    """A filtered list holds, newest first, what passes among all runs; total_count counts beyond what pages reach."""
    expected = [run for run in every_run if passes(run)]
    assert expected
    assert sixty_days.runs(**filters) == expected[:1000]
    assert sixty_days.get("/actions/runs", **filters)["total_count"] == len(expected)


def test_created_is_inclusive_at_both_ends(sixty_days, every_run):
    """A window from one run's creation to another's holds both, also with offsets instead of Z."""
    newest, oldest = (every_run[index]["created_at"] for index in (10, 20))
    assert len(sixty_days.runs(created=f"{oldest}..{newest}")) == 11
    assert created_range("2026-11-16T11:00:00+01:00") == created_range("2026-11-16T10:00:00Z")
    assert created_range("2026-11-16T11:00:00 01:00") == created_range("2026-11-16T10:00:00Z")
    with pytest.raises(BadFilterError, match="yesterday"):
        created_range("yesterday")


def test_a_filtered_list_ends_after_a_thousand(sixty_days, every_run):
    """With a filter page 10 is the last whatever total_count says; without one every run can be reached."""
    get = sixty_days.ask
    first = get(f"{RUNS}?created=>=2026-01-01&per_page=100")
    assert first.json()["total_count"] == len(every_run) > 1000
    assert "page=10" in first.links["last"]["url"]
    assert get(f"{RUNS}?created=>=2026-01-01&per_page=100&page=11").json()["workflow_runs"] == []
    assert len(sixty_days.runs(created=">=2026-01-01")) == 1000


def test_links_lead_through_the_pages(sixty_days):
    """Links use the repository's id, this server's address and the caller's own filters; size is capped at 100."""
    answer = sixty_days.ask(f"{RUNS}?branch=main&per_page=500&page=2")
    assert len(answer.json()["workflow_runs"]) == 100
    assert set(answer.links) == {"prev", "next", "last", "first"}
    assert answer.links["next"]["url"].startswith(f"{sixty_days.address}/repositories/")
    assert {"branch=main", "per_page=500", "page=3"} <= set(answer.links["next"]["url"].partition("?")[2].split("&"))
    assert len(sixty_days.get("/actions/runs")["workflow_runs"]) == 30
    assert "link" not in sixty_days.ask(f"{RUNS}?created=2026-11-16&per_page=100").headers


def test_runs_of_a_workflow_by_id_or_file(sixty_days):
    """A workflow's runs are listed under its id and its file name alike."""
    workflows = sixty_days.get("/actions/workflows")
    assert [flow["name"] for flow in workflows["workflows"]] == ["CI Pipeline", "Release Pipeline", "Nightly Build"]
    release = workflows["workflows"][1]["id"]
    runs = sixty_days.all("/actions/workflows/release.yml/runs", "workflow_runs")
    assert runs == sixty_days.all(f"/actions/workflows/{release}/runs", "workflow_runs")
    assert {run["name"] for run in runs} == {"Release Pipeline"}


def test_pull_requests_can_be_left_out(sixty_days):
    """A pull request's runs name it, unless the caller excludes that."""
    run = sixty_days.runs(event="pull_request")[0]
    assert run["pull_requests"][0]["head"]["sha"] == run["head_sha"]
    assert sixty_days.runs(event="pull_request", exclude_pull_requests="true")[0]["pull_requests"] == []


@pytest.mark.parametrize(
    "path",
    [
        *("/repos/phoenix/other", "/repos/someone/platform/actions/runs", "/orgs/other/repos", "/nothing"),
        *("/orgs/other/actions/runners", "/organizations/other/settings/billing/usage", "/users/other"),
        *(f"{RUNS}/1", f"{RUNS}/99999999999999999999", f"{RUNS}/x", f"{RUNS}/18000000000/jobs", "/repositories/5"),
        *(
            "/repos/phoenix/platform/actions/jobs/999999999999999999",
            "/repos/phoenix/platform/actions/workflows/9/runs",
        ),
    ],
)
def test_the_unknown_is_not_found(sixty_days, path):
    """What does not exist answers 404 with GitHub's JSON."""
    answer = sixty_days.ask(path)
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


def test_enterprise_prefix_gives_enterprise_addresses(sixty_days):
    """Under /api/v3 every address in answers and links stays under /api/v3."""
    answer = sixty_days.ask(f"/api/v3{RUNS}?per_page=1")
    run = answer.json()["workflow_runs"][0]
    assert run["jobs_url"].startswith(f"{sixty_days.address}/api/v3/repos/")
    assert answer.links["next"]["url"].startswith(f"{sixty_days.address}/api/v3/repositories/")
    assert sixty_days.session.get(answer.links["next"]["url"]).status_code == 200


def test_an_etag_belongs_to_its_token_and_costs_nothing(visit):
    """The same question with the answer's ETag is free and empty, for the same token and as long as nothing changed."""
    visitor = visit(days=2)
    get = visitor.ask
    mine, other = {"authorization": "token mine"}, {"authorization": "token other"}
    first = get(RUNS, **mine)
    again = get(RUNS, **mine, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"] == "1"
    assert get(RUNS, **other, **{"if-none-match": first.headers["etag"]}).status_code == 200
    visitor.wait(hours=2)
    assert get(RUNS, **mine, **{"if-none-match": first.headers["etag"]}).status_code == 200


def test_the_budget_is_real(visit):
    """Each token has its hourly budget; when it is spent GitHub's 403 follows until the hour is over."""
    visitor = visit(days=2, hourly_limit=3)
    answers = [visitor.ask("/repos/phoenix/platform") for _ in range(4)]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 403]
    assert answers[3].json()["message"].startswith("API rate limit exceeded")
    assert {answer.headers["x-ratelimit-resource"] for answer in answers} == {"core"}
    assert visitor.ask("/rate_limit").json()["resources"]["core"]["remaining"] == 0
    assert visitor.ask(RUNS, authorization="token other").status_code == 200
    visitor.wait(hours=1)
    assert visitor.ask(RUNS).headers["x-ratelimit-remaining"] == "2"


def test_only_the_bad_token_is_refused(sixty_days):
    """The token "bad" has bad credentials; any other and none are welcome."""
    answer = sixty_days.ask(RUNS, authorization="Bearer bad")
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    assert sixty_days.ask("/rate_limit", authorization="token bad").status_code == 401


def test_requests_are_counted_by_route(visit):
    """/_control counts requests by route, whichever way the repository is named, and forgets them on DELETE."""
    visitor = visit(days=2)
    for path in (RUNS, f"/api/v3{RUNS}", "/repositories/612480933/actions/runs", "/rate_limit"):
        visitor.ask(path)
    state = visitor.ask("/_control").json()
    assert state["requests"] == {"/repos/{owner}/{repo}/actions/runs": 3, "/rate_limit": 1}
    assert (state["total"], state["broken"], state["pace"], state["now"]) == (4, False, 1.0, "2026-11-18T13:49:45Z")
    assert visitor.session.delete(f"{visitor.address}/_control").json()["total"] == 0


def test_the_room_stands_alone():
    """The demo organisation imports nothing of Phoenix Metrics outside itself."""
    for file in (PROJECT / "phoenix_metrics" / "demo").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(not name.startswith("phoenix_metrics") or "demo" in name.split(".") for name in names), file


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_pygithub_reads_it(served, prefix):
    """A real PyGithub lists runs over several pages and their jobs."""
    with served(app(days=7)) as address:
        hub = github.Github(
            base_url=address + prefix, auth=github.Auth.Token("any"), per_page=50, seconds_between_requests=0
        )
        repository = hub.get_repo("phoenix/platform")
        runs = list(repository.get_workflow_runs())
        assert len(runs) > 60
        assert len({run.id for run in runs}) == len(runs)
        assert runs[-1].jobs()[0].name in ("validate", "nightly", "release")
        _, repositories = hub.requester.requestJsonAndCheck("GET", "/orgs/phoenix/repos")
        assert [listed["full_name"] for listed in repositories] == ["phoenix/platform"]


def test_the_process_stops_at_once(free_port):
    """SIGTERM ends `serve` quietly in less than two seconds although a client keeps its connection open."""
    program = f"from phoenix_metrics.demo.server import serve; serve(port={free_port}); print('done')"
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ
    )
    with _connection(free_port) as connection:
        connection.sendall(b"GET /rate_limit HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=5)
    assert time.monotonic() - asked < 2
    assert (process.returncode, output) == (0, b"done\n")


def _connection(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError("the server did not start")
