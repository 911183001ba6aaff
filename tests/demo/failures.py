"""Which class a failure of the demo organisation must have, by what really caused it and by what its jobs do."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]

BY_JOB = {
    "validate": "validation",
    "lint (backend)": "lint",
    "lint (frontend)": "lint",
    "test (unit)": "unit_tests",
    "test (integration)": "integration_tests",
    "test (frontend)": "frontend_tests",
    "security": "security_scan",
    "update-manifests": "deploy",
    "release": "image_build",
    "nightly": "tests",
    **{f"build ({name})": "image_build" for name in ("api", "controller", "generator", "dashboard", "simulator")},
}
NOT_FAILURES = ("superseded", "fail_fast")


def job_classes(truth: Mapping[str, Sequence[Row]]) -> dict[int, str]:
    """Return the class of each job that failed or hung, by the causes that nobody is told of."""
    return {
        row["job_id"]: "timeout" if row["cause"] == "hang" else BY_JOB[row["job"]]
        for row in truth["failure_causes"]
        if row["job_id"] is not None and row["cause"] not in NOT_FAILURES
    }


def malformed(truth: Mapping[str, Sequence[Row]]) -> set[tuple[int, int]]:
    """Return the attempts that could not start."""
    return {(row["run_id"], row["run_attempt"]) for row in truth["failure_causes"] if row["cause"] == "malformed"}
