"""The steps of a job, laid out over its time."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from phoenix_metrics.demo.runs import Job
from phoenix_metrics.demo.workflows import JobTemplate, StepTemplate


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job; numbers have gaps where post steps mirror the steps they clean up after."""

    number: int
    name: str
    started_at: int
    completed_at: int
    conclusion: str


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that a job has on paper; `applies` tells whether its matrix value runs it."""

    number: int
    name: str
    weight: float
    applies: bool = True
    always: bool = False


def steps_of(job: Job) -> tuple[Step, ...]:
    """Return the steps of a job as they will have been in the end; none if it never had a runner."""
    if job.runner is None:
        return ()
    planned = plan_of(job.name, job.template)
    heaviest = max(planned, key=lambda step: step.weight * step.applies)
    if job.conclusion == "failure":
        return tuple(_failed(job, planned, heaviest))
    if job.conclusion == "cancelled":
        return tuple(_cut(job, planned, heaviest))
    return tuple(_passed(job, planned))


def plan_of(name: str, template: JobTemplate) -> list[PlannedStep]:
    """Return the steps of a job by its shown name, in the order in which they run, post steps among them."""
    value = name.removeprefix(template.name).strip(" ()")
    main = [StepTemplate("Set up job", 2), *template.steps]
    if template.has_services:
        main.insert(1, StepTemplate("Initialize containers", 14))
    last = 2 * len(main) + 1
    steps = [
        PlannedStep(number, step.name, step.weight, _applies(step, value), step.always)
        for number, step in enumerate(main, 1)
    ]
    for number, step in reversed(list(enumerate(main, 1))):
        if step.has_post:
            steps.append(PlannedStep(last - number, f"Post {step.name}", 0.5, _applies(step, value), always=True))
    if template.has_services:
        steps.append(PlannedStep(last - 1, "Stop containers", 0.5, always=True))
    return [*steps, PlannedStep(last, "Complete job", 0.1, always=True)]


def _applies(step: StepTemplate, matrix_value: str) -> bool:
    return not step.only or matrix_value in step.only


def _lengths(job: Job, running: list[PlannedStep], seconds: int) -> dict[int, int]:
    """Share the seconds among the running steps by weight, with a little luck, in whole seconds."""
    dice = Random(f"{job.name}/{job.started_at}")
    weights = [step.weight * dice.lognormvariate(0, 0.15) for step in running]
    scale, reached, before = seconds / sum(weights), 0.0, 0
    lengths = {}
    for step, weight in zip(running, weights, strict=True):
        reached += weight * scale
        lengths[step.number] = round(reached) - before
        before = round(reached)
    return lengths


def _passed(job: Job, planned: list[PlannedStep]) -> Iterator[Step]:
    running = [step for step in planned if step.applies]
    lengths = _lengths(job, running, job.completed_at - job.started_at)
    at = job.started_at
    for step in planned:
        end = at + lengths.get(step.number, 0)
        yield Step(step.number, step.name, at, end, "success" if step.applies else "skipped")
        at = end


def _failed(job: Job, planned: list[PlannedStep], culprit: PlannedStep) -> Iterator[Step]:
    running = [step for step in planned if step.applies and (step.number <= culprit.number or step.always)]
    lengths = _lengths(job, running, job.completed_at - job.started_at)
    at = job.started_at
    for step in planned:
        end = at + lengths.get(step.number, 0)
        conclusion = "success" if step.number in lengths else "skipped"
        yield Step(step.number, step.name, at, end, "failure" if step is culprit else conclusion)
        at = end


def _cut(job: Job, planned: list[PlannedStep], hanging: PlannedStep) -> Iterator[Step]:
    running = [step for step in planned if step.applies]
    lengths = _lengths(job, running, job.planned_seconds)
    if job.completed_at - job.started_at > job.planned_seconds:
        lengths[hanging.number] += job.completed_at - job.started_at
    at, is_cut = job.started_at, False
    for step in planned:
        due = at + lengths.get(step.number, 0)
        conclusion = "success"
        if not step.applies or (is_cut and not step.always):
            conclusion = "skipped"
        elif not is_cut and due > job.completed_at:
            conclusion, is_cut = "cancelled", True
        end = min(due, job.completed_at)
        yield Step(step.number, step.name, at, end, conclusion)
        at = end
