"""The steps of many executions of one job at once: `demo/steps.py`, a column for a step."""

from dataclasses import dataclass

import numpy as np

from phoenix_metrics.demo.bulk.attempts import CANCELLED, CONCLUSIONS, FAILURE, SKIPPED, SUCCESS
from phoenix_metrics.demo.bulk.texts import Text, chosen, escaped, filled, moment
from phoenix_metrics.demo.steps import PlannedStep


@dataclass(frozen=True)
class Executions:
    """When a job ran and how it ended, each time it did; `planned_seconds` is what it would have taken unstopped."""

    started_at: np.ndarray
    completed_at: np.ndarray
    conclusion: np.ndarray
    planned_seconds: np.ndarray


def steps(dice: np.random.Generator, planned: list[PlannedStep], done: Executions) -> Text:
    """Return the steps of each execution as the items of a JSON list."""
    heaviest = int(np.argmax([step.weight * step.applies for step in planned]))
    running = _running(planned, heaviest, done)
    due = done.started_at[:, None] + _lengths(dice, planned, heaviest, running, done).cumsum(axis=1)
    conclusion = np.where(running, SUCCESS, SKIPPED)
    conclusion[done.conclusion == FAILURE, heaviest] = FAILURE
    _cut(planned, conclusion, due, done)
    ends = np.column_stack([done.started_at, np.minimum(due, done.completed_at[:, None])])
    columns = {f"at{place}": moment(ends[:, place]) for place in range(len(planned) + 1)}
    columns |= {f"end{place}": chosen(CONCLUSIONS, conclusion[:, place]) for place in range(len(planned))}
    return filled(",".join(_template(place, step) for place, step in enumerate(planned)), **columns)


def _template(place: int, step: PlannedStep) -> str:
    return (
        f'{{"completed_at":"<at{place + 1}>","conclusion":"<end{place}>","name":"{escaped([step.name])[0]}",'
        f'"number":{step.number},"started_at":"<at{place}>","status":"completed"}}'
    )


def _running(planned: list[PlannedStep], heaviest: int, done: Executions) -> np.ndarray:
    """Tell which steps run: all that apply, after a failure only those that always do."""
    applies, always = (np.array([getattr(step, name) for step in planned]) for name in ("applies", "always"))
    goes_on = np.array([step.number <= planned[heaviest].number for step in planned]) | always
    return applies & ((done.conclusion != FAILURE)[:, None] | goes_on)


def _lengths(
    dice: np.random.Generator, planned: list[PlannedStep], heaviest: int, running: np.ndarray, done: Executions
) -> np.ndarray:
    """Share the seconds among the running steps by weight, with a little luck, in whole seconds."""
    taken = done.completed_at - done.started_at
    is_cut = done.conclusion == CANCELLED
    weights = np.array([step.weight for step in planned]) * dice.lognormal(0, 0.15, running.shape) * running
    reached = weights.cumsum(axis=1)
    reached *= (np.where(is_cut, done.planned_seconds, taken) / reached[:, -1])[:, None]
    lengths = np.diff(np.rint(reached).astype(np.int64), prepend=0, axis=1)
    lengths[:, heaviest] += np.where(is_cut & (taken > done.planned_seconds), taken, 0)
    return lengths


def _cut(planned: list[PlannedStep], conclusion: np.ndarray, due: np.ndarray, done: Executions) -> None:
    """Cancel the step that was going when the job was stopped, and leave out what follows unless it always runs."""
    is_over = (done.conclusion == CANCELLED)[:, None] & (due > done.completed_at[:, None]) & (conclusion != SKIPPED)
    is_after = is_over.cumsum(axis=1) > 1
    always = np.array([step.always for step in planned])
    conclusion[is_over & ~is_after] = CANCELLED
    conclusion[is_over & is_after & ~always] = SKIPPED
