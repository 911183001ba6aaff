"""The switches behind /_control: break main and mend it, set a scene and end it, and say what is on."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from phoenix_metrics.demo.breakage import DEFAULT_RUNS_PER_MINUTE, MOST_RUNS_PER_MINUTE, BreakageLog
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.scenes import Change, SceneLog, SceneName
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import DAY, is_weekend
from phoenix_metrics.demo.world import World

_KNOWN = ", ".join(SceneName)
_WISHES = f'expected one of {{"scene": "{_KNOWN}"}}, {{"mend": true}}, {{"break": true or false}}'
_RATE = "runs_per_minute"


class WishError(ValueError):
    """A wish that means nothing; it says what is expected."""


class Control:
    """Changes what the worlds and the cluster go through; times are seconds since 1970."""

    def __init__(
        self, scenes: SceneLog, breakages: BreakageLog, worlds: Sequence[World], living: LivingCluster, now: int
    ) -> None:
        self._log = scenes
        self._breakages = breakages
        self._worlds = worlds
        self._living = living
        self._is_new = scenes.open()
        self._play(now)

    def begin(self, name: SceneName, now: int) -> None:
        """Set a scene with which the server starts: as if a while ago where nobody has seen the history, else now."""
        if name == self._log.scenes.latest.name:
            return
        self._set(name, _worked_back(now, name.scene.head_start) if self._is_new else now, DEFAULT_RUNS_PER_MINUTE)
        self._play(now)

    def grant(self, body: bytes, now: int) -> None:
        """Do what a JSON wish asks for. Raises WishError when it asks for nothing that there is."""
        wish, before = _read(body), self._log.scenes
        rate = wish.get(_RATE, DEFAULT_RUNS_PER_MINUTE)
        if "scene" in wish:
            self._set(SceneName(wish["scene"]), now, rate)
        elif wish.get("break"):
            self._breakages.break_main(now, rate)
        else:
            self._mend(now, is_all="mend" in wish)
        if self._log.scenes != before:
            self._play(now)

    def state(self, now: int) -> dict[str, Any]:
        """Return whether main is broken, and the scene that is on: since when, what it shows, and for `slow` where."""
        change = self._log.scenes.latest
        shown = None if change.name is None else {**_shown(change), **self._culprit(change, now)}
        return {"broken": self._breakages.current is not None, "scene": shown, "scenes": list(SceneName)}

    def _set(self, name: SceneName, at: int, rate: int) -> None:
        self._log.change(name, at)
        if name.scene.breaks_main:
            self._breakages.break_main(at, rate)
        else:
            self._breakages.mend(at)

    def _mend(self, now: int, *, is_all: bool) -> None:
        self._breakages.mend(now)
        if is_all or self._log.scenes.latest.scene.breaks_main:
            self._log.change(None, now)

    def _play(self, now: int) -> None:
        for world in self._worlds:
            world.play(self._log.scenes)
        self._living.play(self._log.scenes, now)

    def _culprit(self, change: Change, now: int) -> dict[str, str]:
        """Return the commit from which on jobs are slower, once it is there."""
        merge = self._worlds[0].first_merge(change.since) if change.scene.slow_factors else None
        return {"commit": merge.commit.sha} if merge is not None and merge.at <= now else {}


def _shown(change: Change) -> dict[str, str]:
    return {"name": str(change.name), "since": written(change.since), "story": change.scene.story}


def _worked_back(now: int, span: timedelta) -> int:
    """Return the moment so long ago, not counting the days of weekends in between."""
    days, seconds = span.days, span.seconds
    at = now - seconds
    while days:
        at -= DAY
        days -= not is_weekend(at // DAY)
    return at


def _read(body: bytes) -> dict[str, Any]:
    """Return a wish that can be granted. Raises WishError for any other."""
    try:
        wish = json.loads(body)
    except ValueError:
        raise WishError(_WISHES) from None
    if not isinstance(wish, dict) or len(wish.keys() & {"scene", "mend", "break"}) != 1:
        raise WishError(_WISHES)
    if unknown := wish.keys() - {"scene", "mend", "break", _RATE}:
        raise WishError(f"{', '.join(sorted(unknown))}: not known; {_WISHES}")
    _check(wish)
    return wish


def _check(wish: dict[str, Any]) -> None:
    if "scene" in wish and wish["scene"] not in list(SceneName):
        raise WishError(f"scene: expected one of {_KNOWN}, got {json.dumps(wish['scene'])}")
    if "break" in wish and not isinstance(wish["break"], bool):
        raise WishError(f"break: expected true or false, got {json.dumps(wish['break'])}")
    if "mend" in wish and wish["mend"] is not True:
        raise WishError(f"mend: expected true, got {json.dumps(wish['mend'])}")
    rate = wish.get(_RATE, DEFAULT_RUNS_PER_MINUTE)
    if not isinstance(rate, int) or isinstance(rate, bool) or not 1 <= rate <= MOST_RUNS_PER_MINUTE:
        raise WishError(f"{_RATE}: expected a whole number from 1 to {MOST_RUNS_PER_MINUTE}, got {json.dumps(rate)}")
