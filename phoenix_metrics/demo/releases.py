"""Releases: what the release pipeline published, and the tags that it was started by."""

from typing import Any

from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place, bot
from phoenix_metrics.demo.runs import Run
from phoenix_metrics.demo.steps import steps_of
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.workflows import RELEASE
from phoenix_metrics.demo.world import World

_STEP = "Create release"
_ACTIONS_BOT = ("github-actions", 41_898_282)


def releases(world: World, now: int) -> list[tuple[Run, int]]:
    """Return the runs that had published a release by a moment, newest first, each with the time when it did."""
    found = ((run, published_at(run)) for run in tagged(world, now))
    return [(run, at) for run, at in found if at is not None and at <= now]


def tagged(world: World, now: int) -> list[Run]:
    """Return the runs that the push of a version's tag started, newest first."""
    return [run for run in world.runs(now) if run.trigger.workflow is RELEASE]


def published_at(run: Run) -> int | None:
    """Return when the step that publishes the release first ended well, whatever became of its job then."""
    steps = (step for attempt in run.attempts for job in attempt.jobs for step in steps_of(job))
    return min(
        (step.completed_at for step in steps if (step.name, step.conclusion) == (_STEP, "success")), default=None
    )


def release_payload(place: Place, run: Run, at: int) -> dict[str, Any]:
    """Return a release as GitHub shows it; it is created when its commit was."""
    tag, url = run.trigger.branch, f"{place.url}/releases/{run.id}"
    return {
        "id": run.id,
        "node_id": f"RE_{run.id}",
        "url": url,
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "html_url": f"{place.repository.web}/releases/tag/{tag}",
        "tag_name": tag,
        "target_commitish": DEFAULT_BRANCH,
        "name": tag,
        "draft": False,
        "immutable": False,
        "prerelease": False,
        "author": bot(place.api, *_ACTIONS_BOT),
        "created_at": written(run.trigger.commit.at),
        "updated_at": written(at),
        "published_at": written(at),
        "assets": [],
        "tarball_url": f"{place.url}/tarball/{tag}",
        "zipball_url": f"{place.url}/zipball/{tag}",
        "body": f"- {run.trigger.commit.title} ({run.trigger.commit.sha[:7]})",
    }


def reference_payload(place: Place, name: str, sha: str) -> dict[str, Any]:
    """Return what a tag or a branch stands for."""
    url = place.url
    return {
        "ref": f"refs/{name}",
        "node_id": f"REF_{name}",
        "url": f"{url}/git/refs/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/git/commits/{sha}"},
    }
