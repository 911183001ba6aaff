"""How often change points are found where nothing changed, and how well where something did, as Markdown tables.

    change_points.py [--series 200] [--seeds 20] [--recordings FOLDER]

Stationary series are made (log-normal, heavy tails, seasons, autocorrelated, days with a speed of their own, two modes)
or recorded ones shuffled; a change is planted in the same, or is the demo organisation's scene `slow`. Each series is
of 90 days, as `marts.duration_changes` reads them. A change counts as found within two days or ten executions of where
it is. The first table is what the threshold was chosen from.
"""

import argparse
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.scenes import Change as SceneChange
from phoenix_metrics.demo.scenes import SceneName, Scenes
from phoenix_metrics.demo.seasons import is_slow_season
from phoenix_metrics.demo.truth.executions import job_rows, run_rows, tries
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe
from phoenix_metrics.demo.world import World
from phoenix_metrics.warehouse import change_points
from phoenix_metrics.warehouse.change_points import find_changes

DAYS, MONTHS = 90, 3.0
STEADY_DAYS = 48  # a season of the demo organisation is of 49
RATES = {1: "nightly", 4: "4 a day", 30: "30 a day"}
SIZES = (1.05, 1.1, 1.2, 1.5)
RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "github_actions"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass
class Score:
    """What was found of what was planted; errors of place in executions and hours, of size as a share."""

    planted: int = 0
    told: int = 0
    hits: int = 0
    covered: int = 0
    executions: list[float] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)

    def add(self, times: Floats, at: Ints, places: Sequence[tuple[int, float]]) -> None:
        """Look for changes in a series and compare them with those it has, each a place and a ratio."""
        found = find_changes(times, at)
        self.planted += len(places)
        self.told += len(found)
        for place, ratio in places:
            near = [c for c in found if (c.ratio > 1) == (ratio > 1) and _is_near(c.position, place, at)]
            if near:
                best = min(near, key=lambda change: abs(change.position - place))
                self.hits += 1
                self.covered += best.ratio_low <= ratio <= best.ratio_high
                self.executions.append(abs(best.position - place))
                self.hours.append(abs(int(at[best.position]) - int(at[place])) / HOUR)
                self.sizes.append(abs(best.ratio / ratio - 1))

    @property
    def recall(self) -> float:
        """The share of what was planted that was found."""
        return self.hits / self.planted

    @property
    def shown(self) -> str:
        """The figures as cells of a table."""
        if not self.hits:
            return f"{self.planted} | {'-' if not self.told else '0 %'} | 0 % | - | - | - | -"
        precision, recall = self.hits / self.told, self.recall
        place = f"{np.median(self.executions):.0f} | {np.median(self.hours):.0f} h"
        size, covered = np.median(self.sizes), self.covered / self.hits
        return f"{self.planted} | {precision:.0%} | {recall:.0%} | {place} | {size:.1%} | {covered:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=200, help="series of each kind")
    parser.add_argument("--seeds", type=int, default=20, help="histories of the demo organisation")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    options = parser.parse_args()
    thresholds(options.series // 2)
    false_alarms(options.series, options.recordings)
    planted(options.series)
    demo(options.seeds)


def false_alarms(count: int, recordings: Path) -> None:
    print("\n| stationary series | series-months | changes told | per series-month |\n|---|---|---|---|")
    for kind in NOISES:
        for rate, name in RATES.items():
            told = sum(len(find_changes(*stationary(kind, rate, seed))) for seed in range(count))
            print(f"| {kind}, {name} | {count * MONTHS:,.0f} | {told} | {told / count / MONTHS:.4f} |")
    for label, read in (("Ozone", ozone), ("ONNX", onnx)):
        if not recordings.is_dir():
            print(f"| {label} | not here | | |")
            continue
        pieces = [piece for series in read(recordings).values() for piece in _pieces(*series)]
        months = sum(float(at[-1] - at[0]) / DAY / 30 for _, at in pieces)
        chance = np.random.default_rng(1)
        told = sum(len(find_changes(chance.permutation(times), at)) for times, at in pieces)
        real = sum(len(find_changes(times, at)) for times, at in pieces)
        print(f"| {label}, shuffled | {months:,.0f} | {told} | {told / months:.4f} |")
        print(f"| {label}, as recorded | {months:,.0f} | {real} | {real / months:.4f} |")


def thresholds(count: int) -> None:
    print("| most p value | alarms per stationary series-month | found of +10 % | of +20 % | of +50 % |")
    print("|---|---|---|---|---|")
    chosen = change_points.MAX_P_VALUE
    for threshold in (0.05, 0.01, 0.001, 0.0001):
        change_points.MAX_P_VALUE = threshold
        series = [(kind, rate, seed) for kind in NOISES for rate in RATES for seed in range(count)]
        told = sum(len(find_changes(*stationary(*one))) for one in series)
        found = " | ".join(f"{_pooled(RATES, size, count // 4).recall:.0%}" for size in SIZES[1:])
        print(f"| {threshold} | {told / len(series) / MONTHS:.4f} | {found} |")
    change_points.MAX_P_VALUE = chosen


def planted(count: int) -> None:
    print("\n| change | rate | planted | precision | recall | off by | off by | size off by | in interval |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        for rate, name in RATES.items():
            print(f"| {size - 1:+.0%} | {name} | {_pooled([rate], size, count // 4).shown} |")


def _pooled(rates: Iterable[int], size: float, count: int) -> Score:
    """Return how a change of one size is found in `count` series of each kind of noise."""
    score = Score()
    for kind in NOISES:
        for rate in rates:
            for seed in range(count):
                times, at = stationary(kind, rate, 10_000 + seed)
                place = int(np.random.default_rng(seed).integers(len(times) * 3 // 10, len(times) * 17 // 20))
                times[place:] *= size
                score.add(times, at, [(place, size)])
    return score


def demo(seeds: int) -> None:
    print(f"\n| 1.6 times as long from a commit on, {seeds} histories | planted | precision | recall ", end="")
    print("| off by | off by | size off by | in interval | told of other jobs |\n|---|---|---|---|---|---|---|---|---|")
    for days in (2, 4, 7, 14):
        slow, others = Score(), Score()
        for seed in range(1, seeds + 1):
            _history(seed, days, slow, others)
        months = others.planted * STEADY_DAYS / 30
        print(f"| seen {days} days later | {slow.shown} | {others.told} in {months:,.0f} series-months |")


def _history(seed: int, days: int, slow: Score, others: Score) -> None:
    """Read seven weeks of pushes to main, of which the last days have the scene `slow`, in a season that is one."""
    first = next(day for day in range(FOUNDED + 20 + seed, FOUNDED + 400) if _is_steady(day))
    now, since = (first + STEADY_DAYS) * DAY, (first + STEADY_DAYS - days) * DAY + 9 * HOUR
    world = World(Universe(seed), STEADY_DAYS, BreakageLog())
    world.play(Scenes((SceneChange(since, SceneName.SLOW),)))
    found = tries(world, now)
    runs = {row["run_id"]: row for row in run_rows(found)}
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in job_rows(found):
        run = runs[row["run_id"]]
        is_told = row["conclusion"] == "success" and row["run_attempt"] == 1 and row["duration_seconds"] is not None
        if is_told and (run["branch"], run["event"]) == ("main", "push"):
            series[str(row["job"])].append((_seconds(str(run["created_at"])), float(str(row["duration_seconds"]))))
    merge = world.first_merge(since)
    assert merge is not None
    for job, executions in series.items():
        at, times = (np.array(column) for column in zip(*sorted(executions), strict=True))
        if job not in SceneName.SLOW.scene.slow_factors:
            others.planted += 1
            others.told += len(find_changes(times, at))
        else:
            slow.add(times, at, [(int(np.searchsorted(at, merge.at)), SceneName.SLOW.scene.slow_factors[job])])


def _is_steady(day: int) -> bool:
    return len({is_slow_season(one) for one in range(day, day + STEADY_DAYS)}) == 1


def stationary(kind: str, rate: int, seed: int) -> tuple[Floats, Ints]:
    """Return 90 days of executions around 300 s, on weekends a fifth as many; nightly ones at three."""
    chance = np.random.default_rng(seed)
    monday = 20_514 * DAY
    if rate == 1:
        at = monday + np.arange(DAYS) * DAY + 3 * HOUR
    else:
        counts = [chance.poisson(rate * (0.2 if day % 7 >= 5 else 1)) for day in range(DAYS)]
        hours = np.clip(chance.normal(13, 3, sum(counts)), 0, 23.9)
        at = np.sort(monday + np.repeat(np.arange(DAYS), counts) * DAY + (hours * HOUR).astype(np.int64))
    return 300 * np.exp(NOISES[kind](chance, at)), at.astype(np.int64)


def _autocorrelated(chance: np.random.Generator, at: Ints) -> Floats:
    noise = chance.normal(0, 0.15, len(at))
    for i in range(1, len(at)):
        noise[i] = 0.6 * noise[i - 1] + 0.8 * noise[i]
    return noise


def _seasonal(chance: np.random.Generator, at: Ints) -> Floats:
    weekday, hour = (at // DAY + 3) % 7, at % DAY // HOUR
    return chance.normal(0, 0.15, len(at)) + 0.15 * (weekday >= 5) + 0.08 * (weekday == 0) + 0.1 * (hour >= 14)


def _daily(chance: np.random.Generator, at: Ints) -> Floats:
    days = chance.normal(0, 0.08, DAYS + 1)
    return chance.normal(0, 0.15, len(at)) + days[(at - at[0]) // DAY]


NOISES = {
    "log-normal": lambda chance, at: chance.normal(0, 0.15, len(at)),
    "heavy tails": lambda chance, at: 0.12 * chance.standard_t(2.2, len(at)),
    "seasons": _seasonal,
    "autocorrelated": _autocorrelated,
    "speed of the day": _daily,
    "two modes": lambda chance, at: chance.normal(0, 0.1, len(at)) + 0.7 * (chance.random(len(at)) < 0.25),
}


def ozone(folder: Path) -> dict[tuple[str, ...], tuple[Floats, Ints]]:
    """Return durations of Ozone's successful jobs by event and name."""
    with gzip.open(folder / "apache_ozone" / "runs.jsonl.gz", "rt") as file:
        events = {run["id"]: run["event"] for run in map(json.loads, file)}
    found = defaultdict(list)
    with gzip.open(folder / "apache_ozone" / "jobs.jsonl.gz", "rt") as file:
        for job in map(json.loads, file):
            if job["conclusion"] == "success" and job["run_id"] in events and job.get("run_attempt", 1) == 1:
                begun, ended = _seconds(job["started_at"]), _seconds(job["completed_at"])
                found[events[job["run_id"]], job["name"]].append((begun, float(ended - begun)))
    return _columns(found)


def onnx(folder: Path) -> dict[tuple[str, ...], tuple[Floats, Ints]]:
    """Return durations of successful runs by repository, workflow and event."""
    found = defaultdict(list)
    with gzip.open(folder / "onnx_build_durations" / "runs.csv.gz", "rt") as file:
        for run in csv.DictReader(file):
            if run["conclusion"] == "success" and float(run["duration_seconds"]) < DAY:
                key = (run["repo"], run["workflow"], run["event"])
                found[key].append((_seconds(run["created_at"]), float(run["duration_seconds"])))
    return _columns(found)


def _columns(
    found: dict[tuple[str, ...], list[tuple[int, float]]],
) -> dict[tuple[str, ...], tuple[Floats, Ints]]:
    sorted_columns = {key: list(zip(*sorted(rows), strict=True)) for key, rows in found.items()}
    return {key: (np.array(times), np.array(at)) for key, (at, times) in sorted_columns.items()}


def _pieces(times: Floats, at: Ints) -> Iterator[tuple[Floats, Ints]]:
    """Cut a series into 90 days each, and leave out what is shorter than a series must be."""
    for start in range(int(at[0]), int(at[-1]), DAYS * DAY):
        part = (at >= start) & (at < start + DAYS * DAY)
        if part.sum() >= 20:
            yield times[part], at[part]


def _is_near(position: int, place: int, at: Ints) -> bool:
    return abs(position - place) <= 10 or abs(int(at[position]) - int(at[place])) <= 2 * DAY


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


if __name__ == "__main__":
    main()
