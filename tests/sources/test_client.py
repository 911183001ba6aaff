"""The transport: real PyGithub against a real server that fails in the ways GitHub does."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from phoenix_metrics.errors import BudgetError, ConnectionFailedError, CredentialError, RepositoryError, SourceError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from tests.github_server import Fault, GitHub


def client(github: GitHub, token: str | None = None) -> GitHubClient:
    return GitHubClient(github.url, SecretStr(token) if token else None, Governor(0.05))


def test_pages_follow_githubs_links_to_the_end(github: GitHub) -> None:
    """250 runs are three requests of 100, along the links in the /repositories/ID form."""
    for run_id in range(1, 251):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    runs = list(client(github).items("/repos/acme/shop/actions/runs", "workflow_runs"))
    assert [run["id"] for run in runs] == list(range(250, 0, -1))
    assert len(github.requests) == 3


def test_threads_never_read_each_others_answers(github: GitHub) -> None:
    """Each of 400 answers fetched by 8 threads is the one that was asked for."""
    for run_id in range(1, 401):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    source = client(github)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda run_id: source.get(f"/repos/acme/shop/actions/runs/{run_id}")["id"], range(1, 401))
        assert list(answers) == list(range(1, 401))


@pytest.mark.parametrize("fault", [Fault("/runs/1$", status=502, count=2), Fault("/runs/1$", breaks_off=True, count=2)])
def test_passing_failures_are_tried_again(github: GitHub, fault: Fault) -> None:
    """Two bad gateways, or two answers that break off, cost two more requests and nothing else."""
    github.add_run(1, "2026-01-02T00:00:00Z")
    github.faults.append(fault)
    assert client(github).get("/repos/acme/shop/actions/runs/1")["id"] == 1
    assert len(github.requests) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault("acme/shop", status=404), RepositoryError, "does not exist or this token may not see it"),
        (Fault("acme/shop", status=451), RepositoryError, "blocked for legal reasons"),
        (Fault("acme/shop", status=403, body={"message": "Resource not accessible"}), CredentialError, "read access"),
        (Fault("acme/shop", status=429), BudgetError, "rate limit"),
        (Fault("acme/shop", status=422, body={"message": "odd"}), SourceError, "422 .odd."),
        (Fault("acme/shop", status=500, count=99), ConnectionFailedError, "keeps failing"),
        (Fault("acme/shop", breaks_off=True, count=99), ConnectionFailedError, "break off"),
        (Fault("acme/shop", status=403, body={"message": "API rate limit exceeded for ID 1."}), BudgetError, "refills"),
    ],
)  # fmt: skip
def test_every_refusal_is_one_clear_line(github: GitHub, fault: Fault, kind: type[SourceError], words: str) -> None:
    """A refusal becomes an error of its kind, on one line."""
    github.faults.append(fault)
    with pytest.raises(kind, match=words) as caught:
        client(github).get("/repos/acme/shop")
    assert "\n" not in str(caught.value)


def test_a_wrong_token_is_refused_without_being_told(github: GitHub) -> None:
    """The error names the variable, never the value."""
    github.token = "right"
    with pytest.raises(CredentialError, match="PHOENIX_GITHUB_TOKEN") as caught:
        client(github, token="very-secret").get("/repos/acme/shop")
    assert "very-secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_no_server_is_one_clear_line() -> None:
    """A refused connection names the address and the variable."""
    with pytest.raises(
        ConnectionFailedError, match=r"http://127\.0\.0\.1:9: it cannot be reached; .*PHOENIX_GITHUB_API_URL"
    ):
        GitHubClient("http://127.0.0.1:9", None, Governor(0.05)).get("/repos/acme/shop")


def test_a_renamed_repository_is_followed(github: GitHub) -> None:
    """GitHub answers an old name with a redirect to the repository's id."""
    github.renamed_from = "acme/store"
    assert client(github).get("/repos/acme/store")["full_name"] == "acme/shop"


def test_the_servers_clock_is_kept_beside_ours(github: GitHub) -> None:
    """The doctor compares the Date header with our clock."""
    source = client(github)
    source.get("/repos/acme/shop")
    assert source.server_time is not None
    assert source.answered_at is not None
    assert abs((source.answered_at - source.server_time).total_seconds()) < 5
