"""How one attempt of a run goes: its jobs in the order of their needs, with queueing, failures and cancellation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.changes import first_merge
from phoenix_metrics.demo.runs import Attempt, Job, Trigger
from phoenix_metrics.demo.scenes import Scene
from phoenix_metrics.demo.seasons import SLOW_JOB, is_slow_season, queue_seconds, slowness
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.universe import DAY, HOUR, Universe
from phoenix_metrics.demo.workflows import COMPONENTS, HABITS, JobTemplate

HANG_SECONDS = 6 * HOUR  # GitHub ends a hosted job after six hours and calls it cancelled
SLOW_SEASON_FACTOR = 1.45
STUBBORN_RATIO = 0.28  # of what failed by chance fails by chance again at once


@dataclass(frozen=True, slots=True)
class Order:
    """What to execute: attempt `number` of a trigger, carrying over what passed in `previous`."""

    universe: Universe
    trigger: Trigger
    number: int
    started_at: int
    actor: Developer
    previous: tuple[Job, ...] = ()

    @property
    def scene(self) -> Scene:
        """What held when the run was triggered; it holds for all its attempts."""
        return self.universe.scenes.at(self.trigger.at)

    def flake_ratio(self, name: str) -> float:
        """Return how often a job fails by chance; one that just did is likelier to do so again."""
        if self.scene.is_calm:
            return 0.0
        if any(job.name == name and job.conclusion == "failure" for job in self.previous):
            return STUBBORN_RATIO
        return HABITS[name].flake_ratio * self.scene.flake_factors.get(name, 1.0)

    def hang_ratio(self, name: str) -> float:
        """Return how often a job hangs by chance."""
        return 0.0 if self.scene.is_calm else HABITS[name].hang_ratio

    def time_factor(self, name: str) -> float:
        """Return what the scene makes of a job's time: of all by the runner, of some from one commit on."""
        scene = self.scene
        if name not in scene.slow_factors:
            return scene.time_factor
        merge = first_merge(self.universe, self.universe.scenes.change_at(self.trigger.at).since)
        is_slowed = merge is not None and self.trigger.at >= merge.at
        return scene.time_factor * (scene.slow_factors[name] if is_slowed else 1.0)

    @property
    def lane(self) -> int:
        """Where the ids of the attempt's jobs are taken from."""
        return identity.job_lane(self.trigger.at, self.number, self.started_at)

    @property
    def stopped_at(self) -> int | None:
        """When a newer push on the branch cancels the attempt, should it still be going then."""
        return None if self.trigger.superseded_at is None else self.trigger.superseded_at + 2


@dataclass(frozen=True, slots=True)
class _Chance:
    """The dice of an attempt, and how slow each component's code is in it: the jobs of a component drift together."""

    dice: Random
    mood: dict[str, float]


def execute(order: Order) -> Attempt:
    """Return the attempt with all its jobs, as it will have been in the end."""
    dice = order.universe.dice("attempt", order.trigger.at, order.number)
    if order.trigger.is_malformed:
        return Attempt(order.number, order.actor, order.started_at, order.started_at + 1, "startup_failure", ())
    chance = _Chance(dice, {component: dice.gauss(0, 0.10) for component in COMPONENTS})
    done: dict[str, tuple[Job, ...]] = {}
    for template in order.trigger.workflow.jobs:
        done[template.name] = _group(order, template, done, chance)
    jobs = [job for group in done.values() for job in group]
    ended_at = max(job.completed_at for job in jobs if job.created_at >= order.started_at)
    return Attempt(
        order.number,
        order.actor,
        order.started_at,
        settled_at=max(ended_at, order.started_at) + dice.randint(2, 5),
        conclusion=_conclusion(order, jobs),
        jobs=numbered(order.universe, jobs, order.started_at, order.lane),
    )


def skipped(template: JobTemplate, at: int) -> Job:
    """Return a job whose needs or `if` were not met; its matrix is never expanded."""
    return Job(0, template.name, template, at, at, at, "skipped")


