"""What PyGithub 2.10 does by itself and must not do to us; each test names the trap.

Two more are tested beside the transport's other behaviour in test_client.py: a redirect that loses its query, and
GraphQL's partial data; a third in test_artifacts.py: storage on another host, where the token must not go.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from phoenix_metrics.defs.polling import Pass
from phoenix_metrics.errors import BudgetError, ConnectionFailedError, SourceError
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from tests.github_server import Answer, Fault, GitHub
from tests.world import World, serving

OnePass = Callable[..., list[Pass]]

SHOP = "/repos/acme/shop"
RUNS = f"{SHOP}/actions/runs"


def client(github: GitHub, sleep: Callable[[float], None] = lambda seconds: None) -> GitHubClient:
    return GitHubClient(github.url, SecretStr("secret"), Governor(0.05), sleep)


def with_runs(github: GitHub, count: int) -> GitHub:
    for run_id in range(1, count + 1):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    return github


def test_lists_come_in_pages_of_a_hundred(github: GitHub) -> None:
    """Trap: its default of 30 a page triples the requests."""
    source = client(with_runs(github, 100))
    assert len(source.page(RUNS, "workflow_runs").items) == 100
    assert github.requests == [f"{RUNS}?per_page=100"]


def test_a_total_is_read_from_the_page(github: GitHub) -> None:
    """Trap: `totalCount` costs a request of its own."""
    source = client(with_runs(github, 250))
    assert source.page(RUNS, "workflow_runs").total_count == 250
    assert len(github.requests) == 1


def test_no_object_fetches_what_a_payload_leaves_out(github: GitHub, settings: Settings, one_pass: OnePass) -> None:
    """Trap: an attribute that a list leaves out costs a hidden request for each object.

    Runs without `previous_attempt_url`, actors without a name and repositories without a default branch cost no more
    than the repository, its workflows, one list, the searches and one request for each run's jobs.
    """
    with_runs(github, 50)
    one_pass(settings)
    assert github.counted(r"/runs/\d+/jobs") == 50
    assert github.counted(r"/runs/\d+$|/attempts/|/users/|/repos/acme/shop$") <= 1
    assert len(github.requests) < 65


def test_answers_come_word_for_word(github: GitHub) -> None:
    """Trap: `requestJsonAndCheck` and `raw_data` add a `url` of their own to what GitHub sent."""
    assert client(with_runs(github, 2)).get(f"{RUNS}/2") == github.attempts[2][0]


@pytest.mark.parametrize("status", [403, 429])
def test_no_call_sleeps_until_a_limit_is_over(github: GitHub, status: int) -> None:
    """Trap: its retries sleep for up to an hour inside a call, and raise a 429 without Retry-After at once.

    Both end the pass with the time to go on, without a second request and without a sleep.
    """
    sleeps: list[float] = []
    body = {"message": "You have exceeded a secondary rate limit."}
    github.faults.append(Fault("acme/shop", status=status, body=body, headers={"Retry-After": "600"}))
    with pytest.raises(BudgetError) as told:
        client(github, sleeps.append).get(SHOP)
    github.faults.append(Fault("acme/shop", status=status, body=body))
    with pytest.raises(BudgetError) as untold:
        client(github, sleeps.append).get(SHOP)
    now = datetime.now(UTC)
    assert told.value.retry_at is not None
    assert untold.value.retry_at is not None
    assert timedelta(seconds=595) < told.value.retry_at - now <= timedelta(seconds=600)
    assert timedelta(seconds=55) < untold.value.retry_at - now <= timedelta(seconds=60)
    assert (sleeps, len(github.requests)) == ([], 2)


def test_failures_of_the_server_are_tried_with_pauses_and_become_our_error(github: GitHub) -> None:
    """Trap: ten retries within half a second, then a RetryError that is no GithubException."""
    sleeps: list[float] = []
    github.faults.append(Fault("acme/shop", status=502, count=99))
    with pytest.raises(ConnectionFailedError):
        client(github, sleeps.append).get(SHOP)
    assert len(github.requests) == 5
    assert len(sleeps) == 4
    assert sum(sleeps) > 0.25 * 15 / 2


def test_an_unchanged_list_is_recognised_by_its_tag() -> None:
    """Trap: the status is lost on the way, and an ETag without its quotes or W/ never matches."""
    world = World(datetime(2026, 3, 2, 8, tzinfo=UTC))
    world.add_repository("shop")
    with serving(world) as server:
        source = GitHubClient(server.url, SecretStr("secret"), Governor(0.05))
        first = source.page("/orgs/acme/repos", None)
        assert first.etag is not None
        assert first.etag.startswith('W/"')
        assert (first.is_unchanged, len(first.items)) == (False, 1)
        second = source.page("/orgs/acme/repos", None, etag=first.etag)
        assert (second.etag, second.is_unchanged, second.items) == (first.etag, True, [])
        assert server.counted(status=304) == 1
        world.add_repository("store")
        third = source.page("/orgs/acme/repos", None, etag=first.etag)
        assert (third.is_unchanged, len(third.items)) == (False, 2)


def test_the_headers_we_hand_over_never_hold_the_token(github: GitHub) -> None:
    """Trap: it writes Authorization into the caller's dict, which then may be logged or sent elsewhere."""
    headers = {"If-None-Match": '"1"'}
    parameters: dict[str, object] = {"page": 1}
    source = client(github)
    source._request("GET", SHOP, parameters, headers=headers)
    assert headers == {"If-None-Match": '"1"'}
    assert parameters == {"page": 1}


def test_requests_are_paced_by_the_governor_alone(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap: it sleeps a quarter of a second between requests, which 8 threads ignore."""
    source = client(with_runs(github, 20))

    def sleep(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")

    monkeypatch.setattr("github.Requester.time.sleep", sleep)
    for run_id in range(1, 21):
        source.get(f"{RUNS}/{run_id}")
    assert len(github.requests) == 20


def test_each_thread_has_a_wire_of_its_own(github: GitHub) -> None:
    """Trap: its connection keeps verb and address in attributes, so threads that share one mix up their requests."""
    source = client(with_runs(github, 8))
    wires: set[int] = set()
    gate = threading.Barrier(8)

    def work(run_id: int) -> int:
        gate.wait()
        found = source.get(f"{RUNS}/{run_id}")["id"]
        wires.add(id(source._wire()))
        gate.wait()
        return int(found)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(1, 9))) == list(range(1, 9))
    assert len(wires) == 8


def test_an_address_on_another_host_is_an_error_of_ours(github: GitHub) -> None:
    """Trap: it guards against foreign hosts by an AssertionError."""
    github.extra[SHOP] = Answer(301, {}, {"Location": "https://elsewhere.example/repositories/1"})
    with pytest.raises(SourceError):
        client(github).get(SHOP)


def test_an_unfinished_answer_is_not_asked_for_for_ever(github: GitHub) -> None:
    """Trap: a GET answered with 202 is sent again every two seconds, without end; here it is a failure."""
    github.faults.append(Fault("/runs/1$", status=202, body={}))
    assert client(with_runs(github, 1)).get(f"{RUNS}/1")["id"] == 1
    github.faults.append(Fault("/runs/1$", status=202, body={}, count=99))
    with pytest.raises(ConnectionFailedError, match="keeps failing"):
        client(github).get(f"{RUNS}/1")
    assert len(github.requests) == 2 + 5
