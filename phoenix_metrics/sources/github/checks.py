"""Checks of third parties on commits: check runs of other apps than GitHub Actions, and the older commit statuses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository, kept
from phoenix_metrics.sources.items import Batch, Item, as_text

COMMITS_AT_ONCE = 10  # commits that are landed together: what a kill can cost at most
SUMMARY_LENGTH = 1000  # characters; coverage and verdicts stand at the beginning

_OWN_APP = "github-actions"  # whose check runs are the jobs we have already
_CHECK_RUN = ("id", "name", "status", "conclusion", "started_at", "completed_at", "details_url")
_STATUS = ("id", "context", "state", "description", "target_url", "created_at", "updated_at")


def fetch_commit_checks(
    client: GitHubClient,
    repository: Repository,
    visit: Bookmark,  # noqa: ARG001  # the store knows which commits are still to be read
    *,
    commits: Mapping[int, Sequence[str]],
) -> Iterator[Batch]:
    """Yield the checks of the given commits of a repository, one object a commit; costs two requests each."""
    wanted = commits.get(repository.repository_id, ())
    for start in range(0, len(wanted), COMMITS_AT_ONCE):
        yield [
            Item("github_commit_checks", None, _commit_checks(client, repository, sha))
            for sha in wanted[start : start + COMMITS_AT_ONCE]
        ]


def _commit_checks(client: GitHubClient, repository: Repository, sha: str) -> str:
    commit = f"{repository.path}/commits/{sha}"
    return commit_checks_payload(
        sha,
        list(client.items(f"{commit}/check-runs", "check_runs", filter="all")),
        list(client.items(f"{commit}/statuses", None)),
    )


def commit_checks_payload(sha: str, runs: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]]) -> str:
    """Return what third parties said about a commit: title and the beginning of the summary of each check run."""
    return as_text(
        {
            "head_sha": sha,
            "check_runs": [_check_run(run) for run in runs if (run.get("app") or {}).get("slug") != _OWN_APP],
            "statuses": [{**kept(s, _STATUS), "creator": kept(s.get("creator"), ("id", "login"))} for s in statuses],
        }
    )


def commit_check_payload(run: Mapping[str, Any]) -> str | None:
    """Return one check run as a part of what is said about its commit; None for GitHub Actions' own, which are jobs."""
    if (run.get("app") or {}).get("slug") == _OWN_APP:
        return None
    return as_text({"head_sha": run["head_sha"], "check_runs": [_check_run(run)], "is_part": True})


def _check_run(run: Mapping[str, Any]) -> dict[str, Any]:
    output = run.get("output") or {}
    return {
        **kept(run, _CHECK_RUN),
        "app": kept(run.get("app"), ("id", "slug")),
        "title": output.get("title"),
        "summary": (output.get("summary") or "")[:SUMMARY_LENGTH] or None,
    }
