"""What is to happen when: a queue in the order of time."""

import heapq
from collections.abc import Callable
from itertools import count

Effect = Callable[[int], None]  # called with its moment, in seconds since 1970

_SIGN, _CONSEQUENCE, _ACTION = 0, 1, 2


class Agenda:
    """Plays what is planned, in order; of one second, consequences of earlier actions come before new actions."""

    def __init__(self) -> None:
        self.now = 0  # up to and including which moment everything is played
        self._planned: list[tuple[int, int, int, Effect]] = []
        self._numbers = count()

    def act(self, at: int, effect: Effect) -> None:
        """Plan something that a person, Git or the cluster does; of one second, in the order they were planned."""
        heapq.heappush(self._planned, (at, _ACTION, next(self._numbers), effect))

    def foreshadow(self, at: int, effect: Effect) -> None:
        """Plan a sign of something that will be done; of one second, signs come first."""
        heapq.heappush(self._planned, (at, _SIGN, next(self._numbers), effect))

    def forget_actions(self) -> None:
        """Drop what was planned to be done, and its signs; consequences of what has happened stay."""
        self._planned = [planned for planned in self._planned if planned[1] == _CONSEQUENCE]
        heapq.heapify(self._planned)

    def follow(self, at: int, effect: Effect) -> None:
        """Plan a consequence of what is happening."""
        heapq.heappush(self._planned, (at, _CONSEQUENCE, next(self._numbers), effect))

    def advance(self, now: int) -> None:
        """Play everything up to a moment; going back does nothing."""
        while self._planned and self._planned[0][0] <= now:
            at, _, _, effect = heapq.heappop(self._planned)
            effect(at)
        self.now = max(self.now, now)
