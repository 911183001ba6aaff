"""Runs, jobs, steps and workflows at one moment as GitHub's JSON."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place, repository, user
from phoenix_metrics.demo.moment import attempt_state, job_state, step_state, visible_attempts
from phoenix_metrics.demo.repositories import Repository
from phoenix_metrics.demo.runs import Attempt, Commit, Job, PullRequest, Run
from phoenix_metrics.demo.steps import Step, steps_of
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.workflows import STANDARD_RUNNER, Workflow

_CHECK_SUITES = 36_000_000_000  # added to a run's id to give its check suite's
_LARGER_RUNNERS = 3  # the id of their group
_PULL_REQUESTS = 2_100_000_000  # added to a pull request's number to give its id
_PULL_REQUESTS_EACH = 1_000_000  # ids that each repository has for itself
_WORKFLOWS_EACH = 10


def run_payload(
    place: Place, run: Run, number: int, now: int, *, attempt_number: int | None = None, with_pull_requests: bool = True
) -> dict[str, Any]:
    """Return a run at a moment, showing its latest attempt or the one asked for."""
    attempts = visible_attempts(run, now)
    attempt = attempts[(attempt_number or len(attempts)) - 1]
    trigger, state = run.trigger, attempt_state(attempt, now)
    pull_request = trigger.pull_request if with_pull_requests else None
    return {
        "id": run.id,
        "name": trigger.workflow.path if trigger.is_malformed else trigger.workflow.name,
        "node_id": node_id("WFR", run.id),
        "head_branch": trigger.branch,
        "head_sha": trigger.commit.sha,
        "path": trigger.workflow.path,
        "display_title": trigger.title,
        "run_number": number,
        "event": trigger.event,
        "status": state.status,
        "conclusion": state.conclusion,
        "workflow_id": workflow_id(place.repository, trigger.workflow),
        "check_suite_id": check_suite_id(run),
        "check_suite_node_id": node_id("CS", check_suite_id(run)),
        "pull_requests": [pull_request_named(place, pull_request, trigger.commit.sha)] if pull_request else [],
        "created_at": written(trigger.at),
        "updated_at": written(state.updated_at),
        "actor": user(place.api, trigger.actor),
        "run_attempt": attempt.number,
        "referenced_workflows": [],
        "run_started_at": written(attempt.started_at),
        "triggering_actor": user(place.api, attempt.actor),
        **_run_addresses(place, run, attempt),
        "head_commit": _commit(trigger.commit),
        "repository": repository(place),
        "head_repository": repository(place),
    }


def job_payload(place: Place, run: Run, attempt_number: int, job: Job, now: int) -> dict[str, Any]:
    """Return a job at a moment; a runner shows only once it has taken the job."""
    url, state = place.url, job_state(job, now)
    is_waiting = state.status == "queued"
    return {
        "id": job.id,
        "run_id": run.id,
        "workflow_name": run.trigger.workflow.name,
        "head_branch": run.trigger.branch,
        "run_url": f"{url}/actions/runs/{run.id}",
        "run_attempt": attempt_number,
        "node_id": node_id("CR", job.id),
        "head_sha": run.trigger.commit.sha,
        "url": f"{url}/actions/jobs/{job.id}",
        "html_url": f"{place.repository.web}/actions/runs/{run.id}/job/{job.id}",
        "status": state.status,
        "conclusion": state.conclusion,
        "created_at": written(job.created_at),
        "started_at": written(job.created_at if is_waiting else job.started_at),
        "completed_at": written(job.completed_at) if state.status == "completed" else None,
        "name": job.name,
        "steps": [] if is_waiting else [_step(step, now) for step in steps_of(job)],
        "check_run_url": f"{url}/check-runs/{job.id}",
        "labels": [] if job.conclusion == "skipped" else [job.label],
        **_runner(None if is_waiting else job.runner, job.label),
    }


def check_suite_id(run: Run) -> int:
    """Return the id of a run's check suite."""
    return run.id + _CHECK_SUITES


