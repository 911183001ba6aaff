"""GraphQL: what it tells of jobs is what REST tells, and what it refuses it refuses as GitHub does."""

from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.sources.github.bulk import QUERY
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.conftest import MODELS
from tests.demo.conftest import Visitor
from tests.demo.test_sending import settings_of


@pytest.fixture(scope="module")
def three_days(sixty_days: Visitor) -> list[dict[str, Any]]:
    """The newest hundred runs, some of them open, some run again."""
    runs: list[dict[str, Any]] = sixty_days.get("/actions/runs", per_page=100)["workflow_runs"]
    return runs


def asked(visitor: Visitor, query: str, path: str = "/graphql", **variables: Any) -> Any:
    """Return the answer to a query."""
    answer = visitor.session.post(visitor.address + path, json={"query": query, "variables": variables})
    assert (answer.status_code, answer.headers["x-ratelimit-resource"]) == (200, "graphql")
    return answer.json()


def test_check_runs_are_the_jobs(sixty_days: Visitor, three_days: list[dict[str, Any]]) -> None:
    """The jobs of every attempt, open ones too, in GraphQL's words; also where GitHub Enterprise Server has it."""
    ids = [run["check_suite_node_id"] for run in three_days]
    for path in ("/graphql", "/api/graphql"):
        nodes = asked(sixty_days, QUERY, path, ids=ids)["data"]["nodes"]
        for run, node in zip(three_days, nodes, strict=True):
            if run["run_attempt"] == 1 and run["id"] < three_days[20]["id"]:
                continue  # twenty are enough, and those that were run again
            jobs = sixty_days.all(f"/actions/runs/{run['id']}/jobs", "jobs", filter="all")
            assert node["checkRuns"] == {
                "totalCount": len(jobs),
                "pageInfo": {"hasNextPage": False},
                "nodes": [as_check_run(job) for job in jobs],
            }
    assert {run["status"] for run in three_days[:20]} == {"queued", "in_progress", "completed"}
    assert max(run["run_attempt"] for run in three_days) > 1


def test_every_repositorys_runs_are_found(visit: Any) -> None:
    """A suite's id leads to its repository, whichever it is."""
    visitor: Visitor = visit(days=3, repositories=3)
    names = [one["full_name"] for one in visitor.ask("/orgs/phoenix/repos").json()]
    listed = [visitor.ask(f"/repos/{name}/actions/runs?per_page=1").json()["workflow_runs"] for name in names]
    runs = [run for found in listed for run in found]
    nodes = asked(visitor, QUERY, ids=[run["check_suite_node_id"] for run in runs])["data"]["nodes"]
    for run, node in zip(runs, nodes, strict=True):
        jobs = visitor.session.get(run["jobs_url"], params={"filter": "all"}).json()["jobs"]
        assert node["checkRuns"]["nodes"] == [as_check_run(job) for job in jobs]
    assert len(runs) == 3


def as_check_run(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "databaseId": job["id"],
        "name": job["name"],
        "status": job["status"].upper(),
        "conclusion": job["conclusion"] and job["conclusion"].upper(),
        "startedAt": None if job["status"] == "queued" else job["started_at"],
        "completedAt": job["completed_at"],
    }


