"""What GitHub's webhooks say, as of the moment at which something happened."""

from typing import Any

from phoenix_metrics.demo import addresses, payloads
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.universe import DAY, FOUNDED
from phoenix_metrics.demo.world import World

_PUSHES = ("push", "pull_request")


def told_of_run(world: World, run: Run, attempt_number: int, at: int, api: str) -> dict[str, Any]:
    """Return what `workflow_run` says of an attempt besides what every event says."""
    shown = payloads.run_payload(api, run, world.number(run), at, attempt_number=attempt_number)
    return {"workflow_run": shown, "workflow": payloads.workflow_payload(api, run.trigger.workflow)}


def told_of_job(run: Run, attempt_number: int, job: Job, at: int, api: str) -> dict[str, Any]:
    """Return what `workflow_job` says of a job besides what every event says."""
    return {"workflow_job": payloads.job_payload(api, run, attempt_number, job, at)}


def told_of_all(api: str, world: World, by: Developer, at: int) -> dict[str, Any]:
    """Return what every event says: where it happened, and who caused it."""
    return {
        "repository": addresses.listed_repository(api, _pushed_at(world, at)),
        "organization": _organization(api),
        "sender": addresses.user(api, by),
    }


def _organization(api: str) -> dict[str, Any]:
    account = addresses.organization(api)
    url = f"{api}/orgs/{addresses.ORGANIZATION}"
    links = {f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")}
    members = {"members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}"}
    kept = {name: account[name] for name in ("login", "id", "node_id", "avatar_url")}
    return {**kept, "url": url, **links, **members, "description": ""}


def _pushed_at(world: World, at: int) -> str:
    for day in range(at // DAY, FOUNDED - 1, -1):
        for run in reversed(world.day(day)):
            if run.trigger.event in _PUSHES and run.trigger.at <= at:
                return written(run.trigger.at)
    return FOUNDED_AT
