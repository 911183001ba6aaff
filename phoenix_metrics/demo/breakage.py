"""The switch that breaks main: while it is on, a burst of pushes arrives whose `validate` job fails."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from phoenix_metrics.demo import identity, memory
from phoenix_metrics.demo.execution import numbered, skipped
from phoenix_metrics.demo.runs import Attempt, Commit, Job, Run, Trigger
from phoenix_metrics.demo.team import TEAM
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.workflows import CI, JobTemplate

DEFAULT_RUNS_PER_MINUTE = 6
MOST_RUNS_PER_MINUTE = 60
_SECTION = "breakages"
_TITLES = (
    "Move the import checks",
    "Bump the Go toolchain",
    "Tidy up module paths",
    "Try again",
    "Revert the last change",
)


@dataclass(frozen=True, slots=True)
class Breakage:
    """A time during which main was broken; still going on while `until` is missing."""

    since: int
    runs_per_minute: int = DEFAULT_RUNS_PER_MINUTE
    until: int | None = None

    def pushed_at(self, index: int) -> int:
        """Return when the push with this index arrives."""
        return self.since + 1 + index * 60 // self.runs_per_minute

    def count_before(self, at: int) -> int:
        """Return how many pushes arrive before a moment."""
        passed = min(at, at if self.until is None else self.until) - self.since - 1
        return max(0, -(-passed * self.runs_per_minute // 60))


class BreakageLog:
    """All breakages of a history, kept in a JSON file if one is given, so that a restart tells the same story."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._breakages = [Breakage(**entry) for entry in memory.recall(file, _SECTION)]

    @property
    def current(self) -> Breakage | None:
        """The breakage that is going on, if any."""
        last = self._breakages[-1] if self._breakages else None
        return last if last is not None and last.until is None else None

    def __iter__(self) -> Iterator[Breakage]:
        return iter(self._breakages)

    def break_main(self, now: int, runs_per_minute: int) -> None:
        """Start a breakage, or change the rate of the one going on."""
        if self.current is not None and self.current.runs_per_minute == runs_per_minute:
            return
        self.mend(now)
        self._breakages.append(Breakage(now, runs_per_minute))
        self._write()

    def mend(self, now: int) -> None:
        """End the breakage that is going on."""
        if self.current is not None:
            self._breakages[-1] = replace(self.current, until=now + 1)
            self._write()

    def count_before(self, at: int) -> int:
        """Return how many pushes of all breakages arrive before a moment."""
        return sum(breakage.count_before(at) for breakage in self._breakages)

    def _write(self) -> None:
        memory.remember(self._file, _SECTION, [asdict(breakage) for breakage in self._breakages])


def burst_trigger(universe: Universe, at: int) -> Trigger:
    """Return the push to main that arrives at a moment of a breakage."""
    dice = universe.dice("burst", at)
    author = dice.choice(TEAM)
    title = dice.choice(_TITLES)
    return Trigger(at, CI, "push", "main", Commit(universe.sha("burst", at), title, author, at - 1), author, title)


def burst_run(universe: Universe, at: int, ordinal: int) -> Run:
    """Return the run that this push starts: `validate` fails within seconds, nothing else starts."""
    trigger = burst_trigger(universe, at)
    first, *rest = CI.jobs
    failed = _failed_at_once(universe, first, at)
    jobs = [failed, *(skipped(template, failed.completed_at + 1) for template in rest)]
    attempt = Attempt(
        1,
        trigger.actor,
        started_at=at,
        settled_at=failed.completed_at + 3,
        conclusion="failure",
        jobs=numbered(universe, jobs, at, identity.BURST),
    )
    return Run(identity.run_id(at, universe.repository.number, identity.BURST), ordinal, trigger, (attempt,))


def _failed_at_once(universe: Universe, template: JobTemplate, at: int) -> Job:
    dice = universe.dice("burst job", at)
    seconds = dice.randint(10, 20)
    return Job(0, template.name, template, at, at + 2, at + 2 + seconds, "failure", dice.randint(1, 999), seconds)