def test_what_is_not_there_is_an_error_beside_the_rest(sixty_days: Visitor, three_days: list[dict[str, Any]]) -> None:
    """Each node that cannot be resolved is null with its path, and the others are answered."""
    known = three_days[0]["check_suite_node_id"]
    answer = asked(sixty_days, QUERY, ids=["CS_nothing", known, "CS_AAAAAAAAAAAA", "é"])
    assert [node is None for node in answer["data"]["nodes"]] == [True, False, True, True]
    assert [(error["type"], error["path"]) for error in answer["errors"]] == [
        ("NOT_FOUND", ["nodes", place]) for place in (0, 2, 3)
    ]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("query { nodes(ids: [", "Unexpected end"),
        ("{ nodes(ids: []) { id } } }", "Parse error on '}'"),
        ("{ repository { id } }", "Field 'repository' doesn't exist on type 'Query'"),
        ("{ rateLimit }", "Field must have selections"),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "Variable $ids of type [ID!]! was provided invalid value"),
        ('{ nodes(ids: ["ID"]) { ... on CheckSuite { checkRuns { totalCount } } } }', "must provide a `first`"),
        (
            '{ nodes(ids: ["ID"]) { ... on CheckSuite { checkRuns(first: 101) { totalCount } } } }',
            "exceeds the `first`",
        ),
        ("{ nodes(ids: [%s]) { id } }" % ('"x" ' * 101), "more than 100 node ids; you provided 101"),
    ],
)
def test_what_github_would_not_answer_is_refused(
    sixty_days: Visitor, three_days: list[dict[str, Any]], query: str, words: str
) -> None:
    """With 200, errors and nothing else, or null where the error is."""
    answer = asked(sixty_days, query.replace('"ID"', f'"{three_days[0]["check_suite_node_id"]}"'))
    assert [words in error["message"] for error in answer["errors"]] == [True]
    nodes = (answer.get("data") or {}).get("nodes") or [{"checkRuns": None}]
    assert nodes == [{"checkRuns": None}]


def test_aliases_literals_and_the_budget(visit: Any) -> None:
    """A query costs a point of a budget of its own, which headers, `rateLimit` and /rate_limit show; then no more."""
    visitor: Visitor = visit(days=2)
    query = """query Both { # with a comment
      left: rateLimit { cost remaining resetAt __typename }
      nodes(ids: []) { id }
    }"""
    assert asked(visitor, query)["data"] == {
        "left": {"cost": 1, "remaining": 4999, "resetAt": "2026-11-18T14:49:45Z", "__typename": "RateLimit"},
        "nodes": [],
    }
    resources = visitor.ask("/rate_limit").json()["resources"]
    assert (resources["graphql"]["used"], resources["core"]["used"]) == (1, 0)
    assert visitor.session.post(f"{visitor.address}/graphql", data="{").json()["errors"]
    refused = visitor.session.post(f"{visitor.address}/graphql", headers={"authorization": "bearer bad"})
    assert refused.status_code == 401
    assert visitor.ask("/_control").json()["requests"]["/graphql"] == 3


def test_in_bulk_the_outcomes_are_the_same(visit: Any, tmp_path: Path) -> None:
    """The policies that ask GraphQL end with the runs and jobs that REST gives, for far fewer lists of jobs."""
    visitor: Visitor = visit(days=3)
    found, lists = {}, {}
    for policy in ("full", "failed", "bulk"):
        settings = settings_of(visitor.address, tmp_path / policy, PHOENIX_GITHUB_DETAIL=policy)
        sync_github(settings, clock=lambda: visitor.now)
        found[policy] = outcomes(settings.home)
        requests = visitor.ask("/_control").json()["requests"]
        lists[policy] = requests["/repos/{owner}/{repo}/actions/runs/{run_id}/jobs"]
        assert ("/graphql" in requests) == (policy != "full")
        visitor.session.delete(f"{visitor.address}/_control")
    assert found["full"] == found["failed"] == found["bulk"]
    assert len(found["full"]["jobs"]) > 500
    assert lists["full"] > 2 * lists["failed"] > 2 * lists["bulk"]


def outcomes(home: Path) -> dict[str, list[Any]]:
    """Return every run attempt, and what GraphQL knows of the jobs."""
    columns = {
        "github_run_attempts": "run_id, run_attempt, status, conclusion, run_started_at, updated_at",
        "github_jobs": "job_id, run_id, name, status, conclusion, started_at, completed_at",
    }
    with writing(home) as connection:
        load_landing(connection, home, MODELS)
        return {
            table.removeprefix("github_"): sorted(connection.sql(f"select {names} from staging.{table}").fetchall())
            for table, names in columns.items()
        }
