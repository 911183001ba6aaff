"""The transport: real PyGithub against a real server that fails, moves and refuses in the ways GitHub does."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from phoenix_metrics.errors import (
    AccessError,
    BlockedError,
    BudgetError,
    ConnectionFailedError,
    CredentialError,
    GoneError,
    RepositoryError,
    SourceError,
)
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.credentials import TokenCredential
from phoenix_metrics.sources.github.governor import Governor
from tests.github_server import Answer, Fault, GitHub

SHOP = "/repos/acme/shop"
RUNS = f"{SHOP}/actions/runs"
FORBIDDEN = {"message": "Resource not accessible by personal access token"}


def client(github: GitHub, token: str | None = None, sleeps: list[float] | None = None) -> GitHubClient:
    slept = sleeps if sleeps is not None else []
    return GitHubClient(github.url, SecretStr(token) if token else None, Governor(0.05), sleep=slept.append)


@dataclass
class Listener:
    """A server that answers every request alike and keeps the request lines and headers as they came."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    heard: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [line for line, _ in self.heard]


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): text for name, text in self.headers.items()}
            listening.heard.append((f"{self.command} {self.path}", headers))
            self.send_response(listening.status)
            for name, text in {**listening.headers, "Content-Length": str(len(listening.body))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(listening.body)

        def do_POST(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield listening
    server.shutdown()
    server.server_close()
    thread.join()


# -- pages and threads


def test_pages_follow_githubs_links_to_the_end(github: GitHub) -> None:
    """250 runs are three requests of 100, along the links in the /repositories/ID form."""
    for run_id in range(1, 251):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    runs = list(client(github).items(RUNS, "workflow_runs"))
    assert [run["id"] for run in runs] == list(range(250, 0, -1))
    assert len(github.requests) == 3


def test_threads_never_read_each_others_answers(github: GitHub) -> None:
    """Each of 400 answers fetched by 8 threads is the one that was asked for."""
    for run_id in range(1, 401):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    source = client(github)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda run_id: source.get(f"{RUNS}/{run_id}")["id"], range(1, 401))
        assert list(answers) == list(range(1, 401))
    assert source.request_count == source.governor.request_count == 400


def test_a_part_of_the_work_can_be_counted_by_itself(github: GitHub) -> None:
    """A counted client is the same one with a count of its own; the governor counts both."""
    source = client(github)
    source.get(SHOP)
    part = source.counted()
    part.get(SHOP)
    part.get(SHOP)
    assert (source.request_count, part.request_count, source.governor.request_count) == (1, 2, 3)


# -- what passes, and what does not


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/runs/1$", status=500, count=2),
        Fault("/runs/1$", status=502, count=2),
        Fault("/runs/1$", status=504, count=2),
        Fault("/runs/1$", breaks_off=True, count=2),
    ],
)
def test_passing_failures_are_tried_again(github: GitHub, fault: Fault) -> None:
    """Two bad gateways, or two answers that break off, cost two more requests and short waits that grow."""
    github.add_run(1, "2026-01-02T00:00:00Z")
    github.faults.append(fault)
    sleeps: list[float] = []
    assert client(github, sleeps=sleeps).get(f"{RUNS}/1")["id"] == 1
    assert len(github.requests) == 3
    assert 0.125 <= sleeps[0] <= 0.375 < 2 * sleeps[1] <= 1.5


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b"12", b'"words"', b'{"id": 1'])
def test_a_good_answer_that_is_no_json_is_asked_for_again(listener: Listener, body: bytes) -> None:
    """A proxy's page with status 200 is no answer; five of them are an error of one line."""
    listener.body = body
    source = GitHubClient(listener.url, None, Governor(0.05), sleep=lambda seconds: None)
    with pytest.raises(ConnectionFailedError, match="break off"):
        source.get(SHOP)
    assert len(listener.heard) == 5


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault("acme/shop", status=404), RepositoryError, "does not exist or this token may not see it"),
        (Fault("acme/shop", status=410), GoneError, "is gone"),
        (Fault("acme/shop", status=451), BlockedError, "blocked for legal reasons"),
        (Fault("acme/shop", status=403, body=FORBIDDEN), AccessError, "read access"),
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
        client(github).get(SHOP)
    assert "\n" not in str(caught.value)


