"""The whole history: days built when first asked for, and the bursts of broken days among them."""

from bisect import bisect_right
from collections import Counter
from dataclasses import replace

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.breakage import Breakage, BreakageLog, burst_run
from phoenix_metrics.demo.changes import first_merge
from phoenix_metrics.demo.repositories import Repository
from phoenix_metrics.demo.reruns import attempts
from phoenix_metrics.demo.runs import Job, Run, Trigger
from phoenix_metrics.demo.scenes import Scenes
from phoenix_metrics.demo.timetable import triggers
from phoenix_metrics.demo.universe import DAY, FOUNDED, Universe
from phoenix_metrics.demo.workflows import CI, WORKFLOWS

_NUMBERS_PER_DAY = 1_000  # of a repository that is not the platform: counting from its beginning would take too long


class World:
    """Every run of one universe, of which only the last `days` days can be seen."""

    def __init__(self, universe: Universe, days: int, breakages: BreakageLog) -> None:
        self.breakages = breakages
        self._universe = universe
        self._days = days
        self._runs: dict[int, tuple[Run, ...]] = {}
        self._bursts: dict[int, Run] = {}
        self._counts = {FOUNDED: Counter[int]()}  # runs of each workflow before a day

    @property
    def repository(self) -> Repository:
        """Whose runs they are."""
        return self._universe.repository

    @property
    def universe(self) -> Universe:
        """The history that the runs are part of."""
        return self._universe

    def oldest(self, now: int) -> int:
        """Return the moment before which nothing can be seen."""
        return now - self._days * DAY

    def play(self, scenes: Scenes) -> None:
        """Have history told with these scenes; those before the last are the ones it is told with already."""
        self._universe = replace(self._universe, scenes=scenes)
        since = scenes.latest.since
        self._runs = {day: runs for day, runs in self._runs.items() if day < since // DAY}
        self._bursts = {at: run for at, run in self._bursts.items() if at <= since}
        self._counts = {day: counts for day, counts in self._counts.items() if day <= max(FOUNDED, since // DAY)}

    def first_merge(self, after: int) -> Trigger | None:
        """Return the first ordinary push to main after a moment, if one comes within a week."""
        return first_merge(self._universe, after)

    def runs(self, now: int) -> list[Run]:
        """Return the runs that can be seen at a moment, newest first."""
        return self.since(self.oldest(now), now)

    def since(self, oldest: int, now: int) -> list[Run]:
        """Return the runs triggered from one moment to another, newest first, whether they can be seen or not."""
        found = [run for day in range(oldest // DAY, now // DAY + 1) for run in self.day(day)]
        bursts = self.bursts(oldest, now)
        if bursts:
            found = sorted([*found, *bursts], key=lambda run: run.id)
        return [run for run in reversed(found) if oldest <= run.trigger.at <= now]

    def bursts(self, since: int, now: int) -> list[Run]:
        """Return the runs of the pushes that came while main was broken, from one moment to another."""
        return [run for breakage in self.breakages for run in self._burst(breakage, since, now)]

    def run(self, run_id: int, now: int) -> Run | None:
        """Return the run with this id if it can be seen at a moment."""
        if identity.repository_of_run(run_id) != self.repository.number:
            return None
        at = identity.run_created_at(run_id)
        return next((run for run in self._created_at(at, now) if run.id == run_id), None)

    def job(self, job_id: int, now: int) -> tuple[Run, int, Job] | None:
        """Return a job with its run and the number of its attempt, if its run can be seen at a moment."""
        day, is_burst = identity.day_of_job(job_id)
        is_ours = identity.repository_of_job(job_id) == self.repository.number
        if not is_ours or not self.oldest(now) // DAY <= day <= now // DAY:
            return None
        runs = self._created_at(identity.attempt_started_at(job_id), now) if is_burst else self.day(day)
        for run in runs:
            for attempt in run.attempts:
                for job in attempt.jobs:
                    if job.id == job_id and self.oldest(now) <= run.trigger.at <= now:
                        return run, attempt.number, job
        return None

    def day(self, day: int) -> tuple[Run, ...]:
        """Return the runs that were triggered on a day, oldest first, as they will have been in the end."""
        if day < FOUNDED:
            return ()
        if day not in self._runs:
            self._forget_days_before(day - 2 * self._days)
            self._runs[day] = self._build(day)
        return self._runs[day]

    def number(self, run: Run) -> int:
        """Return the run's number, which counts the runs of its workflow; without gaps where it is the platform's."""
        return run.ordinal + (self.breakages.count_before(run.trigger.at) if run.trigger.workflow is CI else 0)

    def _created_at(self, at: int, now: int) -> list[Run]:
        if not self.oldest(now) <= at <= now:
            return []
        return [run for run in (*self.day(at // DAY), *self.bursts(at, at)) if run.trigger.at == at]

    def _build(self, day: int) -> tuple[Run, ...]:
        counts = Counter(self._counts_before(day))
        runs = []
        for index, trigger in enumerate(triggers(self._universe, day)):
            counts[trigger.workflow.id] += 1
            tries = attempts(self._universe, trigger, index)
            runs.append(
                Run(identity.run_id(trigger.at, self.repository.number), counts[trigger.workflow.id], trigger, tries)
            )
        return tuple(runs)

    def _counts_before(self, day: int) -> Counter[int]:
        if self.repository.number:
            return Counter({workflow.id: (day - FOUNDED) * _NUMBERS_PER_DAY for workflow in WORKFLOWS})
        for known in range(max(self._counts), day):
            today = Counter(trigger.workflow.id for trigger in triggers(self._universe, known))
            self._counts[known + 1] = self._counts[known] + today
        return self._counts[day]

    def _forget_days_before(self, day: int) -> None:
        for forgotten in [known for known in self._runs if known < day]:
            del self._runs[forgotten]
        for forgotten in [at for at in self._bursts if at < day * DAY]:
            del self._bursts[forgotten]

    def _burst(self, breakage: Breakage, since: int, now: int) -> list[Run]:
        indexes = range(breakage.count_before(since), breakage.count_before(now + 1))
        return [self._burst_run(breakage.pushed_at(index)) for index in indexes]

    def _burst_run(self, at: int) -> Run:
        if at not in self._bursts:
            ordinary = [run.trigger.at for run in self.day(at // DAY) if run.trigger.workflow is CI]
            ordinal = self._counts_before(at // DAY)[CI.id] + bisect_right(ordinary, at) + 1
            self._bursts[at] = burst_run(self._universe, at, ordinal)
        return self._bursts[at]
