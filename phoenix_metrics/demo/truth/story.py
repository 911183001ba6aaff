"""The whole truth of one history as of a moment, table by table."""

from pathlib import Path

from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.control import Control
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.scenes import SceneLog
from phoenix_metrics.demo.truth import causes, deliveries, executions
from phoenix_metrics.demo.truth.operations import Player
from phoenix_metrics.demo.truth.rows import Row, TruthError, write
from phoenix_metrics.demo.universe import DAY, FOUNDED, Universe
from phoenix_metrics.demo.world import World


def tables(world: World, living: LivingCluster, now: int) -> dict[str, list[Row]]:
    """Return every table of the truth by its name; the story of the cluster is told as far as `now`."""
    living.live_until(now)
    found = executions.tries(world, now)
    lives = Player(living.told).play(now)
    judged = [deliveries.judge(life) for life in lives.values()]
    runs = (run for day in range(living.began_on, now // DAY + 1) for run in world.day(day))
    return {
        "runs": executions.run_rows(found),
        "attempts": executions.attempt_rows(found),
        "jobs": executions.job_rows(found),
        "costs": executions.cost_rows(found),
        "flakes": causes.flake_rows(found),
        "failure_causes": causes.cause_rows(found),
        "deployments": deliveries.deployment_rows(judged),
        "service_deployments": deliveries.service_rows(judged),
        "rollbacks": deliveries.rollback_rows(judged),
        "lead_times": deliveries.lead_time_rows(judged, runs),
    }


def write_truth(
    folder: Path, now: int, *, seed: int = 7, days: int = 60, pace: float = 1.0, state_file: Path | None = None
) -> dict[str, int]:
    """Write what happened up to `now` (seconds since 1970) as the server with these settings would tell it.

    Returns how many rows each file has. Raises TruthError for a folder that cannot be written, or a moment before the
    organisation was founded.
    """
    if now < FOUNDED * DAY:
        raise TruthError("the organisation was founded on 2025-01-06; ask for a later moment")
    universe, breakages = Universe(seed, pace), BreakageLog(state_file)
    world = World(universe, days, breakages)
    living = LivingCluster(universe, world, days)
    Control(SceneLog(state_file), breakages, [world], living, now)  # has both played with the scenes there were
    found = tables(world, living, now)
    write(folder, found)
    return {name: len(rows) for name, rows in found.items()}
