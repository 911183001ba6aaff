"""The simulated organisation itself: it caps, counts, limits, redirects and breaks as GitHub does."""

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from tests.demo.test_api import OPENAPI, _nullable
from tests.world import Chaos, Fault, Limit, Repository, Truth, World, WorldServer, serving
from tests.world.days import Days

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[WorldServer]:
    with serving(World(START)) as served:
        yield served


def get(server: WorldServer, target: str, token: str = "one", **headers: str) -> requests.Response:
    url = target if target.startswith("http") else server.url + target
    headers = {"Authorization": f"token {token}", **headers}
    return requests.get(url, headers=headers, allow_redirects=False, timeout=10)


def ids(answer: requests.Response, key: str) -> list[int]:
    return [item["id"] for item in answer.json()[key]]


def test_an_organisation_of_2000_repositories_is_listed_by_pages(server: WorldServer) -> None:
    """Twenty pages along GitHub's links, newest push first, with deleted and transferred ones left out."""
    made = [server.world.add_repository(f"r{number}") for number in range(2000)]
    server.world.advance(hours=1)
    server.world.create_run(made[7])
    server.world.delete_repository(made[0])
    server.world.transfer_repository(made[1], "elsewhere")
    target: str | None = "/orgs/acme/repos?sort=pushed&per_page=100"
    found: list[dict[str, Any]] = []
    while target:
        answer = get(server, target)
        found += answer.json()
        target = answer.links.get("next", {}).get("url")
    assert found[0]["full_name"] == "acme/r7"
    assert {item["id"] for item in found} == {repository.repository_id for repository in made[2:]}
    assert {item["full_name"] for item in get(server, "/orgs/elsewhere/repos").json()} == {"elsewhere/r1"}
    assert server.counts == {("one", "org_repos"): 21}
    assert get(server, "/orgs/nobody/repos").status_code == 404


def test_filtered_lists_end_at_1000_and_say_how_many_there_are(server: WorldServer) -> None:
    """1,050 runs in a window: ten pages, no eleventh; unfiltered there is one."""
    repository = server.world.add_repository("shop")
    for _ in range(1050):
        server.world.create_run(repository, ())
    base = f"/repositories/{repository.repository_id}/actions/runs?per_page=100"
    last = get(server, f"{base}&page=10&created=>=2026-03-02T08:00:00Z")
    assert (last.json()["total_count"], len(last.json()["workflow_runs"])) == (1050, 100)
    assert "next" not in last.links
    assert ids(get(server, f"{base}&page=11&created=>=2026-03-02"), "workflow_runs") == []
    assert ids(get(server, f"{base}&page=11"), "workflow_runs") == [run.run_id for run in repository.runs[49::-1]]


def test_created_and_status_choose_what_github_would(server: WorldServer) -> None:
    """Ranges include both ends; a status is where a run is or how it ended; startup_failure is no such word."""
    repository, runs = server.world.add_repository("shop"), []
    for conclusion in ("success", "failure", "startup_failure", None):
        run, _ = server.world.create_run(repository, ("test",) if conclusion != "startup_failure" else ())
        runs.append(run.run_id)
        if conclusion:
            server.world.complete(run, conclusion)
        server.world.advance(minutes=1)

    def chosen(query: str) -> list[int]:
        found = get(server, f"/repos/acme/shop/actions/runs?{query}")
        return [runs.index(number) for number in ids(found, "workflow_runs")]

    assert chosen("") == [3, 2, 1, 0]
    assert chosen("created=2026-03-02T08:01:00Z..2026-03-02T08:02:00Z") == [2, 1]
    assert chosen("created=2026-03-02T09:01:00%2B01:00..*") == [3, 2, 1]
    assert chosen("created=>=2026-03-02T08:02:00Z") == [3, 2]
    assert chosen("created=>2026-03-02T08:02:00Z") == [3]
    assert chosen("created=<2026-03-02T08:01:00Z") == [0]
    assert chosen("created=2026-03-02") == [3, 2, 1, 0]
    assert chosen("created=<2026-03-02") == []
    assert chosen("status=completed") == [2, 1, 0]
    assert chosen("status=queued") == [3]
    assert chosen("status=failure") == [1]
    assert get(server, "/repos/acme/shop/actions/runs?status=startup_failure").status_code == 422


