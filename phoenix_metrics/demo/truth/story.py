"""The whole truth of one history as of a moment, table by table."""

from collections.abc import Sequence
from pathlib import Path

from phoenix_metrics.demo.control import Control
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.scenes import SceneLog
from phoenix_metrics.demo.truth import causes, deliveries, executions
from phoenix_metrics.demo.truth.operations import Player
from phoenix_metrics.demo.truth.rows import Row, TruthError, write
from phoenix_metrics.demo.universe import DAY, FOUNDED
from phoenix_metrics.demo.world import World


def tables(worlds: Sequence[World], living: LivingCluster, now: int) -> dict[str, list[Row]]:
    """Return every table of the truth by its name; the story of the cluster is told as far as `now`.

    Of the worlds the first is that of the platform, which the cluster runs.
    """
    living.live_until(now)
    found = [one for world in worlds for one in executions.tries(world, now)]
    lives = Player(living.told).play(now)
    judged = [deliveries.judge(life) for life in lives.values()]
    runs = (run for day in range(living.began_on, now // DAY + 1) for run in worlds[0].day(day))
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
    folder: Path,
    now: int,
    *,
    seed: int = 7,
    days: int = 60,
    pace: float = 1.0,
    count: int = 1,
    state_file: Path | None = None,
) -> dict[str, int]:
    """Write what happened up to `now` (seconds since 1970) as the server with these settings would tell it.

    Returns how many rows each file has. Raises TruthError for a folder that cannot be written, or a moment before the
    organisation was founded.
    """
    if now < FOUNDED * DAY:
        raise TruthError("the organisation was founded on 2025-01-06; ask for a later moment")
    organization = Organization(seed, days, pace, count, state_file)
    worlds, breakages = organization.worlds, organization.breakages
    living = LivingCluster(worlds[0].universe, worlds[0], days)
    Control(SceneLog(state_file), breakages, worlds, living, now)  # has all played with the scenes there were
    found = tables(worlds, living, now)
    write(folder, found)
    return {name: len(rows) for name, rows in found.items()}
