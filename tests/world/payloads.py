"""The shapes in which GitHub tells of repositories, workflows, runs and jobs, over the API and in webhooks."""

import hashlib
import hmac
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.world.objects import Attempt, Job, Repository, Run

WEB = "https://github.com"
_COUNTS = ("stargazers_count", "watchers_count", "watchers", "forks_count", "forks", "open_issues_count")
_COUNTS += ("open_issues", "network_count", "subscribers_count")
_FEATURES = ("has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions", "has_downloads")


@dataclass(frozen=True)
class Delivery:
    """One webhook delivery: its number, its event, and its payload as of the moment it tells of."""

    delivery_id: str
    event: str
    payload: dict[str, Any] = field(repr=False)

    @property
    def body(self) -> bytes:
        """The payload as sent."""
        return json.dumps(self.payload).encode()

    def headers(self, secret: str) -> dict[str, str]:
        """Return the headers GitHub sends with it, signed."""
        signature = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/world",
            "X-GitHub-Event": self.event,
            "X-GitHub-Delivery": self.delivery_id,
            "X-Hub-Signature-256": f"sha256={signature}",
        }


def owner_id(login: str) -> int:
    """Return the number of a user or an organisation."""
    return zlib.crc32(login.lower().encode())


def account(login: str, kind: str) -> dict[str, Any]:
    """Return a user or an organisation."""
    number = owner_id(login)
    return {
        "id": number,
        "node_id": f"U_{number}",
        "login": login,
        "type": kind,
        "site_admin": False,
        "gravatar_id": "",
        "url": f"https://api.github.com/users/{login}",
    }


def short_repository(repository: Repository, url: str) -> dict[str, Any]:
    """Return a repository as runs hold it; nothing in it moves with every push."""
    return {
        "id": repository.repository_id,
        "node_id": f"R_{repository.repository_id}",
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": account(repository.owner, "Organization"),
        "html_url": f"{WEB}/{repository.full_name}",
        "description": None,
        "fork": False,
        "url": f"{url}/repos/{repository.full_name}",
    }


def repository_payload(repository: Repository, url: str) -> dict[str, Any]:
    """Return a repository in full."""
    return {
        **short_repository(repository, url),
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
        "pushed_at": repository.pushed_at,
        "size": 100,
        "language": "Python",
        "topics": [],
        "homepage": None,
        "license": None,
        **dict.fromkeys(_COUNTS, 0),
        **dict.fromkeys(_FEATURES, True),
        "default_branch": repository.default_branch,
        "archived": repository.archived,
        "disabled": repository.disabled,
        "visibility": "private" if repository.private else "public",
        "permissions": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
    }


def workflow_path(name: str) -> str:
    """Return the file a workflow is defined in."""
    return f".github/workflows/{name.lower().replace(' ', '-')}.yml"


def workflow_payload(repository: Repository, name: str, url: str) -> dict[str, Any]:
    """Return a workflow as listed."""
    number = repository.workflows[name]
    return {
        "id": number,
        "node_id": f"W_{number}",
        "name": name,
        "path": workflow_path(name),
        "state": "active",
        "created_at": repository.created_at,
        "updated_at": repository.created_at,
        "url": f"{url}/repos/{repository.full_name}/actions/workflows/{number}",
        "html_url": f"{WEB}/{repository.full_name}/blob/{repository.default_branch}/{workflow_path(name)}",
        "badge_url": f"{WEB}/{repository.full_name}/workflows/{name}/badge.svg",
    }


def run_payload(run: Run, attempt: Attempt, url: str) -> dict[str, Any]:
    """Return a run as of one of its attempts."""
    repository = short_repository(run.repository, url)
    mine = f"{url}/repos/{run.repository.full_name}/actions/runs/{run.run_id}"
    earlier = f"{mine}/attempts/{attempt.number - 1}" if attempt.number > 1 else None
    return {
        "id": run.run_id,
        "node_id": f"WFR_{run.run_id}",
        "name": run.workflow,
        "path": workflow_path(run.workflow),
        "workflow_id": run.repository.workflows[run.workflow],
        "run_number": run.number,
        "run_attempt": attempt.number,
        "event": run.event,
        "head_branch": run.branch,
        "head_sha": run.sha,
        "display_title": f"change {run.run_id}",
        "status": attempt.status,
        "conclusion": attempt.conclusion,
        "created_at": run.created_at,
        "run_started_at": attempt.started_at,
        "updated_at": attempt.updated_at,
        "check_suite_id": run.suite_id,
        "check_suite_node_id": run.suite_node_id,
        "url": mine,
        "html_url": f"{WEB}/{run.repository.full_name}/actions/runs/{run.run_id}",
        "jobs_url": f"{mine}/jobs",
        "previous_attempt_url": earlier,
        "pull_requests": [],
        "referenced_workflows": [],
        "actor": account("ada", "User"),
        "triggering_actor": account("ada", "User"),
        "head_commit": {
            "id": run.sha,
            "tree_id": run.sha,
            "message": f"change {run.run_id}",
            "timestamp": run.created_at,
            "author": {"name": "Ada", "email": "ada@example.com"},
            "committer": {"name": "Ada", "email": "ada@example.com"},
        },
        "repository": repository,
        "head_repository": repository,
    }


def job_payload(run: Run, job: Job, url: str) -> dict[str, Any]:
    """Return a job with its steps."""
    base = f"{url}/repos/{run.repository.full_name}"
    return {
        "id": job.job_id,
        "run_id": run.run_id,
        "run_attempt": job.attempt,
        "node_id": f"CR_{job.job_id}",
        "name": job.name,
        "workflow_name": run.workflow,
        "head_sha": run.sha,
        "head_branch": run.branch,
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
        "labels": list(job.labels),
        "runner_id": job.runner_id,
        "runner_name": f"GitHub Actions {job.runner_id}" if job.runner_id else None,
        "runner_group_id": 2 if job.runner_id else None,
        "runner_group_name": "GitHub Actions" if job.runner_id else None,
        "url": f"{base}/actions/jobs/{job.job_id}",
        "run_url": f"{base}/actions/runs/{run.run_id}",
        "html_url": f"{WEB}/{run.repository.full_name}/actions/runs/{run.run_id}/job/{job.job_id}",
        "check_run_url": f"{base}/check-runs/{job.job_id}",
        "steps": _steps(job),
    }


def _steps(job: Job) -> list[dict[str, Any]]:
    if not job.runner_id:
        return []
    set_up = {
        "number": 1,
        "name": "Set up job",
        "status": "completed",
        "conclusion": "success",
        "started_at": job.started_at,
        "completed_at": job.started_at,
    }
    work = {
        "number": 2,
        "name": f"Run {job.name}",
        "status": job.status,
        "conclusion": job.conclusion,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
    }
    return [set_up, work]