@pytest.mark.parametrize(("carried", "numbers"), [("new", 6), ("same", 4), ("kept", 4)])
def test_jobs_that_are_not_run_again_are_carried_over(server: WorldServer, carried: str, numbers: int) -> None:
    """A re-run of the failed job lists the other two again, with their old start and the new attempt's creation."""
    world = server.world
    world.carried = carried
    repository = world.add_repository("shop")
    run, _ = world.create_run(repository, ("build", "test", "lint"))
    world.advance(seconds=5)
    world.start(run)
    world.advance(minutes=3)
    world.complete(run, "failure", failing=["test"])
    world.advance(hours=2)
    world.rerun(run, "failed")
    base = f"/repositories/{repository.repository_id}/actions/runs/{run.run_id}"
    latest, first = get(server, f"{base}/jobs").json()["jobs"], get(server, f"{base}/attempts/1/jobs").json()["jobs"]
    every = get(server, f"{base}/jobs?filter=all").json()
    assert [(job["name"], job["status"], job["started_at"][11:16]) for job in latest] == [
        ("build", "completed", "08:00"),
        ("test", "queued", "10:03"),
        ("lint", "completed", "08:00"),
    ]
    assert {job["created_at"] for job in latest} == {"2026-03-02T10:03:05Z"}
    assert len({job["id"] for job in every["jobs"]}) == numbers == len({job["id"] for job in first + latest})
    assert every["total_count"] == (4 if carried == "kept" else 6)
    assert [job["run_attempt"] for job in latest] == ([1, 2, 1] if carried == "kept" else [2, 2, 2])
    attempts = [get(server, f"{base}/attempts/{number}") for number in (1, 2, 3)]
    assert [answer.json().get("conclusion") for answer in attempts] == ["failure", None, None]
    assert attempts[2].status_code == 404
    assert sum(job.is_carried_over for job in world.truth().jobs) == (0 if carried == "kept" else 2)


def test_an_unchanged_answer_is_free_for_the_token_that_has_it(server: WorldServer) -> None:
    """304 costs nothing; another token's tag does not match; a change brings a new tag."""
    repository = server.world.add_repository("shop")
    run, _ = server.world.create_run(repository)
    target = "/repos/acme/shop/actions/runs?per_page=100"
    tag = get(server, target).headers["ETag"]
    again, other = (get(server, target, token, **{"If-None-Match": tag}) for token in ("one", "two"))
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)
    assert again.headers["x-ratelimit-used"] == "1" == other.headers["x-ratelimit-used"]
    server.world.advance(seconds=1)
    server.world.start(run)
    assert get(server, target, **{"If-None-Match": tag}).status_code == 200
    assert server.counts == {("one", "runs"): 3, ("two", "runs"): 1}


def test_budgets_refill_by_the_worlds_clock_and_overdrafts_are_counted(server: WorldServer) -> None:
    """Three requests in twenty seconds, per token; GraphQL has a budget of its own; /rate_limit is free."""
    server.limits = {"core": Limit(3, 20), "graphql": Limit(1, 20)}
    server.world.add_repository("shop")
    answers = [get(server, "/repos/acme/shop") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 403, 403]
    assert answers[-1].json()["message"].startswith("API rate limit exceeded")
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"
    assert int(answers[-1].headers["x-ratelimit-reset"]) == START.timestamp() + 20
    assert get(server, "/repos/acme/shop", "two").status_code == 200
    assert get(server, "/rate_limit").json()["resources"]["core"]["used"] == 3
    posted = [requests.post(f"{server.url}/graphql", json={"query": "{rateLimit{used}}"}, timeout=10) for _ in "12"]
    assert [answer.headers["x-ratelimit-resource"] for answer in posted] == ["graphql", "graphql"]
    assert (posted[0].json()["data"], posted[1].json()["errors"][0]["type"]) == (
        {"rateLimit": {"used": 0}},
        "RATE_LIMITED",
    )
    assert server.overdrawn == 3
    server.world.advance(seconds=20)
    assert get(server, "/repos/acme/shop").headers["x-ratelimit-used"] == "1"
    assert server.per_hour() == {START: 5}


def test_an_old_name_redirects_with_its_query_and_a_new_owner_of_it_ends_that(server: WorldServer) -> None:
    """The address is by number; deleting the repository leaves neither name nor number."""
    world = server.world
    repository = world.add_repository("shop")
    world.rename_repository(repository, "store")
    moved = get(server, "/repos/acme/shop/actions/runs?page=2&per_page=7")
    number = f"{server.url}/repositories/{repository.repository_id}"
    assert (moved.status_code, moved.headers["Location"]) == (301, f"{number}/actions/runs?page=2&per_page=7")
    assert get(server, number).json()["full_name"] == "acme/store"
    other = world.add_repository("shop")
    assert get(server, "/repos/acme/shop").json()["id"] == other.repository_id
    world.delete_repository(repository)
    assert {get(server, path).status_code for path in ("/repos/acme/store", number)} == {404}