def test_a_forbidden_thing_names_the_permission(github: GitHub) -> None:
    """GitHub says which permission a fine-grained token lacks; we pass it on."""
    told = {"x-accepted-github-permissions": "administration=read"}
    github.faults.append(Fault("runners", status=403, body=FORBIDDEN, headers=told))
    with pytest.raises(AccessError, match="it needs administration=read") as caught:
        client(github).get(f"{SHOP}/actions/runners")
    assert caught.value.permission == "administration=read"


def test_a_wrong_token_is_refused_without_being_told(github: GitHub) -> None:
    """The error names the variable, never the value."""
    github.token = "right"
    with pytest.raises(CredentialError, match="PHOENIX_GITHUB_TOKEN") as caught:
        client(github, token="very-secret").get(SHOP)
    assert "very-secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(github.requests) == 1


def test_a_refused_token_is_renewed_once(github: GitHub) -> None:
    """An App's token that GitHub no longer takes is replaced and the request sent again; twice is an error."""

    class Renewing(TokenCredential):
        def __init__(self, tokens: list[str]) -> None:
            super().__init__(tokens[0])
            self.tokens = tokens

        def token(self) -> str:
            return self.tokens[0]

        def renew(self, refused: str | None) -> bool:
            assert refused == self.tokens[0]
            self.tokens.pop(0)
            return True

    github.token = "fresh"
    assert GitHubClient(github.url, Renewing(["stale", "fresh"]), Governor(0.05)).get(SHOP)["id"] == 1
    assert len(github.requests) == 2
    with pytest.raises(CredentialError):
        GitHubClient(github.url, Renewing(["stale", "old", "fresh"]), Governor(0.05)).get(SHOP)
    assert len(github.requests) == 4


def test_no_server_is_one_clear_line() -> None:
    """A refused connection names the address and the variable."""
    with pytest.raises(
        ConnectionFailedError, match=r"http://127\.0\.0\.1:9: it cannot be reached; .*PHOENIX_GITHUB_API_URL"
    ):
        GitHubClient("http://127.0.0.1:9", None, Governor(0.05)).get(SHOP)


# -- redirects and the token


def test_a_renamed_repository_is_followed(github: GitHub) -> None:
    """GitHub answers an old name with a redirect to the repository's id."""
    github.renamed_from = "acme/store"
    assert client(github).get("/repos/acme/store")["full_name"] == "acme/shop"


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_keeps_the_query_unless_it_brings_one(github: GitHub, status: int) -> None:
    """The third page of a filtered list of a renamed repository is still that page."""
    for run_id in range(1, 251):
        github.add_run(run_id, "2026-01-02T00:00:00Z")
    moved = f"{github.url}/repositories/1/actions/runs"
    github.extra["/repos/acme/old/actions/runs"] = Answer(status, {}, {"Location": moved})
    github.extra["/repos/acme/older/actions/runs"] = Answer(status, {}, {"Location": f"{moved}?per_page=2&page=5"})
    source = client(github)
    third = source.page("/repos/acme/old/actions/runs", "workflow_runs", page=3, status="success")
    assert [run["id"] for run in third.items] == list(range(50, 0, -1))
    assert "page=3" in github.requests[1]
    assert "status=success" in github.requests[1]
    told = source.page("/repos/acme/older/actions/runs", "workflow_runs", page=3)
    assert [run["id"] for run in told.items] == [242, 241]


def test_a_redirect_to_another_host_is_not_followed(github: GitHub, listener: Listener) -> None:
    """Whoever redirects elsewhere gets an error; no request and so no token goes there."""
    github.extra[SHOP] = Answer(301, {}, {"Location": f"{listener.url}/repositories/1"})
    with pytest.raises(SourceError, match="redirects to another host; check PHOENIX_GITHUB_API_URL"):
        client(github, token="secret").get(SHOP)
    assert listener.heard == []


def test_a_redirect_in_a_circle_ends(github: GitHub) -> None:
    """Three redirects, then an error that names the address."""
    github.extra[SHOP] = Answer(301, {}, {"Location": f"{github.url}{SHOP}"})
    with pytest.raises(SourceError, match="redirects in a circle"):
        client(github).get(SHOP)
    assert len(github.requests) == 3


