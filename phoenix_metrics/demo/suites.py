"""The tests of phoenix/platform: three suites of cases that keep their names, and how each goes in one execution."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.universe import Universe

_MOST_BROKEN = 4  # cases that a defect breaks
_MOST_FLAKED = 2  # cases that fail by chance together
_TESTING_RATIO = 0.8  # of a job's time


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite as its job runs it: every class has a case for every behaviour."""

    name: str
    classes: tuple[str, ...]
    behaviours: tuple[str, ...]
    flaky_count: int
    skipped_count: int
    rerun_ratio: float  # of executions that pass, those in which a case needed a second try

    @property
    def job(self) -> str:
        """The name of the job that runs it."""
        return f"test ({self.name})"


@dataclass(frozen=True, slots=True)
class Case:
    """A case of a suite; one with variants is run with several parameters under one name."""

    class_name: str
    name: str
    usual_seconds: float
    variant_count: int = 1
    is_flaky: bool = False
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How a case, or one variant of it, went; one that was run again passed in the end."""

    case: Case
    seconds: float
    result: str  # passed, failed or skipped
    was_run_again: bool = False
    message: str | None = None


_UNIT = Suite(
    "unit",
    classes=(
        *("api/experiments", "api/pipelines", "api/auth", "controller/reconcile", "controller/rollout"),
        *("generator/templates", "generator/helm", "simulator/profiles", "operator/status", "telemetry/trace"),
    ),
    behaviours=(
        *("RejectsEmptyNames", "KeepsOrder", "IsIdempotent", "ReturnsNotFound", "HonoursTimeouts", "RoundTrips"),
        *("RetriesOnConflict", "StopsWhenCancelled", "AppliesDefaults", "ParsesVersions"),
    ),
    flaky_count=3,
    skipped_count=4,
    rerun_ratio=0.03,
)
_INTEGRATION = Suite(
    "integration",
    classes=(
        *("integration/experiments", "integration/pipelines", "integration/rollouts", "integration/websocket"),
        *("integration/migrations", "integration/collector"),
    ),
    behaviours=(
        *("Creates", "Updates", "Deletes", "Lists", "SurvivesRestart", "ReconnectsToDatabase", "SeesOwnWrites"),
        *("HandlesTwoWriters", "DeliversEvents", "RollsBack", "EmitsMetrics"),
    ),
    flaky_count=6,
    skipped_count=3,
    rerun_ratio=0.10,
)
_FRONTEND = Suite(
    "frontend",
    classes=(
        *("ExperimentList", "ExperimentForm", "PipelineEditor", "CostChart", "CompareView", "TimeRange"),
        *("Navigation", "SessionMenu", "DataTable"),
    ),
    behaviours=(
        *("renders while loading", "renders an empty list", "shows an error", "keeps the filter in the address"),
        *("sorts by a click", "stops polling when hidden", "formats large numbers", "matches its snapshot"),
    ),
    flaky_count=4,
    skipped_count=5,
    rerun_ratio=0.05,
)
SUITES = {suite.job: suite for suite in (_UNIT, _INTEGRATION, _FRONTEND)}
_VARIANTS = ("RoundTrips", "Updates", "formats large numbers")  # behaviours that two classes test with parameters
_VARIANT_COUNT = 3

_BROKEN = ("expected {} to equal {}", "want {} items, got {}", "status {}, expected {}")
_FLAKED = ("timed out after {} ms waiting for {} events", "context deadline exceeded after {} ms ({} retries)")


@lru_cache(maxsize=64)
def cases(universe: Universe, suite: Suite) -> tuple[Case, ...]:
    """Return the cases of a suite; some are known to be flaky, some are always skipped."""
    names = [(class_name, behaviour) for class_name in suite.classes for behaviour in suite.behaviours]
    dice = universe.dice("suite", suite.name)
    varied = [name for name in names if name[1] in _VARIANTS][:2]
    chosen = dice.sample([name for name in names if name not in varied], suite.flaky_count + suite.skipped_count)
    flaky, skipped = chosen[: suite.flaky_count], chosen[suite.flaky_count :]
    return tuple(
        Case(
            class_name,
            _name(class_name, behaviour),
            usual_seconds=dice.lognormvariate(-1.5, 1.0),
            variant_count=_VARIANT_COUNT if (class_name, behaviour) in varied else 1,
            is_flaky=(class_name, behaviour) in flaky,
            is_skipped=(class_name, behaviour) in skipped,
        )
        for class_name, behaviour in names
    )


def results(universe: Universe, run: Run, job: Job) -> list[Result]:
    """Return how the cases of a job's suite went, in the order of its report."""
    suite = SUITES[job.name]
    known = cases(universe, suite)
    failed, again = _failed(universe, run, job, known), _run_again(universe, job, known)
    dice = universe.dice("durations", job.id)
    timed = [
        (case, variant, case.usual_seconds * dice.lognormvariate(0, 0.2))
        for case in known
        for variant in range(case.variant_count)
    ]
    scale = (job.completed_at - job.started_at) * _TESTING_RATIO / sum(seconds for _, _, seconds in timed)
    return [
        _result(case, seconds * scale, failed.get(case) if variant == 0 else None, again.get(case))
        for case, variant, seconds in timed
    ]


def _result(case: Case, seconds: float, failure: str | None, first_failure: str | None) -> Result:
    if case.is_skipped:
        return Result(case, 0.0, "skipped")
    if failure is not None:
        return Result(case, seconds, "failed", message=failure)
    return Result(case, seconds, "passed", first_failure is not None, first_failure)


def _failed(universe: Universe, run: Run, job: Job, known: tuple[Case, ...]) -> dict[Case, str]:
    """Return what failed and why: the same cases in every attempt for a defect, now these now those by chance."""
    if job.conclusion != "failure":
        return {}
    if run.trigger.defect == job.name:
        dice = universe.dice("broken cases", run.trigger.commit.sha, job.name)
        sound = [case for case in known if not (case.is_flaky or case.is_skipped)]
        broken = dice.sample(sound, dice.randint(1, _MOST_BROKEN))
        return {case: dice.choice(_BROKEN).format(dice.randint(2, 90), dice.randint(100, 900)) for case in broken}
    dice = universe.dice("flaked cases", job.id)
    flaky = [case for case in known if case.is_flaky]
    return {case: _chance(universe, case, job) for case in dice.sample(flaky, dice.randint(1, _MOST_FLAKED))}


def _run_again(universe: Universe, job: Job, known: tuple[Case, ...]) -> dict[Case, str]:
    """Return the case of a job that passed at its second try only, if there is one."""
    dice = universe.dice("second tries", job.id)
    if job.conclusion != "success" or dice.random() > SUITES[job.name].rerun_ratio:
        return {}
    case = dice.choice([case for case in known if case.is_flaky])
    return {case: _chance(universe, case, job)}


def _chance(universe: Universe, case: Case, job: Job) -> str:
    dice = universe.dice("chance", job.id, case.class_name, case.name)
    return dice.choice(_FLAKED).format(dice.randint(2_000, 30_000), dice.randint(1, 5))


def _name(class_name: str, behaviour: str) -> str:
    """Return a case's name as its language writes it: a function in Go, a sentence in TypeScript."""
    if "/" not in class_name:
        return behaviour
    return f"Test{class_name.rpartition('/')[2].capitalize()}{behaviour}"


def by_class(found: list[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Yield the results of each class in turn."""
    for class_name in dict.fromkeys(result.case.class_name for result in found):
        yield class_name, [result for result in found if result.case.class_name == class_name]
