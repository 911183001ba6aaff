"""Why jobs did not pass: what the world knows and nobody who only reads GitHub is told."""

from collections.abc import Iterator

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.truth.executions import Execution, Try, by_run, place
from phoenix_metrics.demo.truth.rows import Row
from phoenix_metrics.demo.universe import HOUR

_LONGEST_JOB = 6 * HOUR  # then GitHub ends it


def cause_rows(found: list[Try]) -> list[Row]:
    """Return `failure_causes.csv`: every job that failed or was cancelled, and attempts that could not have any."""
    rows: list[Row] = []
    for one in found:
        rows += [
            {**place(execution), "conclusion": execution.conclusion, "cause": cause(execution)}
            for execution in one.executions
            if execution.conclusion in ("failure", "cancelled") and not execution.is_carried_over
        ]
        if one.conclusion == "startup_failure":
            there = {"repository": one.repository, "run_id": one.run.id, "run_attempt": one.attempt.number}
            rows.append({**there, "job_id": None, "job": None, "conclusion": one.conclusion, "cause": "malformed"})
    return rows


def flake_rows(found: list[Try]) -> list[Row]:
    """Return `flakes.csv`: executions that failed or hung by chance, and the later attempt in which the job passed."""
    return [
        {
            **place(one),
            "workflow": one.run.trigger.workflow.name,
            "head_sha": one.run.trigger.commit.sha,
            "kind": "hang" if cause(one) == "hang" else "failure",
            "completed_at": written(one.job.completed_at),
            "passed_in_attempt": _passed_in(one, attempts),
        }
        for attempts in by_run(found)
        for one in _by_chance(attempts)
    ]


def cause(one: Execution) -> str:
    """Return why a job failed or was cancelled.

    defect: its code is wrong; broken_main: main was broken by the switch; chance: nothing was wrong; hang: GitHub ended
    it after six hours; superseded: a newer push stopped it; fail_fast: another job of its matrix had failed.
    """
    trigger, job = one.run.trigger, one.job
    if job.conclusion == "failure":
        if identity.day_of_job(job.id)[1]:
            return "broken_main"
        return "defect" if trigger.defect == job.name else "chance"
    if job.completed_at - job.started_at >= _LONGEST_JOB:
        return "hang"
    is_overtaken = trigger.superseded_at is not None and job.completed_at >= trigger.superseded_at + 2
    return "superseded" if is_overtaken else "fail_fast"


def _by_chance(attempts: list[Try]) -> Iterator[Execution]:
    for attempt in attempts:
        for one in attempt.executions:
            is_over = one.conclusion in ("failure", "cancelled") and not one.is_carried_over
            if is_over and cause(one) in ("chance", "hang"):
                yield one


def _passed_in(failed: Execution, attempts: list[Try]) -> int | None:
    """Return the first later attempt in which the same job ran and passed, by now."""
    later = (
        one for attempt in attempts for one in attempt.executions if attempt.attempt.number > failed.attempt.number
    )
    passed = (one for one in later if one.job.name == failed.job.name and one.is_executed)
    return next((one.attempt.number for one in passed if one.conclusion == "success"), None)
