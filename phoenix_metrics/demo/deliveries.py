"""How the organisation's changes reach development, staging and production, and what goes wrong on the way.

Every image that main builds goes to development at once, twice a working day to staging, and from Monday to Thursday
to production: there somebody starts it, and the API is a canary that an analysis may stop.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from phoenix_metrics.demo.argocd.actions import (
    Abort,
    Action,
    Commit,
    Create,
    Outcome,
    Promote,
    Rollback,
    SetImage,
    Source,
    Sync,
)
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.scenes import Scenes
from phoenix_metrics.demo.team import TEAM
from phoenix_metrics.demo.troubles import Occasion, troubles
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe, is_weekend, weekday
from phoenix_metrics.demo.workflows import CI, NIGHTLY
from phoenix_metrics.demo.world import World

DEVELOPMENT, STAGING, PRODUCTION = "phoenix-development", "phoenix-staging", "phoenix-production"

_CONFIGS = "https://github.com/phoenix/platform-configs"
_REGISTRY = "ghcr.io/phoenix/platform"
_SERVICES = ("api", "controller", "generator")  # those whose images the pipeline's update-manifests sets
_CANARY = "api"
_TO_STAGING = (10 * HOUR + 1_800, 15 * HOUR + 1_800)
_THURSDAY = 3
_PAUSE = 600  # seconds at least between two stories of production
_BLOCK_DAYS = 28  # histories begin at the same days whenever the server is started within four weeks
_APPLY_FAILED = (
    'one or more objects failed to apply, reason: admission webhook "policy.phoenix.example" denied the request'
)
_HOOK_FAILED = (
    "one or more synchronization tasks completed unsuccessfully, reason: Job has reached the specified backoff limit"
)


@dataclass
class _Environment:
    """What an application has had: the commits delivered, when each was there, and the number of the next entry."""

    application: str
    folder: str
    delivered: list[tuple[int, str]] = field(default_factory=list)
    live: list[tuple[int, str]] = field(default_factory=list)  # history id and commit of what was applied, in order
    next_id: int = 0
    free_at: int = 0
    config: str = ""  # the last commit to its folder

    def newest(self, at: int) -> str | None:
        """Return the newest commit that had been delivered by a moment."""
        return next((sha for done_at, sha in reversed(self.delivered) if done_at <= at), None)


class Deliveries:
    """The story of three environments, day by day; days are asked for in their order, each once."""

    def __init__(self, universe: Universe, world: World) -> None:
        self._universe = universe
        self._world = world
        self._development = _Environment(DEVELOPMENT, "development")
        self._staging = _Environment(STAGING, "staging")
        self._production = _Environment(PRODUCTION, "production")
        self._quiet_at = 0  # when all that was told of production is over

    def founding(self) -> list[Action]:
        """Return how the applications came to be; production is started by hand."""
        at = FOUNDED * DAY
        return [
            Create(at, DEVELOPMENT, destination_namespace="phoenix-dev", sources=_sources("development")),
            Create(at, STAGING, destination_namespace=STAGING, sources=_sources("staging"), history_limit=300),
            Create(
                at,
                PRODUCTION,
                destination_namespace="phoenix-prod",
                sources=_sources("production"),
                is_automated=False,
                history_limit=300,
                rollouts=(_CANARY,),
            ),
        ]

    def day(self, day: int) -> list[Action]:
        """Return everything that is done on a day."""
        runs = self._world.day(day)
        told = [*self._to_development(runs), *self._nightly(runs)]
        morning, afternoon = ([] if is_weekend(day) else list(self._to_staging(day, second)) for second in _TO_STAGING)
        told += [*morning, *self._production_day(day), *afternoon]
        return sorted(told, key=lambda action: action.at)

    def _to_development(self, runs: tuple[Run, ...]) -> Iterator[Action]:
        for job, run in sorted(_built(runs), key=lambda found: found[0].completed_at):
            sha = run.trigger.commit.sha
            dice = self._universe.dice("development", sha)
            outcome = self._fate(job.completed_at, dice, 0.03, 0.02)
            yield from self._deliver(self._development, sha, job.completed_at, dice, outcome=outcome)

    def _to_staging(self, day: int, second: int) -> Iterator[Action]:
        at = day * DAY + second
        sha = self._development.newest(at)
        dice = self._universe.dice("staging", day, second)
        if sha is not None and sha != self._staging.newest(at):
            yield from self._deliver(
                self._staging, sha, at + dice.randint(0, 600), dice, outcome=self._fate(at, dice, 0.03, 0.01)
            )
        elif sha is not None:
            yield Sync(at, STAGING, by=dice.choice(TEAM).login, outcome=Outcome(seconds=3, healthy_after=5))
            self._staging.next_id += 1

    def _nightly(self, runs: tuple[Run, ...]) -> Iterator[Action]:
        """Set the nightly image in staging past Git, as the nightly build does; Argo CD heals that within seconds."""
        for run in runs:
            jobs = [job for attempt in run.attempts[:1] for job in attempt.jobs]
            if run.trigger.workflow is NIGHTLY and jobs and jobs[0].conclusion == "success" and self._staging.live:
                at = jobs[0].completed_at
                yield SetImage(at, STAGING, _CANARY, f"{_REGISTRY}/{_CANARY}:nightly-{at // DAY}")
                yield Sync(at + 6, STAGING, kind="self_heal", outcome=Outcome(seconds=2, healthy_after=20))

    def _production_day(self, day: int) -> Iterator[Action]:
        """Tell what is done to production on a day, one after the other: the usual delivery and a scene's troubles."""
        dice = self._universe.dice("production", day)
        usual = [Occasion(day * DAY + 13 * HOUR + dice.randint(0, 5_400))] if weekday(day) <= _THURSDAY else []
        for occasion in sorted([*usual, *troubles(self._universe, day)], key=lambda one: one.at):
            at = max(occasion.at, self._quiet_at + _PAUSE)
            if self._universe.scenes.at(at).spoils_production == (occasion.trouble is None):
                continue
            told = list(
                self._to_production(at, dice) if occasion.trouble is None else self._trouble(at, occasion.trouble)
            )
            self._quiet_at = max([self._quiet_at, *(action.at for action in told)])
            yield from told

    def _to_production(self, at: int, dice: Random) -> Iterator[Action]:
        sha, manager = self._staging.newest(at), dice.choice(TEAM[4:8]).login
        if sha is None or sha == self._production.newest(at):
            return
        live, chance = self._production.live, dice.random()
        if not live or chance < 0.80 or self._universe.scenes.at(at).is_calm:
            yield from self._release(sha, at, dice, manager)
        elif chance < 0.86:
            yield from self._stopped_by_analysis(sha, at, dice, manager)
        elif chance < 0.91:
            yield from self._release(sha, at, dice, manager)
            yield from self._rolled_back(at + dice.randint(3_600, 2 * HOUR), dice)
        elif chance < 0.95:
            yield from self._release(sha, at, dice, manager)
            yield from self._reverted(sha, at + dice.randint(3_600, 3 * HOUR), dice, manager)
        else:
            failed = Outcome("Failed", 12, failed_attempts=2, message=_APPLY_FAILED, applies=False)
            yield from self._deliver(self._production, sha, at, dice, by=manager, outcome=failed)
            yield from self._release(sha, at + dice.randint(600, 1_800), dice, manager, is_new=False)

    def _trouble(self, at: int, number: int) -> Iterator[Action]:
        """Bring the newest version to production, unless it is there, and go back from it, each time in another way."""
        dice, about = self._universe.dice("trouble", at), ("trouble", str(at))
        sha, manager = self._staging.newest(at), dice.choice(TEAM[4:8]).login
        live = self._production.live
        is_there = bool(live) and live[-1][1] == sha
        if sha is None:
            return
        if live and not is_there and number % 3 == 0:
            yield from self._stopped_by_analysis(sha, at, dice, manager, about)
            return
        if not is_there:
            yield from self._release(sha, at, dice, manager, about=about)
        back_at = at + (dice.randint(60, 600) if is_there else dice.randint(2_400, 4_800))
        if len(live) > 1 and number % 3 == 1:
            yield from self._rolled_back(back_at, dice)
        elif len(live) > 1:
            yield from self._reverted(sha, back_at, dice, manager, about)

    def _release(
        self, sha: str, at: int, dice: Random, manager: str, *, about: tuple[str, ...] = (), is_new: bool = True
    ) -> Iterator[Action]:
        """Bring a version to production; its canary takes some twenty minutes."""
        outcome = Outcome(seconds=dice.randint(6, 25), healthy_after=None)
        yield from self._deliver(
            self._production, sha, at, dice, by=manager, outcome=outcome, about=about, is_new=is_new
        )
        yield Promote(self._production.free_at + dice.randint(1_230, 1_420), PRODUCTION, _CANARY)

    def _stopped_by_analysis(
        self, sha: str, at: int, dice: Random, manager: str, about: tuple[str, ...] = ()
    ) -> Iterator[Action]:
        """Let the analysis stop a canary; some time later somebody reverts it in Git."""
        outcome = Outcome(seconds=dice.randint(6, 25), healthy_after=None)
        yield from self._deliver(self._production, sha, at, dice, by=manager, outcome=outcome, about=about)
        aborted_at = self._production.free_at + dice.randint(960, 1_260)
        yield Abort(aborted_at, PRODUCTION, _CANARY, "Failed", analysis_seconds=660)
        yield from self._reverted(sha, aborted_at + dice.randint(600, 2_400), dice, manager, about)

    def _reverted(self, sha: str, at: int, dice: Random, manager: str, about: tuple[str, ...] = ()) -> Iterator[Action]:
        before = self._production.live[-2][1]
        message = f'Revert "Promote {_tag(sha)} to production"\n\nThis reverts commit {self._production.config}.'
        outcome = Outcome(seconds=dice.randint(4, 12), healthy_after=dice.randint(20, 90))
        yield from self._deliver(
            self._production,
            before,
            at,
            dice,
            by=manager,
            outcome=outcome,
            message=message,
            about=("revert", sha, *about),
        )

    def _rolled_back(self, at: int, dice: Random) -> Iterator[Action]:
        """Let whoever is on call go back to the entry before, as rollback.sh does; Git stays where it is."""
        environment = self._production
        entry, sha = environment.live[-2]
        outcome = Outcome(seconds=dice.randint(3, 9), healthy_after=dice.randint(20, 90))
        yield Rollback(at, PRODUCTION, entry, dice.choice(TEAM[8:]).login, outcome=outcome)
        environment.live.append((environment.next_id, sha))
        environment.next_id += 1

    def _fate(self, at: int, dice: Random, failure_ratio: float, degraded_ratio: float) -> Outcome:
        luck = 0.0 if self._universe.scenes.at(at).is_calm else 1.0
        return _fate(dice, failure_ratio * luck, degraded_ratio * luck)

    def _deliver(
        self,
        environment: _Environment,
        sha: str,
        at: int,
        dice: Random,
        *,
        outcome: Outcome,
        by: str | None = None,
        message: str | None = None,
        about: tuple[str, ...] = (),
        is_new: bool = True,
    ) -> Iterator[Action]:
        """Commit a version to an environment's folder and let Argo CD, or somebody, sync it."""
        at = max(at, environment.free_at + 1)
        if is_new:
            config = _config_commit(self._universe, environment, sha, *about)
            images = {service: f"{_REGISTRY}/{service}:{_tag(sha)}" for service in _SERVICES}
            text = message or f"Promote {_tag(sha)} to {environment.folder}"
            environment.config = config
            yield Commit(at, environment.application, (config,), images, text, _author(by))
        started = at + (dice.randint(15, 175) if by is None else dice.randint(40, 200))  # Argo CD asks Git every 3 min
        yield Sync(started, environment.application, by=by, outcome=outcome)
        environment.free_at = started + 2 + (outcome.seconds + outcome.retry_seconds) * (outcome.failed_attempts + 1)
        if outcome.phase == "Succeeded":
            environment.live.append((environment.next_id, sha))
            environment.next_id += 1
            environment.delivered.append((environment.free_at, sha))