def numbered(universe: Universe, jobs: Iterable[Job], started_at: int, lane: int) -> tuple[Job, ...]:
    """Return the jobs of an attempt in the order of their creation, each with its id."""
    ordered = sorted(jobs, key=lambda job: job.created_at)
    number = universe.repository.number
    return tuple(replace(job, id=identity.job_id(started_at, number, lane, place)) for place, job in enumerate(ordered))


def _group(order: Order, template: JobTemplate, done: dict[str, tuple[Job, ...]], chance: _Chance) -> tuple[Job, ...]:
    needs = [job for name in template.needs for job in done[name]]
    ready_at = max([order.started_at, *(job.completed_at + 1 for job in needs)])
    if not _applies(template, order.trigger) or any(job.conclusion != "success" for job in needs):
        return (skipped(template, ready_at),)
    carried = tuple(_carried(order, template))
    fresh = set(template.shown_names) - {job.name for job in carried}
    executed = [_executed(order, template, name, ready_at, chance) for name in sorted(fresh)]
    if order.stopped_at is not None:
        executed = [_stopped(job, order.stopped_at) for job in executed]
    return carried + tuple(_fail_fast(executed))


def _applies(template: JobTemplate, trigger: Trigger) -> bool:
    return template.event in (None, trigger.event) and template.branch in (None, trigger.branch)


def _carried(order: Order, template: JobTemplate) -> Iterator[Job]:
    for job in order.previous:
        if job.template is template and job.conclusion == "success":
            yield replace(job, created_at=order.started_at)


def _executed(order: Order, template: JobTemplate, name: str, ready_at: int, chance: _Chance) -> Job:
    habit, dice = HABITS[name], chance.dice
    started_at = ready_at + queue_seconds(order.universe, ready_at, dice, is_calm=order.scene.is_calm)
    usual = _usual_seconds(order.universe, name, started_at // DAY) * order.time_factor(name)
    planned = max(3, round(usual * dice.lognormvariate(chance.mood[habit.component], 0.13)))
    luck, cut = dice.random(), dice.uniform(0.5, 1.0)
    conclusion, seconds = "success", planned
    if order.trigger.defect == name or luck < order.flake_ratio(name):
        conclusion, seconds = "failure", max(3, round(planned * cut))
    elif luck > 1 - order.hang_ratio(name):
        conclusion, seconds = "cancelled", HANG_SECONDS + dice.randint(10, 17)
    runner = dice.randint(1, 999)
    return Job(
        0, name, template, ready_at, started_at, started_at + seconds, conclusion, runner, planned, order.scene.runner
    )


def _usual_seconds(universe: Universe, name: str, day: int) -> float:
    habit = HABITS[name]
    season = SLOW_SEASON_FACTOR if name == SLOW_JOB and is_slow_season(day) else 1.0
    return habit.seconds * season * slowness(universe, day, habit.component)


def _fail_fast(jobs: list[Job]) -> list[Job]:
    """Stop a matrix two seconds after its first failure, as `fail-fast` does unless a workflow forbids it."""
    failed_at = min((job.completed_at for job in jobs if job.conclusion == "failure"), default=None)
    return jobs if failed_at is None else [_stopped(job, failed_at + 2) for job in jobs]


def _stopped(job: Job, at: int) -> Job:
    if job.completed_at <= at:
        return job
    if job.started_at >= at:
        at = max(at, job.created_at)
        return replace(job, started_at=at, completed_at=at, conclusion="cancelled", runner=None)
    return replace(job, completed_at=at, conclusion="cancelled")


def _conclusion(order: Order, jobs: list[Job]) -> str:
    stopped_at = order.stopped_at
    if stopped_at is not None and any(job.conclusion == "cancelled" and job.completed_at >= stopped_at for job in jobs):
        return "cancelled"
    return "failure" if any(job.conclusion in ("failure", "cancelled") for job in jobs) else "success"
