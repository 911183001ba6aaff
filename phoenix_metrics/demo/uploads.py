"""Artifacts: what test jobs uploaded, which of it can be seen at a moment, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from phoenix_metrics.demo.coverage import FLAGS
from phoenix_metrics.demo.identity import LONGEST_WAIT_DAYS
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.suites import SUITES
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.world import World

RETENTION_DAYS = 14  # as the repository's settings say
_LISTED_DAYS = 3  # for which an artifact is still listed once its content is gone
_ERA = 1_577_836_800  # 2020-01-01
_KINDS = ("junit", "coverage")
_JOB_BITS = 23  # of an id, which tell a job apart from others, also of other repositories, in the same second
_SPREAD = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Upload:
    """An artifact of a job, `kind` being junit or coverage; its id ascends with the time of the upload."""

    id: int
    kind: str = field(compare=False)
    at: int = field(compare=False)
    run: Run = field(compare=False)
    job: Job = field(compare=False)

    @property
    def suite(self) -> str:
        """Which tests it is of: unit, integration or frontend."""
        return SUITES[self.job.name].name

    @property
    def name(self) -> str:
        """Its name, the same in every attempt."""
        return f"{self.kind}-{self.suite}"

    @property
    def expires_at(self) -> int:
        """When GitHub deletes its content."""
        return self.at + RETENTION_DAYS * DAY


def uploads_of(run: Run) -> Iterator[Upload]:
    """Yield everything that the jobs of a run will have uploaded in the end, attempt by attempt.

    The report of the tests comes also from a job that failed, their coverage only from one that passed.
    """
    for attempt in run.attempts:
        for job in attempt.jobs:
            if job.name in SUITES and job.runner is not None and job.started_at >= attempt.started_at:
                yield from (_upload(run, job, kind) for kind in _KINDS if _uploads(job, kind))


def uploads(world: World, now: int) -> list[Upload]:
    """Return the artifacts that are listed at a moment, newest first."""
    oldest = now - (RETENTION_DAYS + _LISTED_DAYS) * DAY
    since = max(world.oldest(now), oldest - LONGEST_WAIT_DAYS * DAY)
    found = [upload for run in world.since(since, now) for upload in uploads_of(run) if oldest < upload.at <= now]
    return sorted(found, key=lambda upload: upload.id, reverse=True)


def upload(world: World, upload_id: int, now: int) -> Upload | None:
    """Return the artifact with this id, also one that expired long ago, if its run can be seen at a moment."""
    at = (upload_id // len(_KINDS) >> _JOB_BITS) + _ERA
    if not world.oldest(now) <= at <= now:
        return None
    for day in range(at // DAY, at // DAY - LONGEST_WAIT_DAYS - 2, -1):
        for run in world.day(day):
            if world.oldest(now) <= run.trigger.at <= at:
                found = next((known for known in uploads_of(run) if known.id == upload_id), None)
                if found is not None:
                    return found
    return None


def _uploads(job: Job, kind: str) -> bool:
    if kind == "coverage":
        return job.conclusion == "success" and SUITES[job.name].name in FLAGS
    return job.conclusion in ("success", "failure")


def _upload(run: Run, job: Job, kind: str) -> Upload:
    at = job.completed_at - 1
    lane = job.id * _SPREAD % 2**64 >> 64 - _JOB_BITS
    number = ((at - _ERA << _JOB_BITS) + lane) * len(_KINDS) + _KINDS.index(kind)
    return Upload(number, kind, at, run, job)