def test_a_files_address_is_told_and_not_followed(github: GitHub, listener: Listener) -> None:
    """An artifact's storage is not GitHub's API: its address is returned, and nothing is sent there."""
    address = f"{listener.url}/store/file.zip?sig=1"
    github.extra["/repositories/1/actions/artifacts/7/zip"] = Answer(302, {}, {"Location": address})
    assert client(github, token="secret").redirect("/repositories/1/actions/artifacts/7/zip") == address
    assert listener.heard == []


def test_a_token_is_in_no_log(github: GitHub, caplog: pytest.LogCaptureFixture) -> None:
    """Even at DEBUG, what PyGithub, requests and urllib3 write out holds no token."""
    github.add_run(1, "2026-01-02T00:00:00Z")
    github.faults.append(Fault("/runs/1$", status=502))
    with caplog.at_level(logging.DEBUG):
        client(github, token="very-secret").get(f"{RUNS}/1")
    assert "very-secret" not in caplog.text
    assert len(github.requests) == 2


# -- what is sent


def test_every_request_says_who_asks_and_which_api_it_means(listener: Listener) -> None:
    """The API version is fixed: a later one drops fields that lead times need."""
    source = GitHubClient(listener.url, SecretStr("secret"), Governor(0.05))
    source.get("/rate_limit")
    source.post("/orgs/acme/hooks/1/deliveries/2/attempts")
    source.graphql("query { viewer { login } }", {})
    assert listener.lines == [
        "GET /rate_limit",
        "POST /orgs/acme/hooks/1/deliveries/2/attempts",
        "POST /graphql",
    ]
    for _, headers in listener.heard:
        assert headers["authorization"] == "token secret"
        assert headers["user-agent"] == "phoenix-metrics"
        assert headers["x-github-api-version"] == "2022-11-28"


def test_an_enterprise_server_has_its_api_below_a_path(listener: Listener) -> None:
    """REST lies under /api/v3, GraphQL under /api/graphql; links and redirects stay there."""
    source = GitHubClient(f"{listener.url}/api/v3", None, Governor(0.05))
    listener.headers["Link"] = f'<{listener.url}/api/v3/repositories/1/actions/runs?page=2>; rel="next"'
    listener.body = b'{"workflow_runs": [{"id": 1}], "total_count": 2}'
    first = source.page(RUNS, "workflow_runs")
    del listener.headers["Link"]
    assert [page.items for page in source.pages_after(first, "workflow_runs")] == [[{"id": 1}]]
    source.graphql("query { viewer { login } }", {})
    assert listener.lines == [
        "GET /api/v3/repos/acme/shop/actions/runs?per_page=100",
        "GET /api/v3/repositories/1/actions/runs?page=2",
        "POST /api/graphql",
    ]


def test_a_netrc_file_lends_no_credential(listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the configured token is ever sent."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ada password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    GitHubClient(listener.url, SecretStr("mine"), Governor(0.05)).get("/rate_limit")
    assert listener.heard[0][1]["authorization"] == "token mine"


# -- GraphQL


def test_graphql_gives_what_data_there_is_beside_its_errors(listener: Listener) -> None:
    """One node that fails does not take its neighbours with it."""
    listener.body = b'{"data": {"a": {"id": 1}, "b": null}, "errors": [{"type": "NOT_FOUND", "path": ["b"]}]}'
    answer = GitHubClient(listener.url, None, Governor(0.05)).graphql("query { a b }", {})
    assert answer.data == {"a": {"id": 1}, "b": None}
    assert [error["type"] for error in answer.errors] == ["NOT_FOUND"]


def test_graphqls_limit_is_recognised_although_its_status_is_200(listener: Listener) -> None:
    """An answer of type RATE_LIMITED ends the pass; it is asked once."""
    listener.body = b'{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
    with pytest.raises(BudgetError):
        GitHubClient(listener.url, None, Governor(0.05)).graphql("query { viewer { login } }", {})
    assert len(listener.heard) == 1


def test_the_servers_clock_is_kept_beside_ours(github: GitHub) -> None:
    """The doctor compares the Date header with our clock."""
    source = client(github)
    source.get(SHOP)
    assert source.server_time is not None
    assert source.answered_at is not None
    assert abs((source.answered_at - source.server_time).total_seconds()) < 5
