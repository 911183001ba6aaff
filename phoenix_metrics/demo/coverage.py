"""How much of the code the tests cover: drifting over the weeks, a little different with every commit."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, pi, sin

from phoenix_metrics.demo.runs import Trigger
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import DAY, FOUNDED, Universe

PROJECT_TARGET, PROJECT_THRESHOLD, PATCH_TARGET = 0.80, 0.02, 0.85  # as codecov.yml has them
_POOR_PATCH_RATIO = 0.15  # of the pushes that are not the last word of their pull request


@dataclass(frozen=True, slots=True)
class Flag:
    """A part of the code with a coverage of its own: its usual ratio, how far that drifts, and its packages."""

    name: str
    ratio: float
    drift: float
    cycle_days: int
    root: str
    packages: tuple[tuple[str, int], ...]  # each with its lines when the organisation was founded


FLAGS = {
    flag.name: flag
    for flag in (
        Flag(
            "unit",
            ratio=0.818,
            drift=0.018,
            cycle_days=91,
            root="phoenix-platform",
            packages=(
                *(("api/experiments", 2_350), ("api/pipelines", 1_900), ("api/auth", 840)),
                *(("controller/reconcile", 2_700), ("controller/rollout", 1_150), ("generator/templates", 1_600)),
                *(("generator/helm", 720), ("simulator/profiles", 1_300), ("operator/status", 980)),
                ("telemetry/trace", 460),
            ),
        ),
        Flag(
            "frontend",
            ratio=0.775,
            drift=0.025,
            cycle_days=70,
            root="phoenix-platform/dashboard/src",
            packages=(
                *(("charts", 1_250), ("experiments", 1_540), ("pipelines", 1_120), ("navigation", 380)),
                *(("session", 290), ("tables", 620)),
            ),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Package:
    """The lines of a package that tests can cover, and those that they did."""

    name: str
    lines: int
    covered: int


def packages(universe: Universe, flag: Flag, trigger: Trigger) -> tuple[Package, ...]:
    """Return the coverage of a flag's packages by the tests of a commit."""
    return _measured(universe, flag, trigger.at // DAY, trigger.commit.sha)


def project_ratio(universe: Universe, trigger: Trigger) -> float:
    """Return the share of all lines that the tests of a commit cover."""
    found = [package for flag in FLAGS.values() for package in packages(universe, flag, trigger)]
    return sum(package.covered for package in found) / sum(package.lines for package in found)


def patch_ratio(universe: Universe, trigger: Trigger, *, is_good: bool) -> float:
    """Return the share of a change's own lines that tests cover; enough of them if the change is a good one."""
    dice = universe.dice("patch", trigger.commit.sha)
    lines = round(dice.lognormvariate(4.0, 0.9)) + 8
    is_poor, good, poor = dice.random() < _POOR_PATCH_RATIO, dice.uniform(PATCH_TARGET, 1), dice.uniform(0.4, 0.8)
    if is_poor and not is_good:
        return int(poor * lines) / lines
    return ceil(good * lines) / lines


def cobertura(universe: Universe, flag: Flag, trigger: Trigger, at: int) -> str:
    """Return a flag's coverage as a Cobertura report, a class for each package."""
    found = packages(universe, flag, trigger)
    covered, lines = sum(package.covered for package in found), sum(package.lines for package in found)
    counts = f'lines-covered="{covered}" lines-valid="{lines}" branches-covered="0" branches-valid="0"'
    rates = f'line-rate="{covered / lines:.4f}" branch-rate="0" complexity="0"'
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            f'<coverage {rates} {counts} version="1" timestamp="{at}000">\n',
            f"  <!-- {written(at)} -->\n  <sources><source>{flag.root}</source></sources>\n  <packages>\n",
            *_elements(found),
            "  </packages>\n</coverage>\n",
        )
    )


def _elements(found: tuple[Package, ...]) -> Iterator[str]:
    for package in found:
        rates = f'line-rate="{package.covered / package.lines:.4f}" branch-rate="0" complexity="0"'
        file = f'name="{package.name.rpartition("/")[2]}" filename="{package.name}"'
        yield (
            f'    <package name="{package.name}" {rates}><classes>'
            f"<class {file} {rates}><methods/><lines/></class></classes></package>\n"
        )


@lru_cache(maxsize=1024)
def _measured(universe: Universe, flag: Flag, day: int, sha: str) -> tuple[Package, ...]:
    dice = universe.dice("coverage", flag.name, sha)
    age = day - FOUNDED
    usual = flag.ratio + flag.drift * sin(2 * pi * age / flag.cycle_days)
    found = []
    for name, founded_with in flag.packages:
        leaning = universe.dice("coverage of a package", flag.name, name).uniform(-0.04, 0.04)
        lines = round(founded_with * (1 + age / 1_500)) + dice.randint(0, 6)
        found.append(Package(name, lines, round(lines * (usual + leaning + dice.gauss(0, 0.002)))))
    return tuple(found)