def test_what_is_closed_is_refused_as_github_does(server: WorldServer) -> None:
    """Blocked is 451; without the permission Actions are 403 and name it, the repository is still shown."""
    repository = server.world.add_repository("shop")
    server.world.set_state(repository, "blocked")
    assert get(server, "/repos/acme/shop").status_code == 451
    server.world.set_state(repository, "forbidden")
    refused = get(server, "/repos/acme/shop/actions/runs")
    assert (refused.status_code, refused.headers["x-accepted-github-permissions"]) == (403, "actions=read")
    assert get(server, "/repos/acme/shop").status_code == 200
    server.tokens = {"right"}
    assert get(server, "/repos/acme/shop", "wrong").status_code == 401


def test_every_fault_happens_once_and_is_counted(server: WorldServer) -> None:
    """Refusals say what GitHub says, with and without when to come again; then all is well."""
    server.world.add_repository("shop")
    refusals = {"502": 502, "504": 504, "primary": 403, "secondary": 403, "secondary_bare": 403}
    refusals |= {"429": 429, "429_bare": 429, "moved": 301}
    for kind, status in refusals.items():
        server.faults.append(Fault(kind, "/repos/acme/shop"))
        answer = get(server, "/repos/acme/shop")
        assert answer.status_code == status, kind
        assert ("Retry-After" in answer.headers) == (kind in ("secondary", "429")), kind
    for kind, error in (
        ("truncated", requests.exceptions.ChunkedEncodingError),
        ("garbled", json.JSONDecodeError),
        ("reset", requests.exceptions.ConnectionError),
    ):
        server.faults.append(Fault(kind))
        with pytest.raises(error):
            get(server, "/repos/acme/shop").json()
    assert get(server, "/repos/acme/shop").status_code == 200
    assert server.faults_served == dict.fromkeys([*refusals, "truncated", "garbled", "reset"], 1)


def test_chance_is_the_same_for_the_same_seed(server: WorldServer) -> None:
    """The faults of 60 requests repeat, about a third of them fail, and never three in a row."""
    server.world.add_repository("shop")

    def statuses() -> list[int]:
        server.chaos = Chaos(seed=3, rate=0.4, kinds=("502",))
        return [get(server, "/repos/acme/shop").status_code for _ in range(60)]

    first = statuses()
    assert first == statuses()
    assert 10 < first.count(502) < 30
    assert "502, 502, 502" not in str(first)


def test_webhooks_tell_each_moment_of_a_run(server: WorldServer) -> None:
    """A run of two jobs is ten deliveries, each signed and as of its moment; a held delivery does not change."""
    world = server.world
    repository = world.add_repository("shop")
    run, created = world.create_run(repository)
    told = [*created, *world.start(run, "build"), *world.finish_job(run, "build")]
    told += [*world.start(run), *world.complete(run)]
    names = [f"{delivery.event.split('_')[1]} {delivery.payload['action']}" for delivery in told]
    assert names == [
        "run requested", "job queued", "job queued",
        "run in_progress", "job in_progress",
        "job completed",
        "job in_progress",
        "job completed", "run completed",
    ]  # fmt: skip
    assert created[1].payload["workflow_job"]["status"] == "queued"
    assert created[0].payload["repository"]["id"] == repository.repository_id
    signature = hmac.new(b"secret", created[0].body, hashlib.sha256).hexdigest()
    assert created[0].headers("secret")["X-Hub-Signature-256"] == f"sha256={signature}"
    assert len({delivery.delivery_id for delivery in world.deliveries}) == len(world.deliveries) == 10


def test_the_truth_keeps_what_github_forgets(server: WorldServer) -> None:
    """Deleted and expired runs are 404 at the source and stand in the truth as deleted."""
    world = server.world
    repository = world.add_repository("shop")
    with world.at(START - timedelta(days=100)):
        old, _ = world.create_run(repository, ("test",))
        world.complete(old)
    deleted, _ = world.create_run(repository, ("test",))
    kept, _ = world.create_run(repository, ("test",))
    world.cancel(kept)
    world.delete_run(deleted)
    assert world.expire(timedelta(days=90)) == [old]
    assert get(server, f"/repos/acme/shop/actions/runs/{deleted.run_id}").status_code == 404
    assert ids(get(server, "/repos/acme/shop/actions/runs"), "workflow_runs") == [kept.run_id]
    assert [(row.run_id, row.conclusion, row.is_deleted) for row in world.truth().runs] == [
        (old.run_id, "success", True),
        (deleted.run_id, None, True),
        (kept.run_id, "cancelled", False),
    ]
    assert [row.conclusion for row in world.truth().jobs] == ["success", None, "cancelled"]
    assert not world.can_rerun(old)
    with pytest.raises(ValueError, match="completed"):
        world.cancel(kept)


