"""Annotations of jobs that did not pass: what the runner, and whoever else, said of their end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phoenix_metrics.errors import RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository, kept, pages
from phoenix_metrics.sources.items import Batch, Item, as_text

JOBS_AT_ONCE = 10  # jobs that are landed together: what a kill can cost at most
ANNOTATIONS_A_JOB = 20  # a linter may make hundreds, and the runner's own are few
MESSAGE_LENGTH = 1000  # characters

_ANNOTATION = ("path", "start_line", "annotation_level", "title")

Wanted = Mapping[int, Sequence[tuple[int, int]]]  # of each repository the jobs with their runs


def fetch_annotations(
    client: GitHubClient,
    repository: Repository,
    visit: Bookmark,  # noqa: ARG001  # the store knows which jobs are still to be read
    *,
    wanted: Wanted,
) -> Iterator[Batch]:
    """Yield the annotations of the given jobs of a repository, one object a job; costs a request each."""
    jobs = wanted.get(repository.repository_id, ())
    for start in range(0, len(jobs), JOBS_AT_ONCE):
        yield [
            Item(
                "github_annotations",
                job_id,
                annotations_payload(job_id, run_id, _first_page(client, repository, job_id)),
            )
            for job_id, run_id in jobs[start : start + JOBS_AT_ONCE]
        ]


def _first_page(client: GitHubClient, repository: Repository, job_id: int) -> Sequence[Mapping[str, Any]] | None:
    """Return the first annotations of a job, whose check run has its id; None where GitHub knows none by that id."""
    try:
        return next(pages(client, f"{repository.path}/check-runs/{job_id}/annotations", None)).items
    except RepositoryError:
        return None


def annotations_payload(job_id: int, run_id: int, annotations: Sequence[Mapping[str, Any]] | None) -> str:
    """Return what was said of a job: the runner's own words first, whose path is `.github`, and of the rest a few."""
    ordered = sorted(annotations or (), key=lambda one: one.get("path") != ".github")
    said = [
        {**kept(one, _ANNOTATION), "message": (one.get("message") or "")[:MESSAGE_LENGTH]}
        for one in ordered[:ANNOTATIONS_A_JOB]
    ]
    count = None if annotations is None else len(annotations)
    return as_text({"job_id": job_id, "run_id": run_id, "annotation_count": count, "annotations": said})
