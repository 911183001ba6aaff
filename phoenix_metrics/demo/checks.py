"""Checks of commits: the jobs as check runs, and what Codecov says about the coverage as commit statuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo import annotations
from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place, bot, organization
from phoenix_metrics.demo.changes import main_head, story
from phoenix_metrics.demo.coverage import (
    FLAGS,
    PATCH_TARGET,
    PROJECT_TARGET,
    PROJECT_THRESHOLD,
    patch_ratio,
    project_ratio,
)
from phoenix_metrics.demo.moment import job_state, visible_attempts, visible_jobs
from phoenix_metrics.demo.payloads import check_suite_id, pull_request_named
from phoenix_metrics.demo.runs import Commit, Job, Run, Trigger
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.uploads import uploads_of
from phoenix_metrics.demo.workflows import CI
from phoenix_metrics.demo.world import World

ACTIONS_APP = 15_368
_CODECOV_BOT = ("codecov", 22_429_695)
_STATUSES = 30_000_000_000  # added to twice a run's id to give those of its statuses


@dataclass(frozen=True, slots=True)
class Status:
    """What Codecov said about a commit."""

    id: int
    context: str
    state: str
    description: str
    sha: str
    at: int


def runs_of(world: World, reference: str, now: int) -> list[Run]:
    """Return the runs on a commit, given its hash or a branch or tag whose head it is, newest first; often none."""
    known = world.runs(now)
    head = next((run for run in known if run.trigger.branch == reference), None)
    sha = head.trigger.commit.sha if head else reference
    return [run for run in known if run.trigger.commit.sha == sha]


def main_commit(world: World, now: int) -> Commit:
    """Return the commit at the head of main, which may be one that broke it."""
    newest = next((run for run in world.runs(now) if run.trigger.branch == DEFAULT_BRANCH), None)
    return newest.trigger.commit if newest else main_head(world.universe, now)


def check_runs(runs: list[Run], now: int, *, is_latest: bool) -> list[tuple[Run, Job]]:
    """Return the jobs of runs as check runs, those of the latest attempts or of all, newest first."""
    found = [
        (run, job)
        for run in runs
        for attempt in visible_attempts(run, now)[-1 if is_latest else 0 :]
        for job in visible_jobs(attempt, now)
    ]
    return sorted(found, key=lambda pair: pair[1].id, reverse=True)


def statuses(universe: Universe, runs: list[Run], now: int) -> list[Status]:
    """Return what Codecov had said by a moment about the commit of some runs, newest first."""
    found = [status for run in runs for status in _statuses(universe, run) if status.at <= now]
    return sorted(found, key=lambda status: status.id, reverse=True)


def check_run_payload(place: Place, run: Run, job: Job, now: int) -> dict[str, Any]:
    """Return a job as a check run."""
    url, state = f"{place.url}/check-runs/{job.id}", job_state(job, now)
    page, pull_request = f"{place.repository.web}/actions/runs/{run.id}/job/{job.id}", run.trigger.pull_request
    sha = run.trigger.commit.sha
    return {
        "id": job.id,
        "name": job.name,
        "node_id": f"CR_{job.id}",
        "head_sha": sha,
        "external_id": f"{job.id}",
        "url": url,
        "html_url": page,
        "details_url": page,
        "status": state.status,
        "conclusion": state.conclusion,
        "started_at": written(job.created_at if state.status == "queued" else job.started_at),
        "completed_at": written(job.completed_at) if state.status == "completed" else None,
        "output": {
            **_NO_OUTPUT,
            "annotations_count": len(annotations.told(run, job)) if state.status == "completed" else 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": check_suite_id(run)},
        "app": _actions(place.api),
        "pull_requests": [pull_request_named(place, pull_request, sha)] if pull_request else [],
    }


def status_payload(place: Place, status: Status) -> dict[str, Any]:
    """Return a commit status."""
    creator = bot(place.api, *_CODECOV_BOT)
    return {
        "url": f"{place.url}/statuses/{status.sha}",
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": f"SC_{status.id}",
        "state": status.state,
        "description": status.description,
        "target_url": f"https://app.codecov.io/gh/{place.repository.full_name}/commit/{status.sha}",
        "context": status.context,
        "created_at": written(status.at),
        "updated_at": written(status.at),
        "creator": creator,
    }


def combined_state(found: list[Status]) -> str:
    """Return the state that GitHub makes of all statuses of a commit."""
    if not found:
        return "pending"
    return "success" if all(status.state == "success" for status in found) else "failure"


_NO_OUTPUT = {"title": None, "summary": None, "text": None}


def _statuses(universe: Universe, run: Run) -> Iterator[Status]:
    """Yield both of Codecov's statuses; it speaks once it has the coverage of every flag."""
    if run.trigger.workflow is not CI:
        return
    covered = [upload for upload in uploads_of(run) if upload.kind == "coverage"]
    first = [min((one.at for one in covered if one.suite == flag), default=None) for flag in FLAGS]
    times = [at for at in first if at is not None]
    if len(times) < len(FLAGS):
        return
    at = max(times) + universe.dice("codecov", run.trigger.commit.sha).randint(20, 90)
    patch = patch_ratio(universe, run.trigger, is_good=_is_last_word(universe, run.trigger))
    project = project_ratio(universe, run.trigger)
    said = (
        ("codecov/patch", patch >= PATCH_TARGET, f"{patch:.2%} of diff hit (target {PATCH_TARGET:.2%})"),
        (
            "codecov/project",
            project >= PROJECT_TARGET - PROJECT_THRESHOLD,
            f"{project:.2%} (target {PROJECT_TARGET:.2%})",
        ),
    )
    for index, (context, is_enough, description) in enumerate(said):
        state = "success" if is_enough else "failure"
        yield Status(2 * run.id + _STATUSES + index, context, state, description, run.trigger.commit.sha, at)


def _is_last_word(universe: Universe, trigger: Trigger) -> bool:
    """Tell whether a commit got into main, which a patch with too little coverage never does."""
    if trigger.pull_request is None:
        return trigger.branch == DEFAULT_BRANCH
    found = story(universe, trigger.pull_request.number)
    return found is not None and found.merged_at is not None and trigger.superseded_at is None


def _actions(api: str) -> dict[str, Any]:
    return {
        "id": ACTIONS_APP,
        "slug": "github-actions",
        "node_id": f"A_{ACTIONS_APP}",
        "owner": organization(api),
        "name": "GitHub Actions",
        "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions",
        "html_url": "https://github.com/apps/github-actions",
        "created_at": FOUNDED_AT,
        "updated_at": FOUNDED_AT,
        "permissions": {"actions": "write", "checks": "write", "contents": "read"},
        "events": ["push", "pull_request"],
    }