@pytest.mark.parametrize("carried", ["new", "same", "kept"])
def test_whatever_happens_the_answers_are_the_truth(server: WorldServer, carried: str) -> None:
    """After 400 operations at random, every attempt and job that is not deleted is listed as the truth has it."""
    world, luck = server.world, random.Random(carried)
    world.carried = carried
    repositories = [world.add_repository(name) for name in ("a", "b", "c")]
    for number in range(400):
        world.advance(minutes=luck.randrange(200))
        happen(world, luck, luck.choice(repositories), number)
    world.delete_repository(repositories[2])
    found = [row for repository in repositories[:2] for row in walk(server, repository)]
    truth = world.truth()
    assert sorted(row for row in found if len(row) == 5) == [
        (run.run_id, run.attempt, run.status, run.started_at, run.updated_at)
        for run in truth.runs
        if not run.is_deleted
    ]
    assert sorted(row for row in found if len(row) == 6) == [
        (job.run_id, job.attempt, job.job_id, job.status, job.created_at, job.started_at)
        for job in truth.jobs
        if not job.is_deleted
    ]
    assert len(truth.runs) > 150
    assert {run.attempt for run in truth.runs} >= {1, 2, 3}


def happen(world: World, luck: random.Random, repository: Repository, number: int) -> None:
    runs = repository.runs
    run = luck.choice(runs) if runs and luck.random() < 0.8 else world.create_run(repository)[0]
    if run.latest.status != "completed":
        step = luck.choice((world.start, world.hold, world.cancel, world.complete, world.complete))
        step(run, "failure") if step == world.complete and luck.random() < 0.5 else step(run)
    elif (which := luck.choice(("all", "failed"))) and world.can_rerun(run, which):
        world.rerun(run, which)
    elif number % 10 == 0:
        world.expire(timedelta(days=25))
        world.rename_repository(repository, f"{repository.name}{number}")


def walk(server: WorldServer, repository: Repository) -> Iterator[tuple[Any, ...]]:
    """Read a repository to the end, as (run, attempt, …) of five and (run, attempt, job, …) of six."""
    base: str = f"{server.url}/repositories/{repository.repository_id}/actions/runs"
    target: str | None = f"{base}?per_page=20"
    while target:
        answer = get(server, target)
        target = answer.links.get("next", {}).get("url")
        for run in answer.json()["workflow_runs"]:
            for number in range(1, run["run_attempt"] + 1):
                row = get(server, f"{base}/{run['id']}/attempts/{number}").json()
                yield tuple(row[name] for name in ("id", "run_attempt", "status", "run_started_at", "updated_at"))
            for job in get(server, f"{base}/{run['id']}/jobs?filter=all&per_page=100").json()["jobs"]:
                names = ("run_id", "run_attempt", "id", "status", "created_at", "started_at")
                yield tuple(job[name] for name in names)


def test_a_day_of_work_is_the_same_for_the_same_seed() -> None:
    """About 400 runs of ten repositories happen in order of time, some of them twice, and end by the next day."""

    def truth() -> Truth:
        world = World(START)
        days = Days(world)
        days.plan([world.add_repository(f"r{number}") for number in range(10)], START, 40)
        days.advance_to(START + timedelta(days=3))
        return world.truth()

    first = truth()
    assert first == truth()
    assert 300 < len({run.run_id for run in first.runs}) < 500
    assert {run.attempt for run in first.runs} >= {1, 2}
    assert {job.status for job in first.jobs} == {"completed"}


@pytest.mark.skipif(not Path(OPENAPI).exists(), reason="GitHub's OpenAPI description is not next to this checkout")
def test_every_shape_is_githubs(server: WorldServer) -> None:
    """What is open, done and run again is valid by GitHub's OpenAPI description, but for addresses left out."""
    openapi = _nullable(json.loads(Path(OPENAPI).read_text("utf-8")))
    world = server.world
    run, _ = world.create_run(world.add_repository("shop"))
    world.complete(run, "failure")
    world.rerun(run, "failed")
    base = "/repos/{owner}/{repo}"
    templates = {"": "", "/actions/workflows": "", "/actions/runs": "", "/actions/runs/{run_id}": ""}
    templates |= {"/actions/runs/{run_id}/jobs": "?filter=all", "/actions/runs/{run_id}/attempts/{attempt_number}": ""}
    paths = {base + path: query for path, query in templates.items()} | {"/orgs/{org}/repos": ""}
    for template, query in paths.items():
        schema = openapi["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        named = {"owner": "acme", "org": "acme", "repo": "shop", "run_id": run.run_id, "attempt_number": 1}
        payload = get(server, template.format(**named) + query).json()
        validator = jsonschema.Draft4Validator({**schema, "components": openapi["components"]})
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(payload)]
        assert [error for error in errors if not error.endswith("_url' is a required property")] == [], template
