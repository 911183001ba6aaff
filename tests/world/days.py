"""Days of work in an organisation: runs that begin in office hours, take their time, fail and are run again."""

import heapq
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count

from tests.world.objects import Repository, Run
from tests.world.state import World

# Share of a day's runs by hour of the day, UTC: most in the office hours of one continent, nightly ones at 2.
BY_HOUR = (1, 1, 6, 1, 1, 1, 2, 5, 10, 12, 12, 10, 8, 11, 12, 11, 9, 6, 3, 2, 2, 1, 1, 1)


class Days:
    """What is going to happen in a world, in order of time; the same for the same seed.

    `advance_to` lets it happen up to a moment, which the world's clock then shows.
    """

    def __init__(self, world: World, seed: int = 1, *, failing: float = 0.15, rerun: float = 0.03) -> None:
        self.world = world
        self.failing = failing
        self.rerun = rerun
        self.luck = random.Random(seed)
        self._ahead: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()

    def plan(self, repositories: Sequence[Repository], day: datetime, runs_each: int) -> None:
        """Plan a day's runs of repositories: so many each on average, by the hours of an office."""
        for repository in repositories:
            for _ in range(round(self.luck.gauss(runs_each, runs_each**0.5))):
                hour = self.luck.choices(range(24), BY_HOUR)[0]
                self.at(
                    day + timedelta(hours=hour, seconds=self.luck.randrange(3600)),
                    lambda repository=repository: self._begin(repository),
                )

    def at(self, moment: datetime, happen: Callable[[], object]) -> None:
        """Plan one thing."""
        heapq.heappush(self._ahead, (moment, next(self._order), happen))

    def advance_to(self, moment: datetime) -> int:
        """Let everything happen that is planned up to a moment, and return how much that was."""
        happened = 0
        while self._ahead and self._ahead[0][0] <= moment:
            self.world.now, _, happen = heapq.heappop(self._ahead)
            happen()
            happened += 1
        self.world.now = moment
        return happened

    def _in(self, seconds: float, happen: Callable[[], object]) -> None:
        self.at(self.world.now + timedelta(seconds=round(seconds)), happen)

    def _begin(self, repository: Repository) -> None:
        jobs = [f"test ({number})" for number in range(self.luck.choice((1, 2, 3, 5, 8)))]
        run, _ = self.world.create_run(repository, jobs, event=self.luck.choice(("push", "pull_request")))
        self._go_on(run)

    def _go_on(self, run: Run) -> None:
        """Let an attempt wait some seconds, take some minutes, and perhaps be followed by another."""
        waited, took = self.luck.uniform(3, 60), self.luck.lognormvariate(6, 0.8)
        self._in(waited, lambda: self.world.start(run))
        self._in(waited + took, lambda: self._end(run))

    def _end(self, run: Run) -> None:
        failed = self.luck.random() < self.failing
        self.world.complete(run, "failure" if failed else "success")
        if self.luck.random() < (self.rerun / self.failing if failed else 0):
            self._in(self.luck.lognormvariate(7.5, 1), lambda: self._again(run))

    def _again(self, run: Run) -> None:
        if self.world.can_rerun(run, "failed"):
            self.world.rerun(run, "failed")
            self._go_on(run)
