"""What the runner says of the end of a job, as annotations of its check run: in GitHub's words."""

from typing import Any

from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.universe import HOUR

_LONGEST_JOB = 6 * HOUR  # then GitHub ends it
_CANCELLED = "The operation was canceled."


def told(run: Run, job: Job) -> tuple[str, ...]:
    """Return what is said of a job that has ended; nothing of one that passed or was skipped."""
    if job.conclusion == "failure":
        return ("Process completed with exit code 1.",)
    if job.conclusion != "cancelled":
        return ()
    if job.completed_at - job.started_at >= _LONGEST_JOB:
        limit = f"GitHub Actions {job.runner} has exceeded the maximum execution time of 360 minutes."
        return (f"The job running on runner {limit}", _CANCELLED)
    trigger = run.trigger
    said = (_CANCELLED,) if job.runner is not None else ()  # nobody ran what had not begun
    if trigger.superseded_at is not None and job.completed_at >= trigger.superseded_at + 2:
        group = f"{trigger.workflow.name}-{trigger.branch}"
        return (f"Canceling since a higher priority waiting request for {group} exists", *said)
    return said


def annotation_payload(place: Place, run: Run, text: str) -> dict[str, Any]:
    """Return an annotation as GitHub shows those that are about no file."""
    return {
        "path": ".github",
        "blob_href": f"{place.repository.web}/blob/{run.trigger.commit.sha}/.github",
        "start_line": 1,
        "start_column": None,
        "end_line": 1,
        "end_column": None,
        "annotation_level": "failure",
        "title": "",
        "message": text,
        "raw_details": "",
    }
