"""Jobs in bulk by GraphQL: the same as REST tells, for a hundredth of the requests, and doubt instead of errors."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from phoenix_metrics.errors import BudgetError, ConnectionFailedError
from phoenix_metrics.sources.github.bulk import SuiteJobs, fetch_check_runs
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from tests.world import Fault, Limit, Run, World, WorldServer, serving

SHARED_FIELDS = ("id", "name", "status", "conclusion", "started_at", "completed_at")


@pytest.fixture
def server() -> Iterator[WorldServer]:
    with serving(World(datetime(2026, 3, 2, 8, tzinfo=UTC))) as served:
        yield served


def client(server: WorldServer) -> GitHubClient:
    return GitHubClient(server.url, None, Governor(0.05), sleep=lambda seconds: None)


def finished_runs(server: WorldServer, count: int, jobs: tuple[str, ...] = ("build", "test")) -> list[Run]:
    repository, runs = server.world.add_repository("shop"), []
    for number in range(count):
        run, _ = server.world.create_run(repository, jobs)
        server.world.advance(seconds=30)
        server.world.complete(run, "failure" if number % 3 == 0 else "success")
        runs.append(run)
    return runs


def fetched(server: WorldServer, runs: list[Run]) -> list[SuiteJobs]:
    return list(fetch_check_runs(client(server), [run.suite_node_id for run in runs]))


def by_rest(server: WorldServer, run: Run) -> list[dict[str, object]]:
    path = f"/repositories/{run.repository.repository_id}/actions/runs/{run.run_id}/jobs"
    jobs = client(server).items(path, "jobs", filter="all")
    return [{name: job[name] for name in SHARED_FIELDS} for job in jobs]


def test_250_runs_are_three_requests_that_say_what_rest_says(server: WorldServer) -> None:
    """Every job has REST's number, name, state and times, and every suite comes in the order asked for."""
    runs = finished_runs(server, 249)
    open_run, _ = server.world.create_run(runs[0].repository, ("build", "wait"))
    server.world.start(open_run, "build")
    suites = fetched(server, [*runs, open_run])
    assert server.counted("graphql") == len(server.requests) == 3
    assert [suite.node_id for suite in suites] == [run.suite_node_id for run in [*runs, open_run]]
    assert {(suite.total_count, suite.needs_rest) for suite in suites} == {(2, False)}
    for suite, run in [*zip(suites[:5], runs[:5], strict=True), (suites[-1], open_run)]:
        assert list(suite.jobs) == by_rest(server, run)


def test_more_than_a_hundred_jobs_and_unknown_suites_are_left_to_rest(server: WorldServer) -> None:
    """A long suite, a deleted run's and one that fails below its node need REST; their neighbours do not."""
    long, gone, broken, fine = (
        finished_runs(server, 1, tuple(f"test ({number})" for number in range(101)))[0],
        *(server.world.create_run(server.world.add_repository(name))[0] for name in ("gone", "broken", "fine")),
    )
    server.world.delete_run(gone)
    server.broken_suites = {broken.suite_node_id}
    found = fetched(server, [long, gone, broken, fine])
    assert [(suite.needs_rest, suite.total_count, len(suite.jobs)) for suite in found] == [
        (True, 101, 0),
        (True, None, 0),
        (True, None, 0),
        (False, 2, 2),
    ]
    assert server.counted("graphql") == 1


def test_a_batch_too_large_for_the_server_is_halved(server: WorldServer) -> None:
    """With 30 suites at most, 100 are read as four quarters; nothing is left to REST."""
    runs = finished_runs(server, 100)
    server.graphql_batch = 30
    found = fetched(server, runs)
    assert [suite.node_id for suite in found] == [run.suite_node_id for run in runs]
    assert not any(suite.needs_rest for suite in found)
    assert server.counted("graphql", status=200) == 4


def test_two_suites_that_fail_alone_mean_the_server_fails(server: WorldServer) -> None:
    """One of them may be too heavy and is left to REST; the second ends the reading."""
    runs = finished_runs(server, 2)
    server.graphql_batch = 0
    reading = fetch_check_runs(client(server), [run.suite_node_id for run in runs])
    assert next(reading) == SuiteJobs(runs[0].suite_node_id, needs_rest=True)
    with pytest.raises(ConnectionFailedError):
        next(reading)


def test_used_up_points_end_the_reading_with_when_to_go_on(server: WorldServer) -> None:
    """The batches before came whole; RATE_LIMITED in an answer of status 200 is a spent budget."""
    server.limits["graphql"] = Limit(1, 3600)
    runs = finished_runs(server, 101)
    reading = fetch_check_runs(client(server), [run.suite_node_id for run in runs])
    assert [next(reading).needs_rest for _ in range(100)] == [False] * 100
    with pytest.raises(BudgetError, match="graphql") as caught:
        next(reading)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["truncated", "garbled"])
def test_answers_that_break_off_are_asked_for_again(server: WorldServer, kind: str) -> None:
    """A fault that passes leaves nothing to REST."""
    runs = finished_runs(server, 3)
    server.faults.append(Fault(kind, "graphql"))
    assert [suite.needs_rest for suite in fetched(server, runs)] == [False] * 3
    assert server.faults_served == {kind: 1}


def test_no_suites_are_no_requests(server: WorldServer) -> None:
    """An empty list asks nothing."""
    assert list(fetch_check_runs(client(server), [])) == []
    assert server.requests == []


def test_the_simulated_graphql_knows_no_more_than_githubs_schema(server: WorldServer) -> None:
    """A field that GitHub's schema does not have is refused, so a query that passes here is valid there."""
    answer = client(server).graphql(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on CheckRun { labels } } }", {"ids": []}
    )
    assert answer.data is None
    assert "Cannot query field 'labels' on type 'CheckRun'" in answer.errors[0]["message"]