def workflow_id(of: Repository, workflow: Workflow) -> int:
    """Return the id of a repository's workflow file."""
    return workflow.id + of.number * _WORKFLOWS_EACH


def workflow_payload(place: Place, workflow: Workflow) -> dict[str, Any]:
    """Return a workflow file."""
    return {
        "id": workflow_id(place.repository, workflow),
        "node_id": node_id("W", workflow_id(place.repository, workflow)),
        "name": workflow.name,
        "path": workflow.path,
        "state": "active",
        "created_at": FOUNDED_AT,
        "updated_at": FOUNDED_AT,
        "url": f"{place.url}/actions/workflows/{workflow_id(place.repository, workflow)}",
        "html_url": f"{place.repository.web}/blob/{DEFAULT_BRANCH}/{workflow.path}",
        "badge_url": f"{place.repository.web}/workflows/{workflow.name.replace(' ', '%20')}/badge.svg",
    }


def _run_addresses(place: Place, run: Run, attempt: Attempt) -> dict[str, Any]:
    base = place.url
    url = f"{base}/actions/runs/{run.id}"
    return {
        "url": url,
        "html_url": f"{place.repository.web}/actions/runs/{run.id}",
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{base}/check-suites/{check_suite_id(run)}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{attempt.number - 1}" if attempt.number > 1 else None,
        "workflow_url": f"{base}/actions/workflows/{workflow_id(place.repository, run.trigger.workflow)}",
    }


def _commit(commit: Commit) -> dict[str, Any]:
    person = {"name": commit.author.name, "email": commit.author.email}
    return {
        "id": commit.sha,
        "tree_id": commit.sha[::-1],
        "message": commit.title,
        "timestamp": written(commit.at),
        "author": person,
        "committer": person,
    }


def pull_request_id(of: Repository, number: int) -> int:
    """Return the id of a repository's pull request."""
    return _PULL_REQUESTS + of.number * _PULL_REQUESTS_EACH + number


def pull_request_named(place: Place, pull_request: PullRequest, head_sha: str) -> dict[str, Any]:
    """Return a pull request as runs and checks name it."""
    url, known = place.url, place.repository
    here = {"id": known.id, "url": url, "name": known.name}
    return {
        "id": pull_request_id(known, pull_request.number),
        "number": pull_request.number,
        "url": f"{url}/pulls/{pull_request.number}",
        "head": {"ref": pull_request.branch, "sha": head_sha, "repo": here},
        "base": {"ref": DEFAULT_BRANCH, "sha": pull_request.base_sha, "repo": here},
    }


def _runner(number: int | None, label: str) -> dict[str, Any]:
    if number is None:
        return dict.fromkeys(("runner_id", "runner_name", "runner_group_id", "runner_group_name"))
    name, group, group_id = f"GitHub Actions {number}", "GitHub Actions", 0
    if label != STANDARD_RUNNER:
        name, group, group_id = f"{label}_{number:012x}", "Default Larger Runners", _LARGER_RUNNERS
    return {"runner_id": number, "runner_name": name, "runner_group_id": group_id, "runner_group_name": group}


def _step(step: Step, now: int) -> dict[str, Any]:
    state = step_state(step, now)
    return {
        "name": step.name,
        "status": state.status,
        "conclusion": state.conclusion,
        "number": step.number,
        "started_at": None if state.status == "queued" else written(step.started_at),
        "completed_at": written(step.completed_at) if state.status == "completed" else None,
    }


def node_id(prefix: str, number: int) -> str:
    """Return GraphQL's id of an object."""
    return f"{prefix}_{urlsafe_b64encode(number.to_bytes(9)).decode()}"


def run_of_suite(node: str) -> int | None:
    """Return the id of the run whose check suite has an id of GraphQL's, None for what is no such id."""
    try:
        digits = urlsafe_b64decode(node.removeprefix("CS_"))
    except ValueError:
        return None
    number = int.from_bytes(digits[:9])
    return number - _CHECK_SUITES if node_id("CS", number) == node and number >= _CHECK_SUITES else None
