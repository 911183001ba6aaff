"""Ids that ascend with time like GitHub's, and that can be read back."""

from phoenix_metrics.demo.universe import DAY

_ERA = 1_577_836_800  # 2020-01-01
_RUN_LANES = 64
_JOB_LANES = 32
_JOB_PLACES = 16
_RUNS_EACH = 2**36  # ids that each repository has for itself; all of them stay below 2^53, which JSON can hold
_JOBS_EACH = 2**39

ORDINARY, BURST = 0, 1
_RERUN = 2
LONGEST_WAIT_DAYS = _JOB_LANES - _RERUN - 1


def run_id(created_at: int, repository: int, lane: int = ORDINARY) -> int:
    """Return the id of a run; within a lane of a repository no two runs are created in the same second."""
    return repository * _RUNS_EACH + (created_at - _ERA) * _RUN_LANES + lane


def run_created_at(run: int) -> int:
    """Return when the run with this id was created."""
    return run % _RUNS_EACH // _RUN_LANES + _ERA


def repository_of_run(run: int) -> int:
    """Return the number of the repository that the run with this id is of."""
    return run // _RUNS_EACH


def repository_of_job(job: int) -> int:
    """Return the number of the repository that the job with this id is of."""
    return job // _JOBS_EACH


def job_lane(created_at: int, attempt_number: int, started_at: int) -> int:
    """Return the lane for the jobs of an attempt: re-runs are told apart by the age of their run in days."""
    return ORDINARY if attempt_number == 1 else _RERUN + started_at // DAY - created_at // DAY


def job_id(attempt_started_at: int, repository: int, lane: int, place: int) -> int:
    """Return the id of the job at one place in an attempt."""
    return repository * _JOBS_EACH + ((attempt_started_at - _ERA) * _JOB_LANES + lane) * _JOB_PLACES + place


def day_of_job(job: int) -> tuple[int, bool]:
    """Return the day on which the run of this job was created, and whether it came in a burst."""
    second, lane = divmod(job % _JOBS_EACH // _JOB_PLACES, _JOB_LANES)
    return (second + _ERA) // DAY - max(0, lane - _RERUN), lane == BURST


def attempt_started_at(job: int) -> int:
    """Return when the attempt of the job with this id started."""
    return job % _JOBS_EACH // _JOB_PLACES // _JOB_LANES + _ERA
