"""What GitHub's webhooks say, as of the moment at which something happened."""

from typing import Any

from phoenix_metrics.demo import addresses, payloads
from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.pull_requests import proposal, whole_payload
from phoenix_metrics.demo.releases import release_payload
from phoenix_metrics.demo.repositories import ORGANIZATION
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.world import World

_PUSHES = ("push", "pull_request")


def told_of_run(world: World, run: Run, attempt_number: int, at: int, api: str) -> dict[str, Any]:
    """Return what `workflow_run` says of an attempt besides what every event says."""
    place = Place(api, world.repository)
    shown = payloads.run_payload(place, run, world.number(run), at, attempt_number=attempt_number)
    return {"workflow_run": shown, "workflow": payloads.workflow_payload(place, run.trigger.workflow)}


def told_of_job(world: World, run: Run, attempt: tuple[int, Job], at: int, api: str) -> dict[str, Any]:
    """Return what `workflow_job` says of a job, with the number of its attempt, besides what every event says."""
    return {"workflow_job": payloads.job_payload(Place(api, world.repository), run, *attempt, at)}


def told_of_pull_request(world: World, number: int, at: int, api: str) -> dict[str, Any]:
    """Return what `pull_request` says of one besides what every event says."""
    place, shown = Place(api, world.repository), proposal(world, number, at)
    if shown is None:
        raise ValueError(f"there is no pull request {number} yet")
    repository = addresses.listed_repository(place, _pushed_at(world, at))
    return {"number": number, "pull_request": whole_payload(place, world.universe, shown, repository)}


def told_of_release(world: World, run: Run, at: int, api: str) -> dict[str, Any]:
    """Return what `release` says of what a run published; it is told in the name of who published it."""
    shown = release_payload(Place(api, world.repository), run, at)
    return {"release": shown, "sender": shown["author"]}


def told_of_all(world: World, by: Developer, at: int, api: str) -> dict[str, Any]:
    """Return what every event says: where it happened, and who caused it."""
    return {
        "repository": addresses.listed_repository(Place(api, world.repository), _pushed_at(world, at)),
        "organization": _organization(api),
        "sender": addresses.user(api, by),
    }


def _organization(api: str) -> dict[str, Any]:
    account = addresses.organization(api)
    url = f"{api}/orgs/{ORGANIZATION}"
    links = {f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")}
    members = {"members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}"}
    kept = {name: account[name] for name in ("login", "id", "node_id", "avatar_url")}
    return {**kept, "url": url, **links, **members, "description": ""}


def _pushed_at(world: World, at: int) -> str:
    for day in range(at // DAY, world.oldest(at) // DAY - 1, -1):
        for run in reversed(world.day(day)):
            if run.trigger.event in _PUSHES and run.trigger.at <= at:
                return written(run.trigger.at)
    return FOUNDED_AT
