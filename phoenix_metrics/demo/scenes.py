"""Scenes: what the organisation can be made to go through while one looks, each as data, and when which was on.

A scene's effects are decided by when something is triggered, so what was triggered before never changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from phoenix_metrics.demo import memory
from phoenix_metrics.demo.workflows import STANDARD_RUNNER

_SECTION = "scenes"
_TWO_DAYS = timedelta(days=2)


class SceneName(StrEnum):
    """The scenes that one can wish for."""

    OUTAGE = "outage"
    FLAKY = "flaky"
    SLOW = "slow"
    EXPENSIVE = "expensive"
    ROLLBACK = "rollback"
    CALM = "calm"

    @property
    def scene(self) -> "Scene":
        """What the name stands for."""
        return SCENES[self]


@dataclass(frozen=True, slots=True)
class Scene:
    """How life differs from the usual while a scene is on; factors multiply what HABITS and the like say.

    `head_start` is how long a scene that the server is started with has been on by then, weekends not counted.
    """

    story: str
    head_start: timedelta = _TWO_DAYS
    breaks_main: bool = False
    is_calm: bool = False  # no flakes, hangs, defects or shortages of runners; every delivery succeeds
    spoils_production: bool = False
    flake_factors: Mapping[str, float] = field(default_factory=dict)  # by job
    rerun_factor: float = 1.0  # how much likelier people are to try again after a failure
    slow_factors: Mapping[str, float] = field(default_factory=dict)  # by job, from the first merge of the scene on
    runner: str = STANDARD_RUNNER
    time_factor: float = 1.0  # of every job
    hurry_ratio: float = 0.0  # of pushes to pull requests another follows within minutes
    crowd_ratio: float = 0.0  # of the numbers that a day's pull requests leave free, further ones are opened


USUAL = Scene("Life goes its usual way.")
SCENES = {
    SceneName.OUTAGE: Scene(
        "Main is broken: pushes keep coming and fail in `validate`.",
        head_start=timedelta(hours=3),
        breaks_main=True,
    ),
    SceneName.FLAKY: Scene(
        "The integration and frontend tests fail by chance many times as often, and people re-run them.",
        flake_factors={"test (integration)": 9.0, "test (frontend)": 20.0},
        rerun_factor=1.3,
    ),
    SceneName.SLOW: Scene(
        "From one commit on the integration tests and the build of the API take 1.6 times as long.",
        slow_factors={"test (integration)": 1.6, "build (api)": 1.6},
    ),
    SceneName.EXPENSIVE: Scene(
        "Jobs run on 8 cores, a quarter faster for nearly four times the price, and pushes come in a hurry.",
        runner="ubuntu-latest-8-cores",
        time_factor=0.75,
        hurry_ratio=0.45,
        crowd_ratio=0.7,
    ),
    SceneName.ROLLBACK: Scene(
        "Every three hours production goes back: a canary is stopped, somebody rolls back or reverts.",
        spoils_production=True,
    ),
    SceneName.CALM: Scene("Nothing goes wrong.", is_calm=True),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A scene was set, or with None the usual life; it holds for what comes after the second `since`."""

    since: int
    name: SceneName | None

    @property
    def scene(self) -> Scene:
        """What holds from then on."""
        return USUAL if self.name is None else self.name.scene


_ALWAYS = Change(0, None)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Which scene was on when; changes are in the order of their times."""

    changes: tuple[Change, ...] = ()

    @property
    def latest(self) -> Change:
        """The last change."""
        return self.changes[-1] if self.changes else _ALWAYS

    def change_at(self, moment: int) -> Change:
        """Return the change that holds at a moment, in seconds since 1970."""
        return next((change for change in reversed(self.changes) if change.since < moment), _ALWAYS)

    def until(self, moment: int) -> "Scenes":
        """Return what had been set before a moment, in seconds since 1970."""
        if self.latest.since < moment:
            return self
        return Scenes(tuple(change for change in self.changes if change.since < moment))

    def at(self, moment: int) -> Scene:
        """Return what holds at a moment, in seconds since 1970."""
        return self.change_at(moment).scene


NO_SCENES = Scenes()


class SceneLog:
    """All scenes of a history, kept in a JSON file if one is given, so that a restart tells the same story."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.scenes = Scenes(tuple(_read(entry) for entry in memory.recall(file, _SECTION)))

    def open(self) -> bool:
        """Begin to keep the log, and return whether it is a new one, of a history that nobody has seen yet."""
        if self._file is not None and self._file.exists():
            return False
        memory.remember(self._file, _SECTION, [])
        return True

    def change(self, name: SceneName | None, at: int) -> None:
        """Set a scene, or the usual life, unless it is on; never before the last change."""
        latest = self.scenes.latest
        if name == latest.name:
            return
        self.scenes = Scenes((*self.scenes.changes, Change(max(at, latest.since), name)))
        entries = [{"since": change.since, "name": change.name} for change in self.scenes.changes]
        memory.remember(self._file, _SECTION, entries)


def _read(entry: Mapping[str, object]) -> Change:
    name = entry["name"]
    return Change(int(str(entry["since"])), None if name is None else SceneName(str(name)))
