"""How well flaky jobs of the demo organisation are found: our marts against the truth, history by history.

    flaky_accuracy.py [--seeds 20] [--days 30] [--pace 0.3]

Each history is collected over HTTP by our own collectors. The truth knows which executions failed by chance. Of these,
only such can be proven whose commit passed the job elsewhere, mostly because somebody ran it again; the rest looks
like any failure. `found` counts failures and jobs that marts.job_flakes and marts.flaky_jobs hold at levels L1 and L2,
`interval` the jobs with 20 commits or more whose 95 % interval holds the share of their commits that chance failed.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the collecting lives with the tests

from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.truth import causes, executions
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe
from phoenix_metrics.demo.world import World
from phoenix_metrics.services import DEMO_REPOSITORY
from tests.conftest import publish_landing, rows
from tests.demo import collected

Row = dict[str, Any]
Job = tuple[Any, Any]


@dataclass(frozen=True)
class Score:
    """What was true, what was found, and what of it was right."""

    truth: int
    found: int
    right: int

    @property
    def shown(self) -> str:
        """The counts with precision and recall."""
        precision = f"{self.right / self.found:.0%}" if self.found else "-"
        recall = f"{self.right / self.truth:.0%}" if self.truth else "-"
        return f"{self.truth:>6}{self.found:>6}{precision:>10}{recall:>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--pace", type=float, default=0.3)
    asked = parser.parse_args()
    print(f"{'':>5}{'':>6} | {'failures by chance':^30} | {'of them passed when run again':^30} | {'jobs':^30} |")
    header = f"{'truth':>6}{'found':>6}{'precision':>10}{'recall':>8}"
    print(f"{'seed':>5}{'runs':>6} | {header} | {header} | {header} | interval")
    totals: list[list[Score]] = []
    for seed in range(1, asked.seeds + 1):
        runs, scores, interval = measure(seed, asked.days, asked.pace)
        totals.append(scores)
        print(f"{seed:>5}{runs:>6} | {' | '.join(one.shown for one in scores)} | {interval}", flush=True)
    sums = [_sum(column) for column in zip(*totals, strict=True)]
    print(f"{'all':>5}{'':>6} | {' | '.join(one.shown for one in sums)} |")


def _sum(scores: Iterable[Score]) -> Score:
    truth, found, right = zip(*((one.truth, one.found, one.right) for one in scores), strict=True)
    return Score(sum(truth), sum(found), sum(right))


def measure(seed: int, days: int, pace: float) -> tuple[int, list[Score], str]:
    """Collect a history and return its runs, the scores of failures, of re-run ones and of jobs, and the intervals."""
    now = (FOUNDED + days) * DAY + 13 * HOUR
    tries = executions.tries(World(Universe(seed, pace), days + 2, BreakageLog()), now)
    flakes = [row for row in causes.flake_rows(tries) if row["kind"] == "failure"]
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as folder:
        home = Path(folder)
        collect(home, seed, days, pace, now)
        evidence = rows(home, "select job_id, workflow, job from marts.job_flakes where level in ('L1', 'L2')")
        listed = rows(
            home, "select workflow, job, ratio_low, ratio_high, is_ranked from marts.flaky_jobs where flaky_count > 0"
        )
        observed = rows(home, _COMMITS)
    truth = {row["job_id"] for row in flakes}
    proven = {row["job_id"] for row in flakes if row["passed_in_attempt"]}
    found = {row["job_id"] for row in evidence}
    truth_jobs, found_jobs = {job_of(row) for row in flakes}, {job_of(row) for row in listed}
    scores = [
        Score(len(truth), len(found), len(truth & found)),
        Score(len(proven), len(proven & found), len(proven & found)),
        Score(len(truth_jobs), len(found_jobs), len(truth_jobs & found_jobs)),
    ]
    return len({one.run.id for one in tries}), scores, intervals(listed, observed, truth)


_COMMITS = """
    select workflow, job, head_sha, event, list(job_id) as job_ids from marts.jobs
    where is_executed and outcome in ('success', 'failure') group by all
"""


def intervals(listed: list[Row], observed: list[Row], truth: set[Any]) -> str:
    """Tell for how many of the ranked jobs the interval holds the true share of commits that failed by chance."""
    shares: dict[Job, list[bool]] = defaultdict(list)
    for row in observed:
        shares[job_of(row)].append(any(job_id in truth for job_id in row["job_ids"]))
    ranked = [row for row in listed if row["is_ranked"]]
    right = [
        row
        for row in ranked
        if row["ratio_low"] <= sum(shares[job_of(row)]) / len(shares[job_of(row)]) <= row["ratio_high"]
    ]
    return f"{len(right)} of {len(ranked)}"


def job_of(row: Row) -> Job:
    return row["workflow"], row["job"]


def collect(home: Path, seed: int, days: int, pace: float, now: int) -> None:
    clock = collected.Clock()
    clock.now = datetime.fromtimestamp(now, UTC)
    with collected.serving(seed, clock, days=days + 2, pace=pace) as address:
        settings = collected.settings_of(address, home)
        one = settings.model_copy(update={"github_organizations": (), "github_repositories": (DEMO_REPOSITORY,)})
        done = sync_github(one, Poll(reconcile=True), clock=clock)
    assert [each.state for each in done] == ["ok"], done
    publish_landing(home)


if __name__ == "__main__":
    main()
