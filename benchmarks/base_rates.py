"""How often things go wrong in the demo organisation, beside published and recorded figures, as a Markdown table.

.venv/bin/python benchmarks/base_rates.py [--seeds 5] [--days 60]

The demo's figures are of its truth, over several histories. Published figures are quoted with their source; where none
was found, that is said. They are of other populations, so they show an order of magnitude, no target.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.truth.story import tables
from phoenix_metrics.demo.universe import DAY, FOUNDED, Universe
from phoenix_metrics.demo.world import World

Row = dict[str, object]
GE = "[Ge and Zhang 2026](https://arxiv.org/abs/2602.02307), 1,960 Java projects"
GITHUB = "[GitHub 2020](https://github.blog/engineering/reducing-flaky-builds-by-18x/)"
CIRCLE = "[CircleCI](https://sdtimes.com/software-development/report-4-key-benchmarks-that-successful-development-teams-meet/)"
FOUR_KEYS = "[Four Keys](https://github.com/dora-team/fourkeys/blob/main/METRICS.md)"
RECORDED = "recorded runs of Apache Ozone, ONNX and AOE"
AS_OF = (FOUNDED + 660) * DAY


@dataclass(frozen=True)
class Rate:
    """A rate of the demo organisation with what it is a share of, and what others published."""

    name: str
    count: float
    total: float
    published: str
    unit: str = "%"

    @property
    def shown(self) -> str:
        """The rate as text, with its basis."""
        share = self.count / self.total if self.total else 0
        return f"{share:.1%} of {self.total:,.0f}" if self.unit == "%" else f"{share:.1f} {self.unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Base rates of the demo organisation.")
    parser.add_argument("--seeds", type=int, default=5, help="how many histories to count")
    parser.add_argument("--days", type=int, default=60, help="how long each of them is")
    asked = parser.parse_args()
    truth: dict[str, list[Row]] = {}
    for seed in range(1, asked.seeds + 1):
        for name, rows in history(seed, asked.days).items():
            truth.setdefault(name, []).extend({**row, "seed": seed} for row in rows)
    print("| | demo organisation | published |\n|---|---|---|")
    for rate in rates(truth, asked.days * asked.seeds):
        print(f"| {rate.name} | {rate.shown} | {rate.published} |")


def history(seed: int, days: int) -> dict[str, list[Row]]:
    """Return the truth of one history."""
    universe = Universe(seed)
    world = World(universe, days, BreakageLog())
    found = tables([world], LivingCluster(universe, world, days), AS_OF)
    since = written(AS_OF - days * DAY)  # the story of deliveries begins up to four weeks earlier
    for name in ("deployments", "service_deployments", "rollbacks"):
        found[name] = [row for row in found[name] if str(row["started_at"]) >= since]
    return found


def rates(truth: dict[str, list[Row]], days: int) -> Iterator[Rate]:
    """Yield every rate."""
    yield from _of_runs(truth)
    yield from _of_deliveries(truth, days)


def _of_runs(truth: dict[str, list[Row]]) -> Iterator[Rate]:
    runs, jobs = truth["runs"], [row for row in truth["jobs"] if row["duration_seconds"] is not None]
    decided = [row for row in runs if row["outcome"] in ("success", "failure")]
    mainline = [row for row in decided if row["branch"] == "main"]
    again = [row for row in runs if int(str(row["attempt_count"])) > 1]
    flaky = [row for row in again if row["is_flaky"]]
    by_chance = {(row["seed"], row["run_id"]) for row in truth["flakes"]}
    yield Rate("runs that were run again", len(again), len(runs), f"3.2 % ({GE}); 0.8 % Ozone, 6.9 % AOE ({RECORDED})")
    yield Rate("of those, failed and then passed", len(flaky), len(again), f"67.7 % flaky ({GE})")
    yield Rate(
        "runs in which something failed by chance",
        len(by_chance),
        len(runs),
        f"9 % of commits, 0.5 % after cure ({GITHUB})",
    )
    yield Rate("executed jobs that failed by chance", len(truth["flakes"]), len(jobs), "none found of jobs")
    yield Rate(
        "runs that failed in the end, of success and failure",
        _failed(decided),
        len(decided),
        f"42.5 % Ozone, 14.2 % ONNX, 61.1 % AOE ({RECORDED})",
    )
    yield Rate("the same on main", _failed(mainline), len(mainline), f"under 10 % is the goal ({CIRCLE})")
    cancelled = sum(row["conclusion"] == "cancelled" for row in runs)
    yield Rate("runs that were cancelled", cancelled, len(runs), f"0.07 % Ozone, 10.9 % ONNX, 49.1 % AOE ({RECORDED})")


def _of_deliveries(truth: dict[str, list[Row]], days: int) -> Iterator[Rate]:
    production = [row for row in truth["deployments"] if str(row["application"]).endswith("production")]
    deployed = [row for row in production if row["is_deployment"] and row["status"] != "open"]
    active = {(row["seed"], str(row["started_at"])[:10]) for row in deployed}
    services = [
        row for row in truth["service_deployments"] if row["environment"] == "production" and row["status"] != "open"
    ]
    back = [row for row in truth["rollbacks"] if row["environment"] == "production"]
    yield Rate(
        "deployments to production a week",
        len(deployed),
        days / 7,
        f"daily is 3 days a week or more ({FOUR_KEYS})",
        "a week",
    )
    yield Rate("days a week with one", len(active), days / 7, f"the same ({FOUR_KEYS})", "days")
    failed = sum(row["failure"] is not None for row in services)
    yield Rate(
        "change failures in production, by service",
        failed,
        len(services),
        f"0-15 % is the best group ({FOUR_KEYS}, DORA 2019)",
    )
    yield Rate("rollbacks among deployments to production", len(back), len(deployed), "none found with a source")


def _failed(runs: list[Row]) -> int:
    return sum(row["outcome"] == "failure" for row in runs)


if __name__ == "__main__":
    main()