class LivingCluster:
    """The cluster of a history that goes on: each day's story is added as the day comes near."""

    def __init__(self, universe: Universe, world: World, days: int) -> None:
        self.cluster = Cluster()
        self._universe = universe
        self._world = world
        self.told: list[Action] = []  # all that has been added to the cluster
        self._story = Deliveries(universe, world)
        self._days = days
        self._first_day: int | None = None
        self._next_day = 0

    @property
    def began_on(self) -> int:
        """The first day whose story is told."""
        return FOUNDED if self._first_day is None else self._first_day

    def live_until(self, now: int) -> None:
        """Have the story told far enough for a moment."""
        if self._first_day is None:
            age = now // DAY - self._days - FOUNDED
            self._first_day = self._next_day = FOUNDED + max(0, age // _BLOCK_DAYS * _BLOCK_DAYS)
            self._add(self._story.founding())
        while self._next_day <= now // DAY + 1:
            self._add(self._story.day(self._next_day))
            self._next_day += 1

    def play(self, scenes: Scenes, now: int) -> None:
        """Have what comes after a moment told with these scenes, which the world knows already; the past stays."""
        self._universe = replace(self._universe, scenes=scenes)
        story = Deliveries(self._universe, self._world)
        if self._first_day is not None:
            self.live_until(now)
            self.cluster.advance(now)
            self.cluster.forget_plans()
            anew = [action for day in range(self._first_day, self._next_day) for action in story.day(day)]
            self.told = [action for action in self.told if action.at <= now]
            self._add([action for action in anew if action.at > now])
        self._story = story

    def _add(self, actions: list[Action]) -> None:
        self.told += actions
        self.cluster.add(actions)


def _built(runs: tuple[Run, ...]) -> Iterator[tuple[Job, Run]]:
    """Yield the jobs that wrote new images into the manifests within hours of the push, each with its run."""
    for run in runs:
        if run.trigger.workflow is not CI or run.trigger.branch != "main":
            continue
        jobs = [
            job for attempt in run.attempts for job in attempt.jobs if attempt.started_at < run.trigger.at + 6 * HOUR
        ]
        done = [job for job in jobs if job.name == "update-manifests" and job.conclusion == "success"]
        if done:
            yield done[0], run


def _fate(dice: Random, failure_ratio: float, degraded_ratio: float) -> Outcome:
    chance = dice.random()
    if chance < failure_ratio / 2:
        return Outcome("Failed", 6, failed_attempts=5, message=_APPLY_FAILED, applies=False)
    if chance < failure_ratio:
        return Outcome("Failed", 75, message=_HOOK_FAILED, healthy_after=60)
    seconds = round(min(300, dice.lognormvariate(2.0, 0.8))) + 1
    if chance < failure_ratio + degraded_ratio:
        return Outcome(seconds=seconds, healthy_after=None, degraded_after=600)
    return Outcome(seconds=seconds, healthy_after=dice.randint(15, 110))


def _sources(folder: str) -> tuple[Source, ...]:
    return (Source(_CONFIGS, path=f"environments/{folder}"),)


def _config_commit(universe: Universe, environment: _Environment, sha: str, *about: str) -> str:
    return universe.sha("config", environment.folder, sha, *about)


def _tag(sha: str) -> str:
    return f"main-{sha}"


def _author(login: str | None) -> str:
    person = next((one for one in TEAM if one.login == login), None)
    return f"{person.name} <{person.email}>" if person else "GitHub Actions <actions@github.com>"
